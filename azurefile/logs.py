"""One line a fact, key=value, on stderr; the engine copies it into its own log."""

import json
import logging
import re
import sys

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
_PLAIN = re.compile(r"[\w./:,+@-]+")


class KeyValueFormatter(logging.Formatter):
    """Formats a record and its `extra` as key=value, quoted where a value needs it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the values hold."""
        pairs = {"level": record.levelname.lower(), "msg": record.getMessage()}
        pairs |= {k: v for k, v in vars(record).items() if k not in _STANDARD}
        if record.exc_info:
            pairs["trace"] = self.formatException(record.exc_info)
        return " ".join(f"{key}={_value(value)}" for key, value in pairs.items() if value != "")


def configure(level: str) -> None:
    """Send everything from `level` up to stderr; an unknown level means info."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    known = logging.getLevelNamesMapping()
    # Their debug lines have whole packets in them, those of a log-in too.
    for name in ("smbprotocol", "spnego"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.basicConfig(handlers=[handler], level=known.get(level.upper(), logging.INFO))


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
