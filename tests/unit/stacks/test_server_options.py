"""Options of mysqld in the settings."""

from __future__ import annotations

import pytest

from stacks.config import parse
from tests.unit.raw import MYDB, VOLUMES, complaints


@pytest.mark.parametrize(
    "name",
    [
        "loose_skip_grant_tables", "loose-datadir", "enable_skip_grant_tables", "disable-log-bin", "maximum_port",
        "loose_loose-datadir", "enable-loose_disable-offline_mode", "loose_skip_networking", "skip-log-bin",
        "loose-innodb-data-home-dir", "innodb_undo_directory", "innodb-doublewrite-dir", "innodb_directories",
        "loose_innodb_log_group_home_dir", "log_bin_index", "innodb_read_only",
    ],
)  # fmt: skip
def test_no_option_loses_data_or_locks_everybody_out(name: str) -> None:
    raw = {"volumes": VOLUMES, "databases": [MYDB | {"options": {name: 1}}]}
    said = "this one is set here already, and another value would lose data or lock everybody out"
    assert complaints(raw) == [f"Pulumi.dev.yaml: databases[0].options.{name}: {name!r}: {said}"]


@pytest.mark.parametrize(
    "name",
    [
        "initialize", "initialize-insecure", "loose_initialize", "defaults_file", "defaults-extra-file", "no-defaults",
        "basedir", "plugin-dir", "plugin_load", "plugin-load-add", "loose_early_plugin_load", "chroot", "daemonize",
        "secure_file_priv", "keyring_migration_port", "validate_config", "loose-validate-config",
    ],
)  # fmt: skip
def test_no_option_breaks_the_image(name: str) -> None:
    raw = {"volumes": VOLUMES, "databases": [MYDB | {"options": {name: 1}}]}
    said = "this one is the image's own, and another value would break what it does; leave it out"
    assert complaints(raw) == [f"Pulumi.dev.yaml: databases[0].options.{name}: {name!r}: {said}"]


def test_options_that_only_resemble_those_of_the_image() -> None:
    names = ("log_bin_trust_function_creators", "port_open_timeout", "loose_mysqlx_port", "disable_performance_schema",
             "innodb_doublewrite", "user_stat", "admin_port", "maximum_max_connections", "read_only")  # fmt: skip
    parse({"volumes": VOLUMES, "databases": [MYDB | {"options": dict.fromkeys(names, 1)}]}, file="f")


@pytest.mark.parametrize("second", ["max-connections", "loose_max_connections"])
def test_an_option_in_two_spellings_is_refused(second: str) -> None:
    raw = {"volumes": VOLUMES, "databases": [MYDB | {"options": {"max_connections": 500, second: 50}}]}
    said = f"options.{second} is options.max_connections, in another spelling: leave one out"
    assert complaints(raw) == [f"Pulumi.dev.yaml: databases[0]: {said}"]
