"""The vocabulary of options: what is accepted, what is refused and in which words."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azurefile import options
from azurefile.errors import OptionError
from azurefile.options import Options

LOCAL = {"protocol": "local"}
SMB = {"protocol": "smb"}
NFS = {"protocol": "nfs"}

GOOD = [
    ({"share": "logs"}, {"share": "logs", "protocol": "local"}),
    ({}, {"share": "dbs"}),
    ({"share": "a-1", "remotepath": "/x/y/"}, {"folder": "x/y"}),
    ({"remotepath": "/"}, {"folder": ""}),
    (SMB | {"remotepath": "//"}, {"folder": ""}),
    ({"folder": "x/y", "remotepath": "x/y"}, {"folder": "x/y"}),
    ({"folder": "größe/日本"}, {"folder": "größe/日本"}),
    ({"folder": "a~1"}, {"folder": "a~1"}),
    (SMB | {"folder": "a~b/~"}, {"folder": "a~b/~"}),
    (SMB | {"folder": "con.d/com10/lpt/x-aux"}, {"folder": "con.d/com10/lpt/x-aux"}),
    (SMB | {"folder": "/".join("x" * 250)}, {"folder": "/".join("x" * 250)}),
    ({"folder": "aux"}, {"folder": "aux"}),
    (NFS | {"server": "x", "folder": "aux"}, {"folder": "aux"}),
    ({"filemode": "0640", "dirmode": "750"}, {"filemode": 0o640, "dirmode": 0o750}),
    ({"filemode": "777", "dirmode": "0555"}, {"filemode": 0o777, "dirmode": 0o555}),
    ({"filemode": "0007", "dirmode": "2770"}, {"filemode": 0o007, "dirmode": 0o2770}),
    ({"uid": "0", "gid": "4294967294"}, {"uid": 0, "gid": 2**32 - 2}),
    ({"nolock": "true"}, {"nolock": True}),
    ({"exclusive": ""}, {"exclusive": True}),
    ({"exclusive": "False"}, {"exclusive": False}),
    ({"create": "false"}, {"create": False}),
    ({"for": "database"}, {"purpose": "database", "uid": 999, "gid": 999, "dirmode": 0o750}),
    ({"for": "database", "uid": "7"}, {"uid": 7, "gid": 999}),
    (SMB | {"vers": "3.1.1", "seal": "true", "cache": "none", "port": "445"}, {"vers": "3.1.1"}),
    (SMB | {"nolock": "true", "nobrl": "true", "mfsymlinks": "true"}, {"nobrl": True}),
    (SMB | {"server": "x.file.core.windows.net", "account": "abc123"}, {"account": "abc123"}),
    (NFS | {"vers": "4.1", "nconnect": "4", "actimeo": "30", "server": "::1"}, {"nconnect": 4}),
    (SMB | {"server": "10.0.2.2"}, {"server": "10.0.2.2"}),
    (SMB | {"server": "files-1.2b.Example"}, {"server": "files-1.2b.Example"}),
    (SMB | {"server": "a" * 63}, {"server": "a" * 63}),
    (SMB | {"server": "0xfiles"}, {"server": "0xfiles"}),
    (SMB | {"server": "0x7f.example"}, {"server": "0x7f.example"}),
    (NFS | {"server": "2001:db8::1"}, {"server": "2001:db8::1"}),
    (NFS | {"server": "::ffff:10.0.0.1"}, {"server": "::ffff:10.0.0.1"}),
    (NFS | {"server": "acc.file.core.windows.net"}, {"account": "acc"}),
    (NFS | {"server": "acc.privatelink.File.core.Windows.net"}, {"account": "acc"}),
    (NFS | {"server": "acc.z1.file.storage.azure.net"}, {"account": "acc"}),
    (NFS | {"server": "acc.file.core.usgovcloudapi.net", "account": "acc"}, {"account": "acc"}),
    (SMB | {"server": "acc.privatelink.file.core.windows.net", "account": "Acc"}, {"account": "Acc"}),
    (SMB | {"server": "files.example", "account": "other"}, {"account": "other"}),
    (NFS | {"server": "file.core.windows.net"}, {"account": None}),
    (SMB | {"server": "acc.file.core.windows.net"}, {"account": None}),
    (NFS | {"filemode": "0777", "nolock": "true", "account": "abc"}, {"protocol": "nfs", "nconnect": 4}),
    (SMB, {"vers": "3.1.1", "seal": True, "cache": "strict", "actimeo": 30, "mfsymlinks": True, "nosharesock": None}),
    (SMB | {"vers": "2.1"}, {"seal": False}),
    (SMB | {"exclusive": "true"}, {"nosharesock": True, "nobrl": None, "cache": "none", "actimeo": 30}),
    (SMB | {"exclusive": "true", "cache": "strict"}, {"cache": "strict"}),
    (SMB | {"nosharesock": "false"}, {"nosharesock": False}),
    (SMB | {"exclusive": "false", "nosharesock": "false", "for": "database"}, {"nosharesock": False}),
    (SMB | {"exclusive": "true", "for": "database"}, {"nosharesock": True, "nobrl": True}),
    (SMB | {"exclusive": "true", "for": "database", "nobrl": "false"}, {"nobrl": False}),
    (SMB | {"exclusive": "true", "for": "database", "nolock": "false"}, {"nolock": False, "nobrl": None}),
    (SMB | {"for": "database"}, {"cache": "none", "actimeo": 1, "nosharesock": True, "uid": 999, "nobrl": None}),
    (SMB | {"for": "database", "cache": "strict", "nobrl": "true"}, {"cache": "strict", "nobrl": True}),
    (SMB | {"create": "true", "quota": "100"}, {"create": True, "quota": 100}),
    (NFS | {"server": "x", "create": "false"}, {"create": False}),
    (NFS | {"server": "x", "for": "database"}, {"vers": "4.1", "nconnect": 4, "uid": 999, "actimeo": None}),
]

# What may be one: too long for a name, with a character that none has, also where it sounds like a secret's name.
KEYS = ["hunter2" * 12, "hunter2==", "/hunter2", "hunter2+", "hunter2+sas", "hunter2key" * 9]
WITHHELD = '"…" (not repeated, since it may be a key)'

BAD = [
    ({"sharename": "x"}, 'option "sharename" is not recognised; did you mean "share"?'),
    ({"zzzzzzz": "x"}, 'option "zzzzzzz" is not recognised; The options are account,'),
    ({"x" * 70000: "x"}, "is not recognised"),
    ({"share": "x", "Share": "x"}, "given twice"),
    ({"accountkey": "hunter2"}, '"accountkey" is a secret'),
    ({"Password": "hunter2"}, 'option "Password" is a secret'),
    *[
        ({name: "hunter2"}, f'option "{name}" is a secret, which docker inspect would show to everybody')
        for name in (
            "account_key",
            "accesskey",
            "access_key",
            "AZURE_STORAGE_KEY",
            "sas_token",
            "sasurl",
            "credential",
            "credentials",
            "cred",
            "pass",
            "PASSWD",
            "pw",
            "pwd",
            "client_secret",
            "token",
        )
    ],
    ({"key:hunter2": "="}, 'option "key" is a secret'),
    ({"user": "x"}, 'did you mean "account"?'),
    ({"UserName": "x"}, 'did you mean "account"?'),
    *[(SMB | {"account": key}, f'option "account" is {WITHHELD}; it must be') for key in KEYS],
    *[({key: "="}, f"option {WITHHELD} is not recognised; put the account's key into the") for key in KEYS],
    *[(NFS | {key: "="}, f"option {WITHHELD} is not recognised; protocol nfs needs none") for key in KEYS],
    *[
        (SMB | {name: "hunter2+"}, f'option "{name}" is {WITHHELD}; ')
        for name in ("share", "cache", "vers", "uid", "exclusive", "dirmode")
    ],
    *[
        (SMB | {name: f"/{'hunter2' * 12}//=="}, f'option "{name}" is {WITHHELD}; ')
        for name in ("server", "folder", "remotepath")
    ],
    ({"protocol": "hunter2" * 12}, f'option "protocol" is {WITHHELD}; it must be one of'),
    (SMB | {"server": "x,password=hunter2"}, f'option "server" is {WITHHELD}; it must be a host name'),
    (SMB | {"server": "smb://bob:hunter2@nas/dbs"}, f'option "server" is {WITHHELD}; it must be a host name'),
    (SMB | {"share": "//bob:hunter2@nas/dbs"}, f'option "share" is {WITHHELD}; it must be 3 to 63'),
    (SMB | {"account": "bob%hunter2"}, f'option "account" is {WITHHELD}; it must be an account'),
    (SMB | {"server": "//nas/share"}, 'option "server" is "//nas/share"; '),
    ({"folder": "/mysql"}, 'option "folder" is "/mysql"; '),
    (SMB | {"account": "a" * 65}, "an account of at most 64 characters: "),
    (SMB | {"account": "a b"}, 'option "account" is "a b"; it must be an account of at most 64 characters: '),
    ({"folder": "a\0\u200b\U000e0001"}, 'option "folder" is "a\\u0000\\u200b\\U000e0001"'),
    (SMB | {"vers": "3"}, 'option "vers" is "3"; for protocol smb it must be 2.1, 3.0, 3.02 or 3.1.1'),
    (NFS | {"vers": "4"}, 'option "vers" is "4"; for protocol nfs it must be 4.1'),
    (SMB | {"quota": "5G", "create": "true"}, "a whole number of GiB from 1 to 262144"),
    (SMB | {"actimeo": "1m"}, "a whole number of seconds from 0 to 86400"),
    ({"share": "ab"}, "3 to 63"),
    ({"share": "a" * 64}, "3 to 63"),
    ({"share": "Logs"}, "lowercase"),
    ({"share": "a--b"}, "single hyphens"),
    ({"share": "-ab"}, "beginning"),
    ({"share": "abc\n"}, "lowercase"),
    ({"share": "../x"}, "lowercase"),
    ({"server": ""}, 'option "server" is ""'),
    ({"folder": "/x"}, "relative path"),
    ({"folder": ""}, "relative path"),
    ({"folder": "x//y"}, "relative path"),
    ({"folder": "a/../b"}, '".."'),
    ({"folder": "."}, '".."'),
    ({"folder": "a\0b"}, "control characters"),
    ({"folder": "a\nb"}, "control characters"),
    ({"folder": "a\\b"}, "relative path"),
    ({"folder": "\ud800"}, "control characters"),
    ({"folder": "a./b"}, "dot"),
    ({"folder": " a"}, "space"),
    ({"folder": "a" * 256}, "255 bytes"),
    ({"folder": "/".join(["abcdefgh"] * 200)}, "1024 bytes"),
    ({"folder": ".azurefile/x"}, "fence"),
    ({"remotepath": "../x"}, "relative path"),
    ({"remotepath": "/./"}, "relative path"),
    ({"folder": "x", "remotepath": "y"}, "two names of one"),
    ({"folder": "x", "remotepath": "/"}, "two names of one"),
    ({"filemode": "0999"}, "octal"),
    ({"dirmode": "rwx"}, "octal"),
    ({"dirmode": "07777777"}, "octal"),
    *[({"dirmode": str(mode)}, "YAML makes another number") for mode in (0o777, 0o750, 0o640, 0o755, 0o600, 0o2770)],
    ({"filemode": "555"}, 'write it in quotes, as "0750"'),
    ({"uid": "-1"}, "whole number from 0"),
    ({"gid": "4294967295"}, "whole number"),
    ({"uid": "9" * 5000}, "whole number"),
    ({"uid": "٣"}, "whole number"),
    ({"nolock": "maybe"}, "true or false"),
    ({"exclusive": "1"}, "true or false"),
    ({"for": "databse"}, "files, database"),
    ({"protocol": "cifs"}, "smb, nfs, local"),
    (LOCAL | {"mfsymlinks": "true"}, "but the volume's protocol is local; leave one of the two out"),
    ({"mfsymlinks": "true"}, "belongs to protocol smb, but the volume's protocol is local"),
    ({"server": "x"}, "belongs to protocol smb or nfs"),
    ({"nconnect": "4"}, "belongs to protocol nfs"),
    (NFS | {"nobrl": "true"}, "belongs to protocol smb"),
    (NFS | {"seal": "true"}, "belongs to protocol smb"),
    (NFS | {"vers": "3.0"}, "must be 4.1"),
    (NFS | {"nconnect": "17"}, "from 1 to 16"),
    (NFS | {"key": "hunter2"}, "protocol nfs needs none: leave it out"),
    (SMB | {"key": "hunter2"}, "put the account's key into the credentials file on the host"),
    (NFS, 'option "server" is missing, and "account" too'),
    (NFS | {"server": "x", "quota": "5"}, "belongs to protocol smb"),
    (SMB | {"seal": "true", "vers": "2.1"}, "vers=2.1 has no encryption"),
    (SMB | {"exclusive": "true", "nosharesock": "false"}, "needs a connection of its own"),
    (SMB | {"quota": "5"}, "add create=true"),
    (SMB | {"create": "true", "quota": "0"}, "from 1 to 262144"),
    (SMB | {"folder": ".AzureFile"}, "fence"),
    (SMB | {"folder": "a/AZUREF~1"}, "short for another folder's name"),
    (SMB | {"folder": "MGUKR2~E"}, "short for another folder's name"),
    (SMB | {"folder": "a/MGUKR2~Z.SQL"}, "short for another folder's name"),
    (SMB | {"remotepath": "/DATABA~2.DIR"}, "short for another folder's name"),
    *[
        (SMB | {"folder": f"a/{name}/b"}, f'a path without "{name}", which is a reserved name in Azure')
        for name in ("LPT1", "lpt9", "COM1", "Com9", "PRN", "aux", "Nul", "CON", "clock$")
    ],
    (SMB | {"remotepath": "/con"}, 'a path without "con", which is a reserved name'),
    (SMB | {"folder": "/".join("x" * 251)}, "a path of at most 250 parts"),
    (SMB | {"vers": "4.1"}, "2.1, 3.0"),
    (SMB | {"vers": "1.0"}, "must be 2.1, 3.0, 3.02 or 3.1.1"),
    ({"vers": "1.0"}, "one of 2.1, 3.0, 3.02, 3.1.1, 4.1"),
    (SMB | {"port": "0"}, "from 1 to 65535"),
    (SMB | {"port": "445x"}, "whole number"),
    (SMB | {"cache": "fast"}, "none, strict, loose"),
    (SMB | {"actimeo": "-1"}, "whole number"),
    (SMB | {"server": "a b"}, "host name"),
    (SMB | {"server": "x,password=y"}, "host name"),
    (SMB | {"server": "a..b"}, "host name"),
    (SMB | {"server": "a.b."}, "host name"),
    (SMB | {"server": "a.-b"}, "host name"),
    (SMB | {"server": "a-.b"}, "host name"),
    (SMB | {"server": "a_b"}, "host name"),
    (SMB | {"server": "a" * 64}, "host name"),
    (SMB | {"server": ".".join(["a" * 62] * 5)}, "host name"),
    (SMB | {"server": ":" * 250_000}, "host name"),
    (SMB | {"server": "files:445"}, "an IP address without a port, which is option port"),
    (SMB | {"server": "10.0.0.1:445"}, "an IP address without a port, which is option port"),
    (SMB | {"server": "[::1]:445"}, "an IP address without a port, which is option port"),
    (SMB | {"server": "[::1]"}, "an IP address without brackets"),
    (SMB | {"server": "https://acc.file.core.windows.net"}, "an IP address without a scheme, a path or a share's name"),
    (SMB | {"server": "//nas/share"}, "an IP address without a scheme, a path or a share's name"),
    (SMB | {"server": "\\\\nas\\share"}, "an IP address without a scheme, a path or a share's name"),
    (SMB | {"server": "nas:/data"}, "an IP address without a scheme, a path or a share's name"),
    (SMB | {"server": "fe80::1%eth0"}, "an IP address that means the same on every host: without %eth0 and the like"),
    (SMB | {"server": "fe80::1%a\nb"}, "an IP address that means the same on every host: without %eth0 and the like"),
    (SMB | {"server": "files.example."}, "an IP address without a dot at its end"),
    (SMB | {"server": "a" * 64 + ".example"}, "an IP address, with at most 63 characters between two dots"),
    (SMB | {"server": "0x7f000001"}, "host name"),
    (SMB | {"server": "127.0.0.0x1"}, "host name"),
    (SMB | {"server": "127.0.0.0X"}, "host name"),
    (SMB | {"server": "0.0.0.0"}, "an IP address of one server"),
    (NFS | {"server": "::"}, "an IP address of one server"),
    (SMB | {"server": "10.0.0.256"}, "an IP address"),
    (SMB | {"server": "10.0.0"}, "an IP address"),
    (
        NFS | {"server": "x", "create": "true"},
        'option "create" is true, but an NFS share can only be made on its server',
    ),
    (NFS | {"server": ":::::"}, "an IP address"),
    (NFS | {"server": "fe80::1%eth0"}, "an IP address"),
    (NFS | {"server": "[::1]"}, "an IP address"),
    (SMB | {"account": "a.bak"}, 'option "account" is "a.bak"'),
    (NFS | {"account": "AB"}, "storage account"),
    (SMB | {"nolock": "true", "nobrl": "false"}, "two names of one"),
    *[
        (
            protocol | {"server": "foo.privatelink.File.core.windows.net", "account": "bar"},
            'option "server" is "foo.privatelink.File.core.windows.net", which is account foo\'s, but option '
            '"account" is "bar"; leave one of the two out',
        )
        for protocol in (SMB, NFS)
    ],
]


@pytest.mark.parametrize(("given_options", "expected"), GOOD)
def test_good_options_are_understood(given_options: dict[str, str], expected: dict[str, object]) -> None:
    parsed = dataclasses.asdict(options.parse("dbs", given_options, LOCAL))
    assert {k: parsed[k] for k in expected} == expected


def test_names_and_choices_are_case_insensitive() -> None:
    parsed = options.parse("db", {"SHARE": "logs", "Protocol": "SMB"}, {})
    assert (parsed.share, parsed.protocol) == ("logs", "smb")


@pytest.mark.parametrize(("given_options", "words"), BAD)
def test_bad_options_are_refused_by_name(given_options: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        options.parse("db", given_options, LOCAL)
    message = str(caught.value)
    assert words in message
    assert message.startswith('volume "db": option')
    assert "\n" not in message
    assert len(message) < 600
    assert "hunter2" not in message


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a\0", "é", "a" * 129, "a b", "a\n"])
def test_bad_volume_names_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match="a name is"):
        options.parse(name, {"share": "abc"}, LOCAL)


def test_share_defaults_to_the_volume_name_if_it_can() -> None:
    assert options.parse("logs", {}, LOCAL).share == "logs"
    with pytest.raises(OptionError, match='"share" is missing'):
        options.parse("My_Logs", {}, LOCAL)


def test_what_0_5_1_took_without_a_value_counts_as_not_given() -> None:
    given = dict.fromkeys(("share", "remotepath", "uid", "gid", "filemode", "dirmode"), "")
    assert options.parse("logs", given, LOCAL) == options.parse("logs", {}, LOCAL)


def test_on_smb_an_account_is_whatever_a_credentials_file_may_be_called() -> None:
    assert options.parse("logs", SMB | {"account": "svc_Backup-1"}, {}).account == "svc_Backup-1"


def test_options_in_force_are_written_as_users_write_them() -> None:
    shown = options.parse("logs", {"for": "database", "exclusive": ""}, LOCAL).in_force()
    assert shown == {
        "protocol": "local",
        "share": "logs",
        "dirmode": "0750",
        "uid": "999",
        "gid": "999",
        "exclusive": "true",
        "for": "database",
    }


@settings(deadline=None)
@given(
    st.sampled_from([{}, SMB, NFS | {"server": "x"}]),
    st.dictionaries(
        st.sampled_from(sorted(options._OPTIONS)),
        st.text() | st.sampled_from(["true", "false", "4", "4.1", "2.1", "none", "database", "10.0.0.1", "smb", "nfs"]),
        max_size=4,
    ),
)
def test_any_text_is_understood_or_refused_in_one_line(protocol: dict[str, str], texts: dict[str, str]) -> None:
    message = ""
    try:
        parsed = options.parse("db", protocol | texts, LOCAL)
    except OptionError as error:
        message = str(error)
    else:
        assert isinstance(parsed, Options)
        assert ".." not in parsed.folder.split("/")
    assert "\n" not in message
