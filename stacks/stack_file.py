"""Pulumi.<stack>.yaml as it is written: Pulumi does not tell the program which part of a setting is encrypted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pulumi


class StackFile:
    """The file, read if it is asked; what another file says, such as --config-file names, it does not know."""

    def __init__(self, name: str) -> None:
        """`name`: in the working directory."""
        self._name = name

    def is_encrypted(self, steps: Sequence[str | int]) -> bool:
        """Whether the setting at `steps`, a path below config, is; what the file does not have is taken for it.

        Its first step may leave this project's namespace out.
        """
        config = self._content.get("config") or {}
        here: Any = config.get(f"{pulumi.get_project()}:{steps[0]}", config.get(steps[0]))
        for step in steps[1:]:
            if isinstance(here, dict) and "secure" in here:
                return True
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return True
        return here is None or (isinstance(here, dict) and "secure" in here)

    def has_secrets_provider(self) -> bool:
        """Whether a key service encrypts its secrets instead of a passphrase."""
        return "://" in str(self._content.get("secretsprovider"))

    def has_salt(self) -> bool:
        """Whether a passphrase encrypts its secrets."""
        return bool(self._content.get("encryptionsalt"))

    @cached_property
    def _content(self) -> dict[str, Any]:
        # takes longer to load than all settings, and most stacks need it not
        import yaml

        try:
            # of the bytes YAML itself finds out the encoding
            found = yaml.safe_load(Path(self._name).read_bytes())
        except (OSError, yaml.YAMLError, ValueError):
            # the last of what looks like a date, and is none
            return {}
        return found if isinstance(found, dict) else {}
