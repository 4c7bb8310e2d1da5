"""What requests are made of: good and bad names, options, IDs and JSON. `@CANARY@` becomes a path."""

from hypothesis import strategies as st

CANARY = "@CANARY@"
SECRET = "canary-3f9c"
LONG = "x" * 65536

GOOD_NAMES = ["one", "two", "three", "One", "one.json", "one.lock", "4-4_4.4", "n" * 128]
BAD_NAMES = [
    "", ".", "..", "../one", "../../etc/passwd", "one/", "/one", "one/../two", CANARY, f"../../{CANARY}", "one\0",
    "one\n", "\none", ".one", "-one", "ünï", "\u202eone", "\ud800", "one two", "%2e%2e", "n" * 129, LONG, "🐳",
    "o\u200dne",
]  # fmt: skip
SHARES = ["dbs", "logs", "a-1"]
FOLDERS = ["x", "x/y", "x/y/z", "z", "ü/日本", "a b", "é" * 127, "$(id)", "%2e%2e", "-rf", "🐳", "..a"]

_BOOLEAN = st.sampled_from(["true", "false", "", "True"])
_FOLDER = st.sampled_from(FOLDERS)
OPTIONS = st.builds(
    lambda options, spell: {k.title() if spell else k: v for k, v in options.items()},
    st.fixed_dictionaries(
        {"share": st.sampled_from(SHARES)},
        optional={
            "folder": _FOLDER,
            "exclusive": _BOOLEAN,
            "create": _BOOLEAN,
            "for": st.sampled_from(["files", "database"]),
            "dirmode": st.sampled_from(["0700", "755", "2770"]),
            "uid": st.sampled_from(["0", "7", "4294967294"]),
        },
    ),
    st.booleans(),
)
# Options that volumes rarely have; some of them contradict each other.
RARE_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "share": st.sampled_from(SHARES),
        "Share": st.sampled_from(SHARES),
        "folder": _FOLDER,
        "remotepath": _FOLDER | _FOLDER.map(lambda folder: f"/{folder}/"),
        "protocol": st.just("local"),
        "gid": st.sampled_from(["0", "007"]),
        "filemode": st.just("0640"),
        "nolock": _BOOLEAN,
        "exclusive": _BOOLEAN,
    },
)
# Accepted on every share of another machine, if they don't contradict each other.
_REMOTE = {
    "folder": _FOLDER | st.sampled_from(["DATABA~1", "x/Con"]),
    "exclusive": _BOOLEAN,
    "for": st.sampled_from(["files", "database"]),
    "actimeo": st.sampled_from(["0", "1", "30", "86400"]),
    "uid": st.sampled_from(["0", "999"]),
    "filemode": st.just("0640"),
    "nolock": _BOOLEAN,
}
_SMB = st.fixed_dictionaries(
    {"protocol": st.just("smb"), "share": st.sampled_from(SHARES)},
    optional=_REMOTE
    | {
        "server": st.sampled_from(["files.example", "192.0.2.1", "2001:db8::1"]),
        "port": st.sampled_from(["445", "1", "65535"]),
        "account": st.sampled_from(["acc", "svc_Backup-1"]),
        "vers": st.sampled_from(["2.1", "3.0", "3.02", "3.1.1"]),
        "cache": st.sampled_from(["none", "strict", "loose"]),
        "seal": _BOOLEAN,
        "mfsymlinks": _BOOLEAN,
        "nosharesock": _BOOLEAN,
        "nobrl": _BOOLEAN,
        "create": st.just("true"),
        "quota": st.sampled_from(["1", "5", "262144"]),
    },
)
# A Remove asks the server: port 1 of this machine answers at once, that nobody is there.
_NFS = st.fixed_dictionaries(
    {
        "protocol": st.just("nfs"),
        "share": st.sampled_from(SHARES),
        "server": st.sampled_from(["127.0.0.1", "localhost"]),
        "port": st.just("1"),
    },
    optional=_REMOTE
    | {
        "account": st.sampled_from(["acc", "AB"]),
        "vers": st.just("4.1"),
        "nconnect": st.sampled_from(["1", "4", "16"]),
        "create": _BOOLEAN,
    },
)
# What belongs to one of the two protocols only.
_FOREIGN = st.sampled_from([("nconnect", "4"), ("vers", "4.1"), ("vers", "3.0"), ("seal", "true"), ("quota", "5")])
REMOTE_OPTIONS = (
    _SMB
    | _NFS
    | st.builds(lambda options, foreign: options | dict([foreign]), _SMB | _NFS, _FOREIGN)
    | st.just({"protocol": "nfs", "share": "dbs"})
)
BAD_REMOTE_OPTIONS = st.sampled_from(
    [("server", value) for value in (
        "", "nas/share", "\\\\nas\\share", "nas:445", "[::1]", "0.0.0.0", "10.0.0.256", "a..b", "ünï", "a\0b", LONG,
    )]
    + [("port", value) for value in ("", "0", "65536", "-1", "smb", "٣", LONG)]
    + [("account", value) for value in ("", "a.b", "../acc", "a" * 65, CANARY, f"{SECRET}==", "acc\n")]
    + [("vers", value) for value in ("", "1.0", "3", "4.0", "4.2", "default", LONG)]
    + [("cache", value) for value in ("", "yes", "none,x", LONG)]
    + [("seal", value) for value in ("1", "yes")]
    + [("nconnect", value) for value in ("", "0", "17", "4.0")]
    + [("actimeo", value) for value in ("", "-1", "86401", "30s")]
    + [("quota", value) for value in ("", "0", "262145", "5G")]
    + [("protocol", value) for value in ("", "cifs", "smb\n", "smb,nfs")]
    + [("password", SECRET), ("AccountKey", SECRET), ("credentials", CANARY)]
)  # fmt: skip
BAD_OPTIONS = st.sampled_from(
    [("folder", value) for value in (
        "", ".", "..", "../x", "x/../../y", "/etc", CANARY, f"../../../{CANARY}", "../../../canary/planted", "a//b",
        "a/", "a/./b", "a\0b", "a\nb", "a\u2028b", "\u202ea", "\ud800", "a:b", "a\\..\\b", "a ", " a", "a.", "a/...",
        ".azurefile", ".AzureFile/x", "é" * 128, "x/" * 600 + "x", LONG, "a\x7f", "a*",
    )]
    + [("remotepath", value) for value in ("..", "../..", "//x//y", "/../x", LONG)]
    + [("share", value) for value in (
        "..", "../shares", "ab", "Abc", "x" * 64, "a--b", "-ab", "ab-", "a/b", "dbs\n", "dbs\0", "ünï", CANARY,
        LONG,
    )]
    + [("uid", value) for value in ("-1", "4294967295", "1e3", "٣", " 1", "0x1", "9" * 65536)]
    + [("dirmode", value) for value in ("888", "77777", "0o755", "u+x")]
    + [("exclusive", value) for value in ("maybe", "1", "yes", "true\n", LONG)]
    + [("for", "fun"), ("protocol", "ftp"), ("protocol", "nfs"), ("protocol", "../local"), ("quota", "5")]
    + [("server", "10.0.0.1"), ("port", "445"), ("account", "acc"), ("cache", "none"), ("vers", "3.1.1")]
    + [("accountkey", SECRET), ("Password", SECRET), ("sas", SECRET)]
    + [(key, "x") for key in ("", "shares", "ünï", "a\nb", "\0", "__class__", "volume", "self", LONG, "\ud800", CANARY)]
)  # fmt: skip

NAMES = st.sampled_from(GOOD_NAMES[:3]) | st.sampled_from(GOOD_NAMES)
ANY_NAMES = NAMES | NAMES | st.sampled_from(BAD_NAMES)
IDS = st.sampled_from(["a", "b", "c"]) | st.sampled_from(["", LONG, "\ud800", "a\nb", "../../x", "🐳", "\0"])
CALLS = st.sampled_from(["Create", "Get", "Path", "List", "Mount", "Unmount", "Remove", "Capabilities", "Nothing"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
# No name below begins with `X`, so that nothing of the model is hit.
STRANGE_BODIES = st.fixed_dictionaries(
    {"Name": st.text(max_size=8).map(lambda text: f"X{text}") | JSON.filter(lambda v: not isinstance(v, str))},
    optional={"ID": JSON, "Opts": JSON, "opts": JSON, "Extra": JSON},
)
CONTENT_TYPES = [
    "",
    "application/json",
    "text/html",
    "multipart/form-data; boundary=x",
    "application/x-tar",
    "\xff",
    LONG[:9000],
]
