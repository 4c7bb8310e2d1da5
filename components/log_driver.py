"""How containers log: named, since an engine's default would be a drift, and bounded."""

LOG_DRIVER = "json-file"
LOG_OPTS = {"max-size": "10m", "max-file": "3"}
