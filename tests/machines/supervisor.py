"""Runs a command for as long as its parent lives: `supervisor.py FD COMMAND...` or `supervisor.py FD --remove FOLDER`.

FD is one end of a socket pair whose other end only the parent has. A parent that ends, however it ends, closes it:
then the command's process group is killed, or the folder removed with what is mounted below it. A death signal of
the kernel (PR_SET_PDEATHSIG) would not do for the parent: it is sent when the thread that started the command ends.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1


def _die_with_me() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(parent: socket.socket, command: list[str]) -> int:
    # a session of its own: Ctrl-C in the terminal is for the parent, which ends this properly
    child = subprocess.Popen(command, start_new_session=True, preexec_fn=_die_with_me)
    parent.sendall(f"{child.pid}\n".encode())
    pidfd = os.pidfd_open(child.pid)
    select.select([parent.fileno(), pidfd], [], [])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    return child.wait()


def _remove(parent: socket.socket, folder: str) -> int:
    parent.sendall(b"0\n")
    parent.recv(1)
    for _ in range(100):
        with open("/proc/self/mountinfo") as mounts:
            targets = [line.split()[4] for line in mounts]
        for target in reversed(targets):
            if target.startswith(f"{folder}/"):
                subprocess.run(["umount", "-l", target], check=False)
        # processes that are just being killed may still add files
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            return 0
        time.sleep(0.1)
    return 1


def main() -> int:
    parent = socket.socket(fileno=int(sys.argv[1]))
    if sys.argv[2] == "--remove":
        return _remove(parent, sys.argv[3])
    return _run(parent, sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
