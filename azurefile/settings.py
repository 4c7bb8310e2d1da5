"""Where one plugin process has its world."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where the plugin's world is; the tests have theirs elsewhere."""

    root: Path
    mounts: Path
    engine: str
    state: str
    host: str
    takeover: float
    defaults: str = ""
