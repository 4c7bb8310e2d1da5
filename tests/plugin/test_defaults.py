"""What the plugin's DEFAULTS give a volume, and in which words they are refused."""

import dataclasses

import pytest

from azurefile import options
from azurefile.errors import OptionError

LOCAL = {"protocol": "local"}
KEY = "hunter2" * 12 + "=="
WITHHELD = '"…" (not repeated, since it may be a key)'


def test_defaults_count_only_without_a_protocol() -> None:
    defaults = options.parse_defaults("protocol=local, uid=5")
    assert options.parse("logs", {}, defaults).uid == 5
    assert options.parse("logs", {"uid": "6"}, defaults).uid == 6
    assert options.parse("logs", {"protocol": "smb"}, defaults).uid is None
    assert options.parse("logs", {}, {}).protocol == "smb"


OLD = "protocol=smb,create=true,filemode=0777,dirmode=0777"
DATABASE = {"for": "database"}


@pytest.mark.parametrize(
    ("defaults", "given_options", "expected"),
    [
        (OLD, DATABASE, {"filemode": 0o640, "dirmode": 0o750, "create": True}),
        (OLD, DATABASE | {"filemode": "0600"}, {"filemode": 0o600, "dirmode": 0o750}),
        (OLD, {}, {"filemode": 0o777, "cache": "strict"}),
        (OLD + ",seal=false,actimeo=9", DATABASE, {"seal": False, "actimeo": 1}),
        (OLD + ",actimeo=9", {}, {"actimeo": 9}),
        (OLD + ",actimeo=9", {"for": "files"}, {"actimeo": 30}),
        (OLD + ",nolock=false", DATABASE | {"exclusive": "true"}, {"nolock": None, "nobrl": True}),
        (OLD + ",nolock=false,exclusive=true", DATABASE, {"nolock": None, "nobrl": True}),
        (OLD + ",nolock=false", DATABASE, {"nolock": False, "nobrl": None}),
        (OLD + ",for=database", {}, {"filemode": 0o777, "uid": 999, "cache": "none"}),
        (OLD + ",for=database,uid=7", {"for": "files"}, {"filemode": 0o777, "uid": 7, "cache": "strict"}),
        ("protocol=nfs,server=x,uid=7,nconnect=8", DATABASE, {"uid": 999, "nconnect": 4}),
    ],
)
def test_a_volumes_own_preset_comes_before_defaults_and_theirs_after(
    defaults: str, given_options: dict[str, str], expected: dict[str, object]
) -> None:
    parsed = dataclasses.asdict(options.parse("dbs", given_options, options.parse_defaults(defaults)))
    assert {k: parsed[k] for k in expected} == expected


@pytest.mark.parametrize(
    ("defaults", "given_options", "expected"),
    [
        ("nolock=true", {"nobrl": "false"}, {"nolock": None, "nobrl": False}),
        ("nobrl=true", {"nolock": "false"}, {"nolock": False, "nobrl": None}),
        ("create=true,quota=100", {"create": "false"}, {"create": False, "quota": None}),
        ("create=true,quota=100", {}, {"create": True, "quota": 100}),
        ("create=true", {"quota": "5"}, {"create": True, "quota": 5}),
    ],
)
def test_a_setting_of_a_volume_replaces_a_default_of_its_other_name_and_what_only_goes_with_it(
    defaults: str, given_options: dict[str, str], expected: dict[str, object]
) -> None:
    found = options.parse("dbs", given_options, options.parse_defaults("protocol=smb," + defaults))
    assert {k: v for k, v in dataclasses.asdict(found).items() if k in expected} == expected


@pytest.mark.parametrize("text", ["protocol=NFS", "Protocol=nfs", "PROTOCOL=Nfs,SHARE=logs,Server=other"])
def test_defaults_may_be_in_any_case(text: str) -> None:
    parsed = options.parse("logs", {"server": "files.example"}, options.parse_defaults(text))
    assert (parsed.protocol, parsed.share, parsed.server) == ("nfs", "logs", "files.example")


