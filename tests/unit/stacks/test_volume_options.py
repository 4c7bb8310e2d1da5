"""Options of volumes: what the plugin would refuse on a finished host is refused before anything is made."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from azurefile import options
from azurefile.errors import OptionError
from stacks.complaints import SettingsError
from stacks.config import parse
from stacks.driver_options import DRIVER_OPTIONS, OPTION_BOUNDS, OPTION_FORMS
from stacks.settings import VolumeSettings
from stacks.volume_options import DECIDED, KNOWN_TO, SERVED
from tests.unit.azure_raw import HOST
from tests.unit.raw import MYDB

SMB: dict[str, Any] = {"kind": "azure"}
NFS: dict[str, Any] = {"kind": "azure", "protocol": "nfs", "performance": "premium"}
LOCAL: dict[str, Any] = {"kind": "local"}
VALUES: dict[str, list[Any]] = {
    "actimeo": [0, 30],
    "cache": ["none", "loose"],
    "create": [True, False],
    "dirmode": ["0750"],
    "exclusive": [],
    "filemode": ["640"],
    "folder": [],
    "for": ["files", "database"],
    "gid": [0],
    "mfsymlinks": [True, False],
    "nconnect": [1, 16],
    "nobrl": [True, False],
    "nolock": [True, False],
    "nosharesock": [True, False],
    "remotepath": [],
    "seal": [True, False],
    "share": [],
    "uid": [999],
    "vers": [2.1, "3.0", "3.02", "3.1.1", 4.1],
    **{name: [] for name in DECIDED},
}
# what shares of the settings' own do not decide
OF_LOCAL: dict[str, list[Any]] = {
    **VALUES,
    "account": ["one", "One", "two", "an.account"],
    "port": [445],
    "protocol": ["smb", "NFS", "local"],
    "quota": [5],
    "server": [
        "files.example",
        "One.file.core.windows.net",
        "one.privatelink.file.core.windows.net",
        "10.0.0.1",
        "fd00::1",
        "10.0.0.256",
        "a_b",
        "fe80::1%eth0",
        "-a",
        "0.0.0.0",
        "0x7f000001",
        "127.0.0.0x1",
        "a.b.",
    ],
}


def complaints(shares: dict[str, Any], exclusive: bool = False, **given: Any) -> list[str]:
    host = HOST if shares["kind"] == "azure" else LOCAL
    volume = {"name": "vol", "exclusive": exclusive, "options": given}
    try:
        parse({"stack": "databases", "host": host, "shares": shares, "volumes": [volume]}, file="f")
    except SettingsError as error:
        return error.lines
    return []


@pytest.mark.parametrize(
    ("shares", "given", "expected"),
    [
        (SMB, {"For": "files"}, ["for: files: a database has this volume: leave it out"]),
        (SMB, {"for": "files", "uid": 999}, []),
        (NFS, {"for": "files", "uid": 0}, []),
        (LOCAL, {"for": "files", "uid": 0}, []),
        (SMB, {"for": "database", "uid": 999, "gid": 0}, []),
        (SMB, {"uid": 0}, ["uid: 0: a database has this volume, whose server is user 999: leave it out"]),
        (SMB, {"uid": 0, "dirmode": "0777", "filemode": "0666"}, []),
    ],
)
def test_a_database_can_write_to_its_volume(shares: dict[str, Any], given: dict[str, Any], expected: list[str]) -> None:
    host = HOST if shares["kind"] == "azure" else LOCAL
    raw = {
        "stack": "databases", "host": host, "shares": shares, "volumes": [{"name": "dbs", "options": given}],
        "databases": [MYDB],
    }  # fmt: skip
    said: list[str] = []
    try:
        parse(raw, file="f")
    except SettingsError as error:
        said = error.lines
    assert said == [f"f: volumes[0].options.{line}" for line in expected]


@pytest.mark.parametrize(
    ("shares", "given", "expected"),
    [
        (SMB, {"vers": "3.0"}, "vers: 3.0: Azure serves these shares by SMB 3.1.1 alone: leave it out"),
        (SMB, {"VERS": 2.1}, "vers: 2.1: Azure serves these shares by SMB 3.1.1 alone: leave it out"),
        (SMB, {"seal": False}, "seal: false: Azure serves these shares encrypted alone: leave it out"),
        (SMB, {"Seal": "false"}, "seal: false: Azure serves these shares encrypted alone: leave it out"),
        (SMB, {"nconnect": 4}, "nconnect: is of protocol nfs, and the volume's is smb: leave it out"),
        (SMB, {"quota": 5}, "quota: shares of kind azure decide it: leave it out"),
        (SMB, {"port": 446}, "port: shares of kind azure decide it: leave it out"),
        (SMB, {"nolock": True, "nobrl": False}, "nolock: is another name of nobrl, which differs: leave one out"),
        (NFS, {"vers": "3.1.1"}, "vers: 3.1.1: Azure serves these shares by NFS 4.1 alone: leave it out"),
        (NFS, {"seal": True}, "seal: is of protocol smb, and the volume's is nfs: leave it out"),
        (NFS, {"MfSymlinks": True}, "mfsymlinks: is of protocol smb, and the volume's is nfs: leave it out"),
        (NFS, {"create": True}, "create: true: an NFS share can only be made on its server: leave it out"),
        (LOCAL, {"cache": "none"}, "cache: is of protocol smb, and the volume's is local: leave it out"),
        (LOCAL, {"actimeo": 1}, "actimeo: is of protocol smb or nfs, and the volume's is local: leave it out"),
        (LOCAL, {"protocol": "nfs", "server": "s", "seal": True}, "seal: is of protocol smb, and the volume's is nfs"),
        (LOCAL, {"protocol": "nfs"}, "protocol: nfs: name the server beside it, as option server"),
        (LOCAL, {"protocol": "nfs", "account": "One"}, "account: for protocol nfs it is a storage account"),
        (
            LOCAL,
            {"protocol": "smb", "server": "One.file.core.windows.net", "account": "two"},
            "account: two: server one.file.core.windows.net is account one's: leave one of the two out",
        ),
        (LOCAL, {"protocol": "smb", "quota": 5}, "quota: is for a share that is made: add create: true"),
        (LOCAL, {"protocol": "smb", "vers": 4.1}, "vers: 4.1: protocol smb is 2.1, 3.0, 3.02 or 3.1.1: choose one"),
        (LOCAL, {"protocol": "nfs", "server": "s", "vers": "3.0"}, "vers: 3.0: protocol nfs is served as 4.1"),
        (LOCAL, {"protocol": "smb", "vers": 2.1, "seal": True}, "seal: true: vers 2.1 has no encryption"),
    ],
)
def test_what_the_protocol_of_the_shares_does_not_take(
    shares: dict[str, Any], given: dict[str, Any], expected: str
) -> None:
    (said,) = complaints(shares, **given)
    assert said.startswith(f"f: volumes[0].options.{expected}")


@pytest.mark.parametrize("given", [{"uid": 1, "UID": 1}, {"Seal": True, "sEAL": False}])
def test_an_option_in_two_spellings_is_refused(given: dict[str, Any]) -> None:
    first, second = given
    assert complaints(SMB, **given) == [
        f"f: volumes[0]: options.{second} is options.{first}, in another spelling: leave one out"
    ]


def test_an_exclusive_volume_has_a_connection_of_its_own() -> None:
    (said,) = complaints(SMB, exclusive=True, nosharesock=False)
    assert said.startswith(
        "f: volumes[0].options.nosharesock: false: an exclusive volume needs a connection of its own"
    )
    assert complaints(SMB, nosharesock=False) == []


@pytest.mark.parametrize("shares", [SMB | {"protocol": "nfss"}, {"kind": "azur"}])
@pytest.mark.parametrize("given", [{"nconnect": 4}, {"vers": "4.1"}])
def test_a_protocol_that_is_wrong_by_itself_decides_nothing(shares: dict[str, Any], given: dict[str, Any]) -> None:
    raw = {"host": HOST, "shares": shares, "volumes": ["logs", {"name": "config", "options": given}]}
    with pytest.raises(SettingsError) as caught:
        parse(raw, file="f")
    assert len(caught.value.lines) == 1


def test_the_protocols_of_options_are_the_plugins_own() -> None:
    assert set(VALUES) == set(DRIVER_OPTIONS)
    everywhere = ("smb", "nfs", "local")
    assert {name: KNOWN_TO.get(name, everywhere) for name in DRIVER_OPTIONS} == {
        name: option.protocols for name, option in options._OPTIONS.items()
    }


def test_what_azure_serves_is_what_the_plugin_asks_for() -> None:
    for protocol, values in SERVED.items():
        asked = options.parse("vol", {"protocol": protocol, "account": "abc"}, {}).in_force()
        assert values.items() <= asked.items()


@pytest.mark.parametrize("name", sorted(set(OPTION_FORMS) | set(OPTION_BOUNDS)))
def test_the_values_of_options_are_the_plugins_own(name: str) -> None:
    bounds = [bound + step for low_high in OPTION_BOUNDS.values() for bound in low_high for step in (-1, 0, 1)]
    words = ["true", "False", "yes", "none", "Loose", "database", "local", "3", "3.0", "4.1", "0750", "999", "7"]
    words += ["511", "416", "488", "0555", "777", "2770", "1777", "0007"]
    for value in words + [str(bound) for bound in bounds]:
        try:
            options._OPTIONS[name].parse(value)
        except ValueError:
            with pytest.raises(ValueError, match=rf"options\.{name}: '{value}': should be "):
                VolumeSettings.model_validate({"name": "vol", "options": {name: value}})
        else:
            VolumeSettings.model_validate({"name": "vol", "options": {name: value}})


def test_all_values_that_are_not_names_of_something_are_checked() -> None:
    free = {"exclusive", "folder", "remotepath", "server", "share"}
    assert set(OPTION_FORMS) | set(OPTION_BOUNDS) == set(DRIVER_OPTIONS) - free


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize(("protocol", "shares"), [("smb", SMB), ("nfs", NFS), ("local", LOCAL)])
def test_what_is_taken_here_the_plugin_takes(protocol: str, shares: dict[str, Any], exclusive: bool) -> None:
    account = {} if protocol == "local" else {"account": "abc"}
    single = [(name, value) for name, values in VALUES.items() for value in values]
    taken = 0
    for pair in itertools.combinations(single, 2):
        given = dict(pair)
        texts = {k: str(v).lower() for k, v in given.items()} | {"protocol": protocol, "exclusive": str(exclusive)}
        try:
            options.parse("vol", texts | account, {})
        except OptionError:
            assert complaints(shares, exclusive, **given), given
        else:
            taken += not complaints(shares, exclusive, **given)
    assert taken


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_is_taken_here_of_a_share_elsewhere_the_plugin_takes(exclusive: bool) -> None:
    single = [(name, value) for name, values in OF_LOCAL.items() for value in values]
    taken = 0
    for several in itertools.chain(itertools.combinations(single, 2), itertools.combinations(single, 3)):
        given = dict(several)
        if "protocol" not in given:
            continue
        texts = {k: str(v).lower() if isinstance(v, bool) else str(v) for k, v in given.items()}
        try:
            options.parse("vol", texts | {"exclusive": str(exclusive)}, {})
        except OptionError:
            assert complaints(LOCAL, exclusive, **given), given
        else:
            said = complaints(LOCAL, exclusive, **given)
            assert not said, (given, said)
            taken += 1
    assert taken


KEPT = ["con", "a/Aux", "LPT1", "com9", "clock$", "com0", "con.d", "console"]
SHORT = ["backup~a", "a/backup~Z.old", "a~1b", "backups~a", "backup~ab", "a/b~a"]
REFUSED = [
    " a", "a ", "a/ b", "a /b", "a.", ".a", "a/.b", "..", "a//b", "/a", "a/", "a\\b", "a:b", "a\tb", "a\x7fb",
    "x" * 256, "é" * 128, ".azurefile", "\u200b", "a\u00a0",
]  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "folder"),
    [(shares, folder) for shares in (SMB, NFS) for folder in REFUSED] + [(SMB, "DATABA~1"), (SMB, "a/b~2")],
)
def test_a_folder_that_the_plugin_refuses_is_refused(shares: dict[str, Any], folder: str) -> None:
    raw = {"name": "vol", "folder": folder}
    with pytest.raises(SettingsError, match=r"volumes\[0\].folder: "):
        parse({"stack": "databases", "host": HOST, "shares": shares, "volumes": [raw]}, file="f")


@pytest.mark.parametrize("folder", ["a", "a/b", "a b", "x" * 255, "é" * 127, "a~b", "b~2"])
def test_a_folder_that_is_taken_the_plugin_takes(folder: str) -> None:
    raw = {"name": "vol", "folder": folder}
    parse({"stack": "databases", "host": HOST, "shares": NFS, "volumes": [raw]}, file="f")
    options.parse("vol", {"protocol": "nfs", "account": "abc", "folder": folder}, {})


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        *((name, "Azure keeps CON, AUX and the like") for name in KEPT),
        *((name, "~1 and the like") for name in SHORT),
    ],
)
def test_a_name_that_is_no_folders_on_smb_is_what_the_plugin_takes_for_one(folder: str, said: str) -> None:
    raw = {"stack": "databases", "host": HOST, "shares": SMB, "volumes": [{"name": "vol", "folder": folder}]}
    try:
        options.parse("vol", {"protocol": "smb", "account": "abc", "folder": folder}, {})
    except OptionError:
        with pytest.raises(SettingsError, match=rf"volumes\[0\].folder: .*on SMB, {said}"):
            parse(raw, file="f")
    else:
        parse(raw, file="f")
    parse(raw | {"shares": NFS}, file="f")


def test_the_server_of_another_image_may_be_another_user() -> None:
    volume = {"name": "dbs", "options": {"uid": 1001}}
    raw = {"stack": "databases", "host": HOST, "shares": SMB, "volumes": [volume], "databases": [MYDB]}
    parse(raw | {"images": {"mysql": "percona:8.4"}}, file="f")
    with pytest.raises(SettingsError):
        parse(raw, file="f")


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ({}, {"protocol": "smb", "server": "a"}, True),
        ({"protocol": "smb", "Server": "a"}, {"protocol": "smb", "server": "b"}, True),
        ({"protocol": "smb", "server": "a"}, {"protocol": "NFS", "server": "A"}, False),
        # it may be that account's server
        ({"protocol": "smb", "server": "a"}, {"protocol": "smb", "account": "a"}, False),
        ({}, {"protocol": "local"}, False),
    ],
)
def test_one_folder_is_for_one_database_and_another_servers_is_another(
    one: dict[str, Any], other: dict[str, Any], apart: bool
) -> None:
    volumes = [{"name": name, "share": "data", "options": given} for name, given in (("one", one), ("other", other))]
    raw = {"stack": "databases", "volumes": volumes, "databases": [MYDB | {"volume": "one"}]}
    try:
        parse(raw, file="f")
        said = ""
    except SettingsError as error:
        (said,) = error.lines
    assert ("maps the same folder of share data" in said) is not apart
