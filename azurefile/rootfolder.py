"""The plugin's folders on the host, below its root."""

from pathlib import Path


def prepare(root: Path, state: str) -> None:
    """Make the plugin's folders with the right modes; a root that exists keeps its own."""
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    modes = {
        root / state: 0o700,
        root / "credentials": 0o700,
        root / "fence": 0o700,
        # Containers reach a share by a bind mount. A setuid program in one would make any user of the host root.
        root / "shares": 0o700,
    }
    for folder, mode in modes.items():
        folder.mkdir(exist_ok=True)
        folder.chmod(mode)
