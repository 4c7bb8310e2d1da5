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
