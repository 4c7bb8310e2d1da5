"""Names and small values of the settings: what Docker, Azure and MySQL take, and in their words why not."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from stacks.section import form

SYSTEM_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys")
RESERVED_OPTIONS = (
    "bind_address", "datadir", "init_file", "innodb_directories", "innodb_doublewrite_dir", "innodb_read_only",
    "innodb_undo_directory", "log_bin", "log_bin_index", "lower_case_table_names", "offline_mode", "port", "socket",
    "user",
)  # fmt: skip
RESERVED_FAMILIES = ("innodb_data", "innodb_log_group", "skip_")
# what the entrypoint needs, and what keeps accounts with FILE from the passwords that mysqld reads
OPTIONS_OF_IMAGE = (
    "basedir", "chroot", "daemonize", "early_plugin_load", "no_defaults", "plugin_dir", "secure_file_priv",
    "validate_config",
)  # fmt: skip
FAMILIES_OF_IMAGE = ("defaults_", "initialize", "keyring_migration", "plugin_load")
# what runs besides the databases in the composition demo, and what each is
WRITERS, READER = ("docker1", "docker2", "docker3"), "reader"
DEMO_CONTAINERS = {**dict.fromkeys(WRITERS, "a writer of the demo"), READER: "the reader of the demo"}
# the volumes that they have
WRITTEN_BY_DEMO = ("logs", "config")
IMAGE = r"^[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?$"


def _volume_name(name: str) -> str:
    # Docker's own rule, docs.docker.com/reference/cli/docker/volume/create
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}", name):
        raise ValueError("should be 2 to 63 letters, digits, '_', '.' or '-', starting with a letter or digit")
    return name


def share_name(name: str) -> str:
    """Returns `name` if Azure takes it for a share.

    Raises:
        ValueError: with what Azure takes.
    """
    # learn.microsoft.com: naming and referencing shares, directories, files, and metadata
    if not re.fullmatch(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*", name):
        raise ValueError(
            "Azure takes 3 to 63 lowercase letters, digits and single hyphens, "
            "starting and ending with a letter or digit"
        )
    return name


def _folder(path: str) -> str:
    parts = path.split("/")
    if len(path.encode()) > LONGEST_PATH or any(
        not p or p != p.strip() or p[0] == "." or p[-1] == "." or not p.isprintable() or set(p) & set('\\:*?"<>|')
        for p in parts
    ):
        raise ValueError(
            "should be a path inside the share such as customers/one: at most 255 bytes, no part that begins or ends "
            r"""with a dot or space, none of \ : * ? " < > |"""
        )
    return path


def _option_of_mysqld(name: str) -> str:
    # what decides where data lies, who may come in and how, is decided here; mysqld takes these words off, too
    folded = re.sub("^((loose|enable|disable|maximum)_)+", "", name.replace("-", "_"))
    if folded in RESERVED_OPTIONS or folded.startswith(RESERVED_FAMILIES):
        raise ValueError("this one is set here already, and another value would lose data or lock everybody out")
    if folded in OPTIONS_OF_IMAGE or folded.startswith(FAMILIES_OF_IMAGE):
        raise ValueError("this one is the image's own, and another value would break what it does; leave it out")
    return name


def _plugin_name(name: str) -> str:
    if name == "local":
        raise ValueError("Docker's own driver has that name, and every volume without a plugin")
    return name


def _account_name(name: str) -> str:
    if name.startswith("mysql."):
        raise ValueError("accounts of this form are the server's own")
    return name


def _account_host(host: str) -> str:
    # the server resolves no names (skip-name-resolve)
    if re.search("[A-Za-z]", host) and ":" not in host and host.lower() != "localhost":
        raise ValueError("the server looks up no names: give an address such as 10.0.0.%, localhost or %")
    return host


def _schema_name(name: str) -> str:
    # lower_case_table_names=1 stores names in lower case, so others would never compare equal
    if not re.fullmatch(r"[a-z0-9_$-]{1,64}", name):
        raise ValueError("MySQL schemas here take 1 to 64 lowercase letters, digits, '_', '$', '-'")
    if name in SYSTEM_SCHEMAS:
        raise ValueError("this schema is the server's own")
    return name


# the patterns are for editors, as ECMAScript has them
HOST = r"^[A-Za-z0-9][A-Za-z0-9.-]*$"
PREFIX, PLUGIN, ROOT = (
    r"^([a-z0-9]+(-[a-z0-9]+)*-?)?$",
    # of its parts: github.com/distribution/reference
    r"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$",
    r"^(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$",
)
# of a container's name, which is its host name too (sethostname(2)); the demo's with the longest prefix are shorter
LONGEST_HOSTNAME = 64
# of a schema's name (mysql.db.Db)
LONGEST_SCHEMA = 64
# bytes of a path, so that none of its names has more than a folder takes (NAME_MAX)
LONGEST_PATH = 255
# bytes (mysql: MAX_PASSWORD_LENGTH; "failed to generate an authentication string" beyond it)
LONGEST_PASSWORD = 256


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text.endswith(("\n", "\r")):
        raise ValueError("a password that ends with a line break: where it is a block of YAML, write |- instead of |")
    if "\0" in text:
        raise ValueError("a password with the character NUL, at which MySQL takes it to end: leave it out")
    if len(text.encode()) > LONGEST_PASSWORD:
        raise ValueError(f"a password of more than {LONGEST_PASSWORD} bytes, which MySQL does not take")
    return value


Prefix = Annotated[
    str,
    Field(max_length=30, json_schema_extra={"pattern": PREFIX}),
    form(PREFIX, "should be lowercase letters, digits and single hyphens, such as two-"),
]
PluginName = Annotated[
    str,
    AfterValidator(_plugin_name),
    Field(json_schema_extra={"pattern": PLUGIN}),
    form(
        PLUGIN,
        "should be lowercase letters, digits, '_', '.' and '-', starting and ending with a letter or digit, such as "
        "azurefile",
    ),
]
PluginRoot = Annotated[
    str,
    Field(json_schema_extra={"pattern": ROOT}),
    form(ROOT, "should be an absolute path of letters, digits, '_', '.' and '-', such as /var/lib/datadocker"),
]
HostName = Annotated[
    str,
    Field(json_schema_extra={"pattern": HOST}),
    form(HOST, "should be a name or an IPv4 address; an IPv6 address needs a name, and a port goes into host.port"),
]
VolumeName = Annotated[str, AfterValidator(_volume_name)]
ShareName = Annotated[str, AfterValidator(share_name)]
Folder = Annotated[str, AfterValidator(_folder)]
SchemaName = Annotated[str, AfterValidator(_schema_name)]
Secret = Annotated[SecretStr, Field(min_length=1), AfterValidator(_password)]
ContainerName = Annotated[str, AfterValidator(_volume_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
AccountName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,32}$"), AfterValidator(_account_name)]
AccountHost = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:%/-]{1,255}$"), AfterValidator(_account_host)]
ServerOption = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]*$"), AfterValidator(_option_of_mysqld)]
