"""A Docker engine on this machine: found, or installed and started where we are root and there is none."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from toolchain import cache, packages
from toolchain.progress import ToolchainError, say
from toolchain.stackfile import SOCKETS

SOCKET = SOCKETS[0]
LOG = Path("/var/log/dockerd.log")
START_SECONDS = 90
# program → the package that has it
NEEDED = {"dockerd": "docker.io", "iptables": "iptables"}
# from Debian 13 on a package of its own, which the engine's only recommends
CLIENT = ["docker-cli"]
# what an engine heeds of an environment, which stays readable as long as it runs: the rest may be secrets
HEEDED = re.compile(
    r"PATH|HOME|LANG|TZ|TMPDIR|SSL_CERT_(FILE|DIR)|DOCKER_(CONFIG|TMPDIR|RAMDISK)|MOBY_.+|"
    "(?i:https?_proxy|no_proxy|all_proxy)"
)
# a header of Podman's, by which its clients tell it from Docker's engine
PODMAN = b"libpod-api-version:"
# what an engine offers (docs.docker.com/reference/api/engine), and what the one of 20.10 does
API, OLDEST_API = re.compile(rb"(?i)\r\napi-version: 1\.(\d+)"), 41
# pid files of processes that a kill or a crash left behind keep the next engine from starting
PID_FILES = {
    "dockerd": Path("/var/run/docker.pid"),
    "containerd": Path("/var/run/docker/containerd/containerd.pid"),
}


def ensure() -> None:
    """Makes sure that an engine answers.

    Raises:
        ToolchainError: if none does and none can be started, saying what to do.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        return
    path = host.removeprefix("unix://") or SOCKET
    if _answers(path):
        return
    if host and path not in SOCKETS:
        raise ToolchainError(f"no Docker engine answers at DOCKER_HOST={host}: start it, or unset it")
    if os.geteuid() != 0:
        raise ToolchainError(
            "no Docker engine answers at /var/run/docker.sock: start it (sudo systemctl start docker), "
            "install it (sudo apt-get install docker.io), or, for a new stack, name another's socket "
            "(DOCKER_HOST=unix://…)"
        )
    # a shell by su has the user's PATH, without the engine and iptables
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*os.get_exec_path(), *packages.SYSTEM_PATH]))
    with cache.lock("engine"):
        if not _answers(path):
            # both at once: where the first is there, the next run may find an engine that answers, and look no further
            missing = [package for program, package in NEEDED.items() if not shutil.which(program)]
            # who has an engine that is no package's is given none beside it
            client = () if shutil.which("docker") else CLIENT
            packages.require([*NEEDED], missing, "the Docker engine", client)
            # the engine runs without, and what needs it says so
            with contextlib.suppress(ToolchainError):
                packages.require(["docker"], [], "the Docker engine's client", CLIENT)
            _start()


def check_permission() -> None:
    """Checks that nothing keeps us from an engine that is there; that there is none, or not yet, is no error.

    Raises:
        ToolchainError: if its socket is not for us, saying what to do.
    """
    host = os.environ.get("DOCKER_HOST", "")
    if not host or host.startswith("unix://"):
        _answers(host.removeprefix("unix://") or SOCKET)


def require(hosts: Iterable[str]) -> None:
    """Checks that the engines at `hosts` answer, those of this machine: what asks no program can't say it better.

    Raises:
        ToolchainError: for the first one that does not.
    """
    for host in hosts:
        path = host.removeprefix("unix://")
        if path != host and not _answers(path):
            raise ToolchainError(f"no Docker engine answers at {path}, where this stack's containers are: start it")


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.settimeout(10)
        try:
            engine.connect(path)
            engine.sendall(b"GET /_ping HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = engine.recv(4096)
        except PermissionError:
            raise ToolchainError(
                f"no permission to use the Docker engine's socket {path}: "
                "add yourself to the group docker (sudo usermod -aG docker $USER, then log in again)"
            ) from None
        except OSError:
            return False
    if PODMAN in answer.lower():
        raise ToolchainError(
            f"what answers at {path} is Podman, which has no volume plugins: this needs Docker's engine (DOCKER_HOST "
            "names the socket of one)"
        )
    if (told := API.search(answer)) and int(told[1]) < OLDEST_API:
        raise ToolchainError(f"the Docker engine at {path} is older than 20.10, which this needs: upgrade it")
    return answer.split(b" ")[1:2] == [b"200"]


def _start() -> None:
    say("starting the Docker engine …")
    started = time.monotonic()
    if Path("/run/systemd/system").is_dir():
        if subprocess.run(["systemctl", "start", "docker"], check=False).returncode != 0:
            raise ToolchainError("the Docker engine does not start: journalctl -u docker says why")
        daemon = None
    else:
        for program, file in PID_FILES.items():
            _forget_dead(program, file)
        with LOG.open("ab") as output:
            # of its own session: it outlives this command, and Ctrl-C is not for it
            daemon = subprocess.Popen(
                [shutil.which("dockerd") or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # nor does it keep the folder of this one busy
                cwd="/",
                env={name: value for name, value in os.environ.items() if HEEDED.fullmatch(name)},
            )
    while not _answers(SOCKET):
        # another's, which was a moment earlier, may only have begun
        if daemon is not None and daemon.poll() is not None and not _runs("dockerd", PID_FILES["dockerd"]):
            said = LOG.read_text(errors="replace").strip().splitlines()[-3:]
            raise ToolchainError(
                f"the Docker engine stopped at once: mend what it says ({LOG} has all of it), and run this again:\n  "
                + "\n  ".join(said)
            )
        if time.monotonic() - started > START_SECONDS:
            log = LOG if daemon else "journalctl -u docker"
            raise ToolchainError(f"the Docker engine does not answer after {START_SECONDS} s; its log: {log}")
        time.sleep(0.1)
    say(f"starting the Docker engine: done in {time.monotonic() - started:.0f} s")


def _forget_dead(program: str, file: Path) -> None:
    if not _runs(program, file):
        file.unlink(missing_ok=True)


def _runs(program: str, file: Path) -> bool:
    """Whether the process that a file names is `program`, and lives."""
    try:
        # proc(5): pid (name) state …
        name, state = Path(f"/proc/{int(file.read_text())}/stat").read_text().split("(", 1)[1].rsplit(")", 1)
    except (OSError, ValueError):
        return False
    return name == program and state.split()[0] != "Z"
