"""What nfs-ganesha's own log says about who wrote when."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

# a format of its own: the default has whole seconds
SETTINGS = """
    Components { NFS_V4 = FULL_DEBUG; NFS_V4_LOCK = FULL_DEBUG; CLIENTID = FULL_DEBUG; }
    Format {
        date_format = ISO; time_format = syslog_usec;
        EPOCH = false; HOSTNAME = false; PROGNAME = false; PID = false;
        FUNCTION_NAME = false; FILE_NAME = false; LINE_NUM = false;
    }
"""
_LINE = re.compile(r"(?P<time>\S+ T\S+) \[(?P<thread>[^]]+)\] (?P<text>.*)")
# each request of a client renews its lease first, in the thread that serves it
_CLIENT = re.compile(r"Reserve Lease .* name=\(\d+:[^)]* (?P<client>[^) ]+)\)")
_WRITE = re.compile(r"Write offset=(?P<offset>\d+) count=(?P<count>\d+)")


@dataclass(frozen=True)
class Write:
    """One write; the server does not log to which file."""

    time: float
    """Unix time, in seconds."""
    client: str
    """The client's hostname."""
    offset: int
    count: int


def writes(log: str) -> Iterator[Write]:
    """Yields the writes in a log, oldest first."""
    clients: dict[str, str] = {}
    for line in log.splitlines():
        if not (found := _LINE.match(line)):
            continue
        if client := _CLIENT.search(found["text"]):
            clients[found["thread"]] = client["client"]
        elif write := _WRITE.search(found["text"]):
            time = datetime.strptime(found["time"], "%Y-%m-%d T%H:%M:%S.%f%z").timestamp()
            yield Write(time, clients[found["thread"]], int(write["offset"]), int(write["count"]))
