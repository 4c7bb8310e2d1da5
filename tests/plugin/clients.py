"""Clients that write numbered rows through whatever happens, and remember which of them were acknowledged."""

import contextlib
import shlex
import socketserver
import subprocess
import threading
from pathlib import Path

from tests.machines.machine import Machine
from tests.plugin.site import PASSWORD, query, run

# A row begins with the newline, so that a torn one spoils no other. One descriptor writes and syncs it: an error,
# which a volume that is not exclusive has in an outage, is told to nobody who opens the file after it.
WRITE = r"""
trap exit TERM
exec 3<>/dev/tcp/{address}/{port}
run=$(od -An -N4 -tx4 /dev/urandom)
while n=$((n + 1)); do
    until printf '\n%s %s' $run $n | dd of=/v/rows oflag=append conv=notrunc,fsync status=none; do sleep 0.5; done
    echo $run $n >&3
    sleep 0.2
done
"""


class LineClient:
    """A container that appends lines; it tells this side of each that the share has on its disk."""

    def __init__(self) -> None:
        """Listens for what is acknowledged."""
        self.acknowledged: list[str] = []
        acknowledged = self.acknowledged

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError):
                    for line in self.rfile:
                        acknowledged.append(line.decode().strip())

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def run(self, machine: Machine, name: str, volume: str) -> None:
        """Starts the container."""
        command = WRITE.format(address=machine.share_address, port=self._server.server_address[1])
        run(machine, name, volume, f"exec bash -c {shlex.quote(command)}", "--restart=unless-stopped")

    def missing(self, file: Path) -> set[str]:
        """Which acknowledged rows the server's own file does not have."""
        acknowledged = set(self.acknowledged)
        return acknowledged - set(file.read_text(errors="replace").splitlines())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class DatabaseClient:
    """A client of a database in a container, on this side: it inserts rows, and connects again after an error."""

    def __init__(self, machine: Machine, container: str) -> None:
        """Makes the table; `machine` may be exchanged later."""
        self.machine = machine
        self.acknowledged: list[int] = []
        self._container = container
        self._number = 0
        self._end = threading.Event()
        query(machine, container, "create database rows_of_client; create table rows_of_client.r (n int primary key)")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def missing(self) -> set[int]:
        """Which acknowledged rows the database does not have."""
        acknowledged = set(self.acknowledged)
        return acknowledged - {
            int(n) for n in query(self.machine, self._container, "select n from rows_of_client.r").split()
        }

    def close(self) -> None:
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._end.wait(0.5):
            with contextlib.suppress(OSError):
                self._talk()

    def _talk(self) -> None:
        client = f"mysql -uroot -p{PASSWORD} -h127.0.0.1 --skip-column-names --unbuffered rows_of_client"
        line = f"docker -H unix://{self.machine.docker_socket} exec -i {self._container} {client}"
        with subprocess.Popen(
            line.split(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as session:
            assert session.stdin is not None
            assert session.stdout is not None
            try:
                while not self._end.wait(0.3):
                    self._number += 1
                    session.stdin.write(f"insert into r values ({self._number}); select {self._number};\n".encode())
                    session.stdin.flush()
                    if session.stdout.readline().strip() != str(self._number).encode():
                        return
                    self.acknowledged.append(self._number)
            finally:
                session.kill()
