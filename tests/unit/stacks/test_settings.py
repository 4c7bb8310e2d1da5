"""Settings are checked whole, each complaint names setting, value and remedy, and secrets stay hidden."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest
import yaml

from azurefile import options
from stacks.complaints import SettingsError
from stacks.config import parse, read_settings
from stacks.driver_options import DRIVER_OPTIONS
from stacks.names import DEMO_CONTAINERS, LONGEST_HOSTNAME
from stacks.settings import Settings
from tests.unit.conftest import Recorder
from tests.unit.raw import MYDB, USER, VOLUMES, complaints

IN_FOLDER = {"name": "v3", "share": "s-1", "folder": "a", "exclusive": True}
# as long as a schema's name may be, and longer where a pattern is meant
LONG = "a" * 62 + "_b"


def test_the_committed_dev_stack_is_right() -> None:
    with open("Pulumi.dev.yaml") as file:
        config = yaml.safe_load(file)["config"]
    settings = parse({k.removeprefix("datadocker:"): v for k, v in config.items()}, file="dev")
    assert [v.name for v in settings.volumes] == VOLUMES
    assert settings.databases[0].port == 6603
    assert settings.shares.retain is True


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {"volmes": VOLUMES, "databases": [MYDB]},
            ["volmes: no such setting; did you mean volumes?"],
        ),
        (
            {"volmes": [*VOLUMES, "x"], "databases": [{"name": "mydb", "volume": "dbs", "prot": 1}]},
            [
                "databases[0].prot: no such setting; did you mean port?",
                "volmes: no such setting; did you mean volumes?",
            ],
        ),
        (
            {"datadokcer:volumes": VOLUMES, "databases": [MYDB]},
            ["datadokcer:volumes: no such setting; did you mean datadocker:volumes?"],
        ),
    ],
)
def test_a_misspelt_key_is_one_line_and_not_missing_too(
    recorder: Recorder, raw: dict[str, Any], expected: list[str]
) -> None:
    assert complaints(raw) == [f"Pulumi.dev.yaml: {line}" for line in expected]


@pytest.mark.parametrize("value", [None, [1], {"a": 1}])
def test_an_option_that_is_no_plain_value_is_one_line(recorder: Recorder, value: Any) -> None:
    said = "options.{}: should be text, a number, true or false"
    assert complaints({"volumes": VOLUMES, "databases": [MYDB | {"options": {"long_query_time": value}}]}) == [
        f"Pulumi.dev.yaml: databases[0].{said.format('long_query_time')}"
    ]
    assert complaints({"volumes": ["logs", "config", {"name": "dbs", "options": {"cache": value}}]}) == [
        f"Pulumi.dev.yaml: volumes[2].{said.format('cache')}"
    ]


def test_an_option_may_be_a_fraction() -> None:
    options = {"long_query_time": 0.5, "max_connections": 20, "slow_query_log": True, "sql_mode": "ANSI"}
    (database,) = parse({"volumes": VOLUMES, "databases": [MYDB | {"options": options}]}, file="f").databases
    assert [str(value) for value in database.options.values()] == ["0.5", "20", "True", "ANSI"]


def test_only_a_misspelt_namespace_of_ours_is_looked_at(recorder: Recorder) -> None:
    config = {"datadocker:volumes": '["logs", "config"]', "docker:host": "x", "azure-native:location": "y"}
    pulumi.runtime.set_all_config(config)
    assert [v.name for v in read_settings().volumes] == ["logs", "config"]
    pulumi.runtime.set_all_config(config | {"datadcoker:prefix": "two-"})
    with pytest.raises(SettingsError, match="datadcoker:prefix: no such setting; did you mean datadocker:prefix"):
        read_settings()
    pulumi.runtime.set_all_config({})


def test_a_key_with_nothing_behind_it_says_nothing(recorder: Recorder) -> None:
    names = ("databases", "host", "images", "prefix", "production", "shares", "stack")
    given = {"datadocker:volumes": '["logs", "config"]'} | {f"datadocker:{name}": "" for name in names}
    pulumi.runtime.set_all_config(given)
    assert read_settings() == parse({"volumes": ["logs", "config"]}, file="f")
    pulumi.runtime.set_all_config({})


def test_nothing_at_all_but_the_demos_volumes_is_right() -> None:
    settings = parse({"volumes": ["logs", "config"]}, file="f")
    assert settings.host.kind == "local"
    assert settings.databases == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"volmues": []}, "volmues: no such setting; did you mean volumes?"),
        ({"prefix": "Two_"}, "prefix: 'Two_': should be lowercase letters, digits and single hyphens, such as two-"),
        ({"plugin": {"name": "My"}}, "plugin.name: 'My': should be lowercase letters"),
        ({"plugin": {"name": "local"}}, "plugin.name: 'local': Docker's own driver has that name"),
        ({"plugin": {"root": "x"}}, "plugin.root: 'x': should be an absolute path of letters"),
        ({"host": {"kind": "lokal"}}, "host.kind: 'lokal': should be local or ssh"),
        ({"host": {}}, "host.kind: is missing; should be local or ssh"),
        ({"host": {"kind": "ssh"}}, "host.address: is missing; it takes kind, address, user,"),
        ({"host": {"kind": "local", "adress": "x"}}, "host.adress: no such setting; it takes kind, socket"),
        ({"host": {"kind": "ssh", "adress": "x", "address": "h"}}, "did you mean address?"),
        ({"host": {"kind": "ssh", "address": "2001:db8::1"}}, "host.address: '2001:db8::1': should be a name or an IP"),
        ({"host": {"kind": "ssh", "address": "box:2222"}}, "and a port goes into host.port"),
        ({"shares": {"kind": "local", "retain": "perhaps"}}, "shares.retain: 'perhaps': should be true"),
        ({"shares": {"kind": "local", "retian": False}}, "did you mean retain?"),
        ({"volumes": "logs"}, "volumes: 'logs': should be a list"),
        ({"host": "local"}, "host: 'local': should be an object, such as {kind: local}; its kind is"),
        ({"volumes": [*VOLUMES, [5]]}, "volumes[4]: should be an object; it takes name, share,"),
        ({"volumes": [*VOLUMES, "b@d"]}, "volumes[4].name: 'b@d': should be 2 to 63 letters"),
        ({"volumes": [*VOLUMES, "x"]}, "volumes[4].name: 'x': should be 2 to 63 letters"),
        ({"volumes": [*VOLUMES, "dbs"]}, "volumes[4]: the name dbs is given already by volumes[1]"),
        ({"volumes": [*VOLUMES, {"name": "v2", "share": "No_Azure"}]}, "share: 'No_Azure': Azure takes"),
        ({"volumes": [*VOLUMES, {"name": "v2", "share": "a--b"}]}, "share: 'a--b': Azure takes"),
        ({"volumes": [*VOLUMES, "Caps"]}, "share 'Caps' is not a share name"),
        ({"volumes": [*VOLUMES, {"name": "v2", "folder": "../x"}]}, "folder: '../x': should be a path inside"),
        ({"volumes": [*VOLUMES, {"name": "v2", "share": "dbs"}]}, "one of them is exclusive"),
        (
            {"volumes": [*VOLUMES, {"name": "v2", "share": "s-1", "folder": "a/b"}, IN_FOLDER]},
            "volumes[5]: maps the same folder of share s-1 as volumes[4] (v2), and one of them is exclusive",
        ),
        (
            {"volumes": [*VOLUMES, IN_FOLDER, {"name": "v2", "share": "s-1", "folder": "a/b"}]},
            "volumes[5]: maps the same folder of share s-1 as volumes[4] (v3), and one of them is exclusive",
        ),
        # the whole share is around each of its folders
        ({"volumes": [*VOLUMES, IN_FOLDER, {"name": "v2", "share": "s-1"}]}, "volumes[5]: maps the same folder of"),
        ({"volumes": [*VOLUMES, {"name": "v2", "share": "s-1"}, IN_FOLDER]}, "volumes[5]: maps the same folder of"),
        # names on SMB differ by more than their case
        (
            {
                "volumes": [
                    *VOLUMES,
                    {"name": "v2", "share": "s-1", "folder": "A/É", "options": {"protocol": "smb"}},
                    {**IN_FOLDER, "folder": "a/é", "options": {"protocol": "smb"}},
                ]
            },
            "volumes[5]: maps the same folder of share s-1 as volumes[4] (v2), and one of them is exclusive",
        ),
        (
            {"databases": [MYDB | {"schemas": ["shop"], "users": [USER, USER | {"host": "10.%"}, USER]}]},
            "databases[0].users[2]: account shop@% is given twice",
        ),
        (
            {"databases": [MYDB | {"users": [{"name": "z", "host": "localhost"}, {"name": "z", "host": "Localhost"}]}]},
            "databases[0].users[1]: account z@Localhost is given twice",
        ),
        ({"volumes": [*VOLUMES, {"name": "v2", "options": {"share": "x"}}]}, "write share beside"),
        ({"volumes": ["dbs", "config"]}, "volumes: the demo writes to a volume named logs"),
        ({"databases": [MYDB | {"volume": "logs"}]}, "[0]: the demo's containers share logs, which must not"),
        (
            {"volumes": ["dbs", "logs", {"name": "config", "exclusive": True}]},
            "volumes[2]: the demo's containers share config, which must not be exclusive",
        ),
        ({"databases": [MYDB | {"rootPassword": "x\n"}]}, "rootPassword: a password that ends with a line break"),
        ({"databases": [MYDB | {"rootPassword": "a\0b"}]}, "rootPassword: a password with the character NUL"),
        ({"databases": [MYDB | {"rootPassword": "é" * 129}]}, "rootPassword: a password of more than 256 bytes"),
        ({"databases": [{"name": "mydb", "port": 1}]}, "databases[0].volume: is missing"),
        ({"databases": [MYDB | {"port": 99999}]}, "databases[0].port: 99999: should be at most 65535"),
        ({"databases": [MYDB | {"port": "many"}]}, "databases[0].port: 'many': should be a whole number"),
        ({"databases": [MYDB | {"volume": "dbx"}]}, "there is no volume 'dbx'; did you mean dbs?"),
        ({"databases": [MYDB | {"name": "reader"}]}, "reader is taken by the reader of the demo"),
        (
            {"databases": [MYDB, MYDB | {"name": "mydb2", "port": 6604}]},
            "databases[1].volume: volume dbs belongs to database mydb already",
        ),
        (
            {"databases": [MYDB, MYDB | {"name": "mydb2", "volume": "simpledb"}]},
            "databases[1].port: port 6603 is given to mydb already: choose another",
        ),
        (
            {"databases": [MYDB, MYDB | {"volume": "simpledb", "port": 1}]},
            "databases[1].name: mydb is taken by databases[0]",
        ),
        (
            {"volumes": ["logs", "config", {"name": "dbs", "exclusive": False}]},
            "volumes[2].exclusive: database mydb lives on it",
        ),
        ({"databases": [MYDB | {"schemas": ["Shop"]}]}, "schemas[0]: 'Shop': MySQL schemas here take"),
        ({"databases": [MYDB | {"users": [USER]}]}, "users[0].schemas: shop is not in databases[0].schemas"),
        (
            {"databases": [MYDB | {"schemas": [LONG], "users": [USER | {"schemas": [LONG]}]}]},
            f"users[0].schemas: {LONG} is too long for an account's privileges: each _ counts twice there, and 64 can",
        ),
        ({"databases": [MYDB | {"users": [{"name": "root"}]}]}, "use rootPassword"),
        (
            {
                "databases": [
                    MYDB | {"users": [{"name": "a-b"}]},
                    MYDB | {"name": "mydb-a", "volume": "simpledb", "port": 1, "users": [{"name": "b"}]},
                ]
            },
            "databases[1].users[0].name: b of mydb-a and an account of mydb would have one name to Pulumi, mydb-a-b@%:",
        ),
        (
            {"databases": [MYDB | {"users": [{"name": "a", "host": "db.example.com"}]}]},
            "users[0].host: 'db.example.com': the server looks up no names: give an address such as 10.0.0.%",
        ),
        ({"plugin": {"name": "azure-"}}, "plugin.name: 'azure-': should be lowercase letters"),
        ({"plugin": {"name": "a..b"}}, "plugin.name: 'a..b': should be lowercase letters"),
        (
            {"databases": [MYDB | {"options": {"innodb-page-size": "32K"}}]},
            "databases[0].options.innodb-page-size: 32K: the image's template has pages of 16K: leave it out",
        ),
        ({"databases": [MYDB | {"options": {"datadir": "/x"}}]}, "'datadir': this one is set here already"),
        ({"databases": [MYDB | {"options": {"skip-grant-tables": 1}}]}, "this one is set here already"),
        ({"databases": [MYDB | {"schemas": ["mysql"]}]}, "this schema is the server's own"),
        ({"databases": [MYDB | {"users": [{"name": "mysql.sys"}]}]}, "accounts of this form are the server's own"),
        ({"volumes": [*VOLUMES, {"name": "v2", "options": {"dirmod": "0700"}}]}, "did you mean dirmode?"),
        ({"volumes": [*VOLUMES, {"name": "v2", "options": {"dirmode": 999}}]}, "options.dirmode: '999': should be"),
        ({"databases": [MYDB | {"rootPassword": ""}]}, "rootPassword: should be at least 1 long"),
        ({"images": {"mysql": "Not An Image"}}, "images.mysql: 'Not An Image'"),
        ({"plugin": {"root": "/var/../etc"}}, "plugin.root: '/var/../etc'"),
        ({"volumes": [*VOLUMES, {"name": "v2", "folder": "a:b"}]}, "no part that begins or ends with a dot or space"),
        ({"databases": [MYDB | {"memory": 256}]}, "memory: 256: should be at least 384"),
        ({"databases": [MYDB | {"memory": 4 << 30}]}, "memory: 4294967296: should be at most 16777216"),
        ({"prefix": "A b"}, "prefix: 'A b'"),
        ({"stack": "dmeo"}, "stack: 'dmeo': should be demo or databases"),
        ({"plugin": {"root": "relative"}}, "plugin.root: 'relative'"),
    ],
)  # fmt: skip
def test_bad_settings_say_where_what_and_what_to_do(change: dict[str, Any], expected: str) -> None:
    said = complaints({"volumes": VOLUMES, "databases": [MYDB]} | change)
    assert len(said) == 1, said
    assert said[0].startswith("Pulumi.dev.yaml: ")
    assert expected in said[0]


def test_what_is_right_though_it_looks_odd_is_taken() -> None:
    users = [{"name": "a", "host": host} for host in ("localhost", "127.0.0.1", "fd00::a", "10.0.0.%", "_", "%")]
    host = {"kind": "ssh", "address": "box", "user": "john.doe"}
    parse({"volumes": VOLUMES, "databases": [MYDB | {"users": users}], "host": host}, file="f")
    large = {"databases": [MYDB | {"options": {"innodb_page_size": "32K"}}], "images": {"mysql": "mysql:9.7.0"}}
    parse({"volumes": VOLUMES, **large}, file="f")
    parse({"volumes": VOLUMES, "databases": [MYDB | {"options": {"innodb_page_size": 16384}}]}, file="f")
    for name in ("a.b", "a__b", "a---b", "azurefile-2"):
        parse({"volumes": VOLUMES, "plugin": {"name": name}}, file="f")


def test_folders_beside_an_exclusive_one_and_an_accounts_name_on_another_host_are_others() -> None:
    beside = {"name": "v2", "share": "s-1", "folder": "ab"}
    database = MYDB | {"schemas": ["shop"], "users": [USER, USER | {"host": "10.%"}, USER | {"name": "Shop"}]}
    parse({"volumes": [*VOLUMES, IN_FOLDER, beside], "databases": [database]}, file="f")


def test_everything_wrong_in_one_file_is_said_together() -> None:
    said = complaints(
        {
            "volmues": [],
            "volumes": [*VOLUMES, "b@d"],
            "databases": [MYDB, MYDB | {"port": 0}, MYDB | {"name": "other"}],
        }
    )
    assert any("volmues" in line for line in said)
    assert any("'b@d'" in line for line in said)
    assert any("databases[1].port: 0" in line for line in said)
    assert any("databases[2].volume: volume dbs belongs to database mydb" in line for line in said)


@pytest.mark.parametrize(("prefix", "known"), [("t", True), ("tw", False)])
def test_a_container_whose_name_no_host_can_have_is_one_line(prefix: str, known: bool) -> None:
    raw = {"prefix": prefix, "volumes": VOLUMES, "databases": [MYDB | {"name": "d" * 63}]}
    if known:
        parse(raw, file="f")
    else:
        assert complaints(raw) == [
            f"Pulumi.dev.yaml: databases[0].name: container tw{'d' * 63} would have 65 characters with the prefix, and "
            "its host name takes 64: shorten one of them"
        ]


def test_the_longest_prefix_leaves_room_for_the_demos_names() -> None:
    parse({"prefix": "p" * 30, "volumes": VOLUMES}, file="f")
    assert max(30 + len(name) for name in DEMO_CONTAINERS) <= LONGEST_HOSTNAME


def test_a_stack_that_is_misspelt_is_no_demo_without_its_volumes() -> None:
    said = complaints({"stack": "databses", "volumes": ["dbs"]})
    assert said == ["Pulumi.dev.yaml: stack: 'databses': should be demo or databases"]


def test_production_that_is_wrong_is_not_false_too() -> None:
    with pytest.raises(SettingsError) as caught:
        parse({"volumes": VOLUMES, "production": "perhaps"}, file="Pulumi.prod.yaml")
    assert caught.value.lines == ["Pulumi.prod.yaml: production: 'perhaps': should be true or false"]


def test_a_database_makes_its_volume_exclusive() -> None:
    settings = parse({"volumes": VOLUMES, "databases": [MYDB]}, file="f")
    assert [settings.is_exclusive(v) for v in settings.volumes] == [False, True, False, False]


def test_a_prefix_also_gives_shares_of_their_own() -> None:
    settings = parse({"volumes": VOLUMES, "prefix": "two-"}, file="f")
    assert [settings.share_of(v) for v in settings.volumes][:2] == ["two-logs", "two-dbs"]


def test_what_config_set_path_writes_is_taken() -> None:
    raw = {"volumes": VOLUMES, "databases": [{"name": "mydb", "volume": "dbs", "port": "6610"}]}
    assert parse(raw, file="f").databases[0].port == 6610


def test_the_drivers_options_are_the_plugins_own() -> None:
    assert set(DRIVER_OPTIONS) == set(options._OPTIONS)


def test_settings_are_values() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.prefix = "x"  # type: ignore[misc]