@pytest.mark.parametrize(
    ("defaults", "given_options", "expected"),
    [
        (
            "protocol=local",
            {"account": "acc"},
            'option "account" belongs to protocol smb or nfs, but the volume\'s protocol is local; protocol local '
            "comes from the plugin's DEFAULTS: add protocol=smb or protocol=nfs",
        ),
        (
            "protocol=smb,nosharesock=false",
            {"exclusive": ""},
            "; nosharesock false comes from the plugin's DEFAULTS: add nosharesock=true",
        ),
        (
            "protocol=smb,vers=2.1",
            {"seal": "true"},
            "; vers 2.1 comes from the plugin's DEFAULTS: add vers=3.1.1",
        ),
        ("protocol=smb,seal=true", {"vers": "2.1"}, "; seal true comes from the plugin's DEFAULTS: add seal=false"),
        (
            "protocol=smb,exclusive=true",
            {"nosharesock": "false"},
            "; exclusive true comes from the plugin's DEFAULTS: add exclusive=false",
        ),
        (
            "protocol=nfs",
            {"vers": "3.0"},
            "for protocol nfs it must be 4.1; protocol nfs comes from the plugin's DEFAULTS: add protocol=smb",
        ),
        (
            "protocol=smb,account=acc",
            {"server": "other.file.core.windows.net"},
            "; account acc comes from the plugin's DEFAULTS: add account=other",
        ),
        (
            "protocol=smb,server=acc.file.core.windows.net",
            {"account": "other"},
            "; server acc.file.core.windows.net comes from the plugin's DEFAULTS: add that account's own server=…",
        ),
        (
            "uid=5",
            {"nconnect": "4"},
            "; protocol smb is meant where neither the volume nor the plugin's DEFAULTS names one: add protocol=nfs",
        ),
    ],
)
def test_what_only_the_defaults_say_is_named_as_theirs(
    defaults: str, given_options: dict[str, str], expected: str
) -> None:
    with pytest.raises(OptionError) as caught:
        options.parse("dbs", given_options, options.parse_defaults(defaults))
    assert str(caught.value).endswith(expected)


def test_what_a_volume_says_itself_is_not_blamed_on_the_defaults() -> None:
    defaults = options.parse_defaults("protocol=smb,vers=2.1")
    with pytest.raises(OptionError, match=r"leave one of the two out$"):
        options.parse("dbs", {"vers": "2.1", "seal": "true"}, defaults)
    with pytest.raises(OptionError, match=r"leave one of the two out$"):
        options.parse("dbs", LOCAL | {"account": "acc"}, defaults)


def test_defaults_of_nfs_need_no_server_which_each_volume_names() -> None:
    defaults = options.parse_defaults("protocol=nfs, nconnect=8")
    parsed = options.parse("logs", {"server": "files.example"}, defaults)
    assert (parsed.protocol, parsed.server, parsed.nconnect) == ("nfs", "files.example", 8)
    with pytest.raises(OptionError, match='"server" is missing'):
        options.parse("logs", {}, defaults)


def test_a_given_folder_replaces_a_default_one_under_either_name() -> None:
    defaults = options.parse_defaults("protocol=local,folder=a")
    assert options.parse("logs", {"remotepath": "b"}, defaults).folder == "b"
    assert options.parse("logs", {"remotepath": "/"}, defaults).folder == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("protocol=lokal", 'option "protocol" is "lokal"; it must be one of smb, nfs, local'),
        ("nonsense", 'option "nonsense" is not recognised'),
        ("protocol=local,seal=true", 'option "seal" belongs to protocol smb'),
        ("protocol=smb,protocol=local", 'option "protocol" is given twice'),
        ("protocol=local,UID=5,uid=5", 'option "uid" is given twice'),
        (f"protocol=smb,{KEY}", f"option {WITHHELD} is not recognised"),
        (f"{KEY},{KEY}", f"option {WITHHELD} is given twice"),
    ],
)
def test_bad_defaults_are_refused_with_the_way_to_set_them(text: str, words: str) -> None:
    with pytest.raises(OptionError) as caught:
        options.parse_defaults(text)
    assert str(caught.value).startswith(f"the plugin's setting DEFAULTS is not usable: {words}")
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith(
        "; set it right: docker plugin disable -f PLUGIN, docker plugin set PLUGIN DEFAULTS=…, and docker plugin "
        "enable --timeout 120 PLUGIN"
    )
