"""The plugin's work is done by a child of its first process, which begins another when that one is killed.

A kernel short of memory kills the larger one, and a library may crash. The socket stays open and volumes stay mounted
meanwhile, so that a call waits for a moment. An engine that finds a socket closed asks again only after a second, and
starts the plugin anew.
"""

import gc
import logging
import os
import signal
import sys
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

ENDING = (signal.SIGTERM, signal.SIGINT)
# What the first process waits for, and no other of its threads may get.
AWAITED = (*ENDING, signal.SIGCHLD)

# linux/prctl.h, linux/sched.h, linux/mount.h
_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS = 0x20000
_MS_PRIVATE = 1 << 18

# As many in a row that live no longer have a reason to die: the engine starts a plugin less and less often, and in a
# new mount namespace.
_SHORT_LIVES = 10
_SHORT_SECONDS = 10.0


@dataclass(frozen=True)
class Worker:
    """The child that works, and what its parent is to know."""

    first: bool
    """Whether it is the plugin's first: an engine asks nothing of that before it has connected once."""
    told: int
    """A pipe's end."""

    def serves(self) -> None:
        """Say that it is ready: one that is killed before is followed by none."""
        os.write(self.told, b"s")

    def ends(self) -> None:
        """Say that it ends, and the plugin with it, even if it is killed now."""
        os.write(self.told, b"e")


def begin_worker() -> Worker:
    """Return in a child that goes on, and in the next one if it is killed; this process ends with it otherwise.

    Only the calling thread goes on in the child. Mounts in folders that the engine sees too stay; all others end with
    the child.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    parent, first, short = os.getpid(), True, 0
    # A collection in the child would write to every page that both have.
    gc.freeze()
    while True:
        began = time.monotonic()
        heard, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            _end_with(parent)
            _have_own_mounts()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, AWAITED)
            return Worker(first, told)
        os.close(told)
        code, asked = _wait(child)
        said = os.read(heard, 2)
        os.close(heard)
        if code >= 0:
            sys.exit(code)
        if asked or said != b"s":
            log.error("killed while it began or ended: the plugin ends", extra={"signal": -code})
            sys.exit(1)
        short = short + 1 if time.monotonic() - began < _SHORT_SECONDS else 0
        if short == _SHORT_LIVES:
            log.error("killed again and again: the plugin ends", extra={"signal": -code})
            sys.exit(1)
        first = False
        log.warning("the plugin was killed, and begins anew", extra={"signal": -code})


def _wait(child: int) -> tuple[int, bool]:
    """Its exit code, or less than nothing if a signal ended it; and whether it was asked to end, which it is told."""
    asked = False
    while True:
        number = signal.sigwait(AWAITED)
        if number in ENDING:
            asked = True
            os.kill(child, number)
            continue
        # One that is only stopped tells that as well.
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), asked


def _end_with(parent: int) -> None:
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _have_own_mounts() -> None:
    """Have what is mounted for this process alone, such as a fence's folder, end with it."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(None, b"/", None, _MS_PRIVATE, None):
        number = ctypes.get_errno()
        raise OSError(number, f"the plugin gets no mounts of its own: {os.strerror(number)}")
