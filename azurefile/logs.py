"""One line a fact, key=value, on stderr; the engine copies it into its own log."""

import json
import logging
import re
import sys

log = logging.getLogger(__name__)

_LEVELS = ("debug", "info", "warning", "error")
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
    """Send everything from `level` up to stderr; an unknown level means info, and is told."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    # Their debug lines have whole packets in them, those of a log-in too.
    for name in ("smbprotocol", "spnego"):
        logging.getLogger(name).setLevel(logging.ERROR)
    known = level.lower() in _LEVELS
    logging.basicConfig(handlers=[handler], level=level.upper() if known else logging.INFO)
    if not known:
        text = f"the plugin's setting LOG_LEVEL must be {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}; info is taken"
        log.warning(text, extra={"value": level[:64]})


def _value(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text)
