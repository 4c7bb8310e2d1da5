"""Settings of a stack on the local engine as they are read, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.complaints import SettingsError
from stacks.config import parse

VOLUMES = ["logs", "dbs", "config", "simpledb"]
MYDB = {"name": "mydb", "volume": "dbs", "port": 6603}
USER = {"name": "shop", "schemas": ["shop"]}


def complaints(raw: dict[str, Any], file: str = "Pulumi.dev.yaml", **more: Any) -> list[str]:
    """The lines that are said of what a stack's file has."""
    with pytest.raises(SettingsError) as caught:
        parse(raw, file=file, **more)
    return caught.value.lines
