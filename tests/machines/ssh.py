"""One SSH connection to a machine, over which all commands, files and the Docker socket go."""

import os
import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.machines.command import CommandError, Ran
from tests.machines.process import Supervised

READY = b"ddtest-ready\n"
# the time is sent once the login is through, since that may take long
LOGIN = (
    "({first}) || {{ echo failed; exit 1; }}; "
    "echo ddtest-ready && read now && {set_clock} >/dev/null && echo ddtest-ready && exec cat"
)


class Ssh:
    """A master connection (ssh_config(5), ControlMaster) as root, and its clients."""

    def __init__(
        self,
        image: Path,
        folder: Path,
        port: int,
        *,
        first: str = "true",
        clock: bool = True,
        boots: bool = True,
        seconds: float = 60,
    ) -> None:
        """Logs in, runs the shell line `first`, sets the machine's own `clock`, and forwards docker.sock to its engine.

        A machine that `boots` is asked whether it has a server before; one that has, needs no connection more.

        Raises:
            TimeoutError: if nobody can log in within `seconds`.
            CommandError: if `first` fails.
        """
        self.docker_socket = folder / "docker.sock"
        self._port = port
        self._options = [
            f"-F/dev/null -oHostName=127.0.0.1 -p {port} -i {image / 'id'}",
            f"-oUserKnownHostsFile={image / 'known_hosts'} -oStrictHostKeyChecking=yes -oIdentitiesOnly=yes",
            "-oBatchMode=yes -oLogLevel=ERROR",
            # what a machine without AES instructions computes fastest
            "-oCiphers=chacha20-poly1305@openssh.com -oKexAlgorithms=curve25519-sha256",
            f"-oControlPath={folder / 'ssh'} -oUpdateHostKeys=no -oCheckHostIP=no",
        ]
        self._log = folder / "ssh.log"
        self._first = LOGIN.format(first=first, set_clock="date -s @$now" if clock else "true")
        end = time.monotonic() + seconds
        if boots:
            _wait_for_banner(port, end)
        self._master = self._login()
        while not self._is_ready():
            self._master.kill()
            if time.monotonic() > end:
                raise TimeoutError(f"no SSH login at 127.0.0.1:{port}: {self._log.read_text().strip()[-300:]}")
            # it may refuse logins while it boots
            time.sleep(0.2)
            self._master = self._login()

    def run(
        self, command: str | Sequence[str], *, input: bytes | None = None, check: bool = True, timeout: float = 60
    ) -> Ran:
        line = command if isinstance(command, str) else shlex.join(command)
        done = subprocess.run(
            self._command(["-oControlMaster=no", "-T", "root@machine", line]),
            input=input if input is not None else b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        if check and ran.code:
            raise CommandError(f"{line[:300]}: exit code {ran.code}\n{ran.text.strip()[-2000:]}")
        return ran

    def popen(self, command: str | Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        """Starts a command that runs beside the test; it ends with the connection."""
        line = command if isinstance(command, str) else shlex.join(command)
        full = self._command(["-oControlMaster=no", "-T", "root@machine", line])
        return subprocess.Popen(full, **options)  # type: ignore[call-overload,no-any-return]

    def close(self) -> None:
        """Ends the connection and with it what still runs over it."""
        self._master.kill()
        self.docker_socket.unlink(missing_ok=True)

    def _login(self) -> Supervised:
        forward = f"-L{self.docker_socket}:/var/run/docker.sock"
        options = ["-oControlMaster=yes", "-oStreamLocalBindUnlink=yes", "-oExitOnForwardFailure=yes"]
        # what it prints says that it is ready; then it stays for its input's end, which is the connection's
        return Supervised(
            self._command([*options, forward, "-T", "root@machine", self._first]),
            log=self._log,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _is_ready(self) -> bool:
        process = self._master.process
        assert process.stdin is not None
        assert process.stdout is not None
        said = b""
        while line := process.stdout.readline():
            if line == READY:
                process.stdin.write(f"{time.time():.3f}\n".encode())
                process.stdin.flush()
                return process.stdout.readline() == READY
            said += line
        if said:
            raise CommandError(
                f"the first command failed: {said.decode(errors='replace')}{self._log.read_text()[-1000:]}"
            )
        return False

    def _command(self, arguments: list[str]) -> list[str]:
        return ["ssh", *" ".join(self._options).split(), *arguments]


def _wait_for_banner(port: int, end: float) -> None:
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as probe:
                if probe.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"no SSH server at 127.0.0.1:{port} (process {os.getpid()})")
        # QEMU accepts the connection, and closes it again as long as nobody in the machine takes it
        time.sleep(0.1)
