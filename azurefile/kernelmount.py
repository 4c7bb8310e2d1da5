"""Mounts by the kernel's file system context calls.

Options go to the kernel one by one, so a comma in a password is no separator, and no password
is an argument of a process, part of a mount's source, or in mountinfo. What the kernel says
about an option comes back as text.
"""

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

# The same numbers on every architecture.
_MOVE_MOUNT, _FSOPEN, _FSCONFIG, _FSMOUNT, _FSPICK = 429, 430, 431, 432, 433
_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CMD_CREATE, _CMD_RECONFIGURE = 0, 1, 6, 7
_NOSUID_NODEV = 0x2 | 0x4
_MOVE_FROM_EMPTY_PATH = 0x4
_AT_FDCWD = -100
_MESSAGE_BYTES = 4096

# A text is the option's value, None makes it a flag.
MountOptions = Mapping[str, str | None]


class KernelError(OSError):
    """A mount that the kernel refused, with its own words where it gave any."""

    def __init__(self, number: int, step: str, words: str) -> None:
        super().__init__(number, os.strerror(number))
        self.step = step
        self.words = words


def shown(options: MountOptions) -> dict[str, str]:
    """Options for people, who write a flag as a boolean."""
    return {name: "true" if value is None else value for name, value in options.items()}


@contextmanager
def detached(fstype: str, source: str, options: MountOptions) -> Iterator[int]:
    """Mount a file system nowhere; yields a descriptor of its root for `attach`. Raises KernelError."""
    context = _call(_FSOPEN, fstype.encode(), _CLOEXEC, step=f"file system {fstype}")
    try:
        _set(context, "source", source)
        for name, value in options.items():
            _set(context, name, value)
        _call(_FSCONFIG, context, _CMD_CREATE, None, None, 0, step="mount", context=context)
        root = _call(_FSMOUNT, context, _CLOEXEC, _NOSUID_NODEV, step="mount", context=context)
    finally:
        os.close(context)
    try:
        yield root
    finally:
        os.close(root)


def attach(root: int, target: Path) -> None:
    """Put a detached mount on a folder."""
    _call(_MOVE_MOUNT, root, b"", _AT_FDCWD, os.fsencode(target), _MOVE_FROM_EMPTY_PATH, step=f"attach to {target}")


def reconfigure(target: Path, options: MountOptions) -> None:
    """Change options of a mounted file system, as a remount does. Raises KernelError."""
    context = _call(_FSPICK, _AT_FDCWD, os.fsencode(target), _CLOEXEC, step="remount")
    try:
        for name, value in options.items():
            _set(context, name, value)
        _call(_FSCONFIG, context, _CMD_RECONFIGURE, None, None, 0, step="remount", context=context)
    finally:
        os.close(context)


def _set(context: int, name: str, value: str | None) -> None:
    kind = _SET_FLAG if value is None else _SET_STRING
    text = None if value is None else value.encode()
    _call(_FSCONFIG, context, kind, name.encode(), text, 0, step=f"option {name}", context=context)


def _call(number: int, *arguments: int | bytes | None, step: str, context: int = -1) -> int:
    result = _libc.syscall(number, *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise KernelError(code, step, _words(context))
    return int(result)


def _words(context: int) -> str:
    """What the kernel has to say about a context; each read is one message."""
    messages: list[str] = []
    while context >= 0:
        try:
            message = os.read(context, _MESSAGE_BYTES)
        except OSError:
            break
        messages.append(message.decode(errors="replace").strip()[2:])
    return "; ".join(messages)
