"""The file that ssh reads a key of the state from."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

import pulumi


def key_folder() -> tuple[Path, str]:
    """Returns where keys are kept for ssh, and how ssh itself is told: the state names no machine's folders.

    XDG_CACHE_HOME counts for nothing here: ssh ends where a variable that the state names is not set.
    """
    return Path.home() / ".cache/datadocker/ssh", "${HOME}/.cache/datadocker/ssh"


def write_key(name: str, private: str, *, kept: bool) -> str:
    """Writes a private key where only its user reads it, and returns the path for ssh's IdentityFile.

    Args:
        name: What its file is named by.
        private: Text of it.
        kept: Whether the state has it; only then does a preview, too, need it to read what stands.
    """
    folder, told = key_folder()
    file = folder / f"{name}-{hashlib.sha256(private.encode()).hexdigest()[:12]}"
    if pulumi.runtime.is_dry_run() and not kept:
        # of a new stack it shows a key that is never used
        return f"{told}/{file.name}"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (file.exists() and file.read_text() == private and stat.S_IMODE(file.stat().st_mode) == 0o600):
        # made aside: whoever reads meanwhile has the whole file or none
        descriptor, aside = tempfile.mkstemp(dir=folder)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(private)
        Path(aside).rename(file)
    return f"{told}/{file.name}"
