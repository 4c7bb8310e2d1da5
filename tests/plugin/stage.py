"""A machine with a database and a writer of lines on a server's shares, and what is true of it after each fault."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.machines.machine import Machine
from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.clients import DatabaseClient, LineClient
from tests.plugin.harness import eventually
from tests.plugin.site import WORKER_PID, Site, create, docker, run_mysql, status, wait_for_holder, wait_until

LINES_BYTES = 16 << 20
# A new database has 130 MB.
DATABASE_BYTES = 256 << 20
# An emulated machine beside other work needs minutes for a boot and a database's recovery.
SECONDS = 300
# What the engine keeps open to the plugin differs from moment to moment.
SPARE_DESCRIPTORS = 4


class Stage:
    """Its `machine` can be exchanged for another; the shares and the clients stay."""

    def __init__(self, site: Site, *, database: bool, alone: bool) -> None:
        """Starts everything on a first machine; lines are written by one container `alone`, or by two."""
        self.site = site
        self.alone = alone
        self.holders = {"lines": ["lines"] if alone else ["lines", "more"]} | ({"dbs": ["mydb"]} if database else {})
        """Volume → the containers on it."""
        self._stack = ExitStack()
        self.lines = LineClient()
        self.rows: DatabaseClient | None = None
        self._stack.callback(self.lines.close)
        try:
            self.machine = self.restore("one")
            self.write_lines()
            if database:
                run_mysql(self.machine, "mydb", "dbs", 6603)
                self.rows = DatabaseClient(self.machine, "mydb")
                self._stack.callback(self.rows.close)
            blob = self.site.folder("lines") / "blob"
            write = "dd if=/dev/urandom of=/v/blob bs=1M count=1 conv=fsync"
            docker(self.machine, "exec", "lines", *write.split())
            self._blob = hashlib.sha256(blob.read_bytes()).hexdigest()
            self.goes_on()
            self._descriptors = self.descriptors()
        except BaseException:
            self._stack.close()
            raise

    def close(self) -> None:
        self._stack.close()

    def restore(self, name: str) -> Machine:
        """Another machine with the same volumes, and nothing that runs."""
        (machine,) = self._stack.enter_context(self.site.machines(name, database="dbs" in self.holders))
        create(machine, "lines", "share=lines", f"exclusive={str(self.alone).lower()}")
        if "dbs" in self.holders:
            create(machine, "dbs", "share=dbs", "exclusive=true", "for=database")
        return machine

    def write_lines(self) -> None:
        """Starts what writes lines."""
        for container in self.holders["lines"]:
            self.lines.run(self.machine, container, "lines")

    @property
    def containers(self) -> list[str]:
        """All of them."""
        return [container for containers in self.holders.values() for container in containers]

    def start_database(self) -> None:
        """Starts the database, and its client goes on, on the machine that is used now."""
        if self.rows is not None:
            self.rows.machine = self.machine
            run_mysql(self.machine, "mydb", "dbs", 6603)

    def goes_on(self) -> None:
        """Waits until the clients write again, and the plugin knows for whom."""
        clients = [client.acknowledged for client in (self.lines, self.rows) if client is not None]
        before = [len(acknowledged) for acknowledged in clients]
        wait_until(lambda: all(len(a) > b + 3 for a, b in zip(clients, before, strict=True)), SECONDS)
        for volume, containers in self.holders.items():
            for container in containers:
                wait_for_holder(self.machine, volume, container)

    def check(self) -> None:
        """Nothing acknowledged is missing, and what is mounted, counted and open is what it was before."""
        assert not self.lines.missing(self.site.folder("lines") / "rows")
        assert self.rows is None or not self.rows.missing()
        assert hashlib.sha256((self.site.folder("lines") / "blob").read_bytes()).hexdigest() == self._blob
        # it waits for each mount that is being given up, and so for connections that end
        self.machine.drop_caches()
        assert docker(self.machine, "exec", "lines", "sha256sum", "/v/blob").out.split()[0] == self._blob
        for volume, containers in self.holders.items():
            shown = status(self.machine, volume)
            assert (shown["mounts"], {h["name"] for h in shown["holders"]}) == (len(containers), set(containers))
            (mounted,) = self._mounted(f"$({WORKER_PID})", f"/mnt/volumes/{volume}")
            assert set(self._mounted("1", f"/propagated-mount/{volume}")) == {mounted}
        eventually(self._assert_no_descriptor_leaked)

    def descriptors(self) -> int:
        """How many files the plugin has open."""
        return int(self.machine.run(f"ls /proc/$({WORKER_PID})/fd | wc -l").out)

    def now(self) -> str:
        """The machine's time, for `log`."""
        return self.machine.run("date +%s.%N").out.strip()

    def log(self, since: str) -> list[str]:
        """The plugin's lines since then."""
        command = f"journalctl --merge -u docker --no-pager -o cat --since=@{since} | grep plugin="
        return self.machine.run(command, check=False).out.splitlines()

    def _mounted(self, process: str, path: str) -> list[str]:
        """The device of each mount that a process sees on a path; a path in the engine's folder is twice there."""
        found = self.machine.run(f"cat /proc/{process}/mountinfo").out
        return re.findall(rf"^\S+ \S+ (\S+) \S+ \S*{path} ", found, re.MULTILINE)

    def _assert_no_descriptor_leaked(self) -> None:
        assert self.descriptors() <= self._descriptors + SPARE_DESCRIPTORS


class Stages:
    """One stage after the other, each with a server of its own: one on which a test failed is not used again."""

    def __init__(self, plugin: MachinePlugin) -> None:
        self._plugin = plugin
        self._kind = ""
        self._stage: Stage | None = None
        self._stack = ExitStack()

    @contextmanager
    def use(self, kind: str) -> Iterator[Stage]:
        """The stage of the test before if it is of this kind: smb or nfs, or `mysql on` or `logs on` one of them.

        Logs are a volume that is not exclusive.
        """
        if kind != self._kind or self._stage is None:
            self.close()
            self._kind, self._stage = kind, self._open(kind)
        try:
            yield self._stage
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._stage = None
        self._stack.close()

    def _open(self, kind: str) -> Stage:
        room = {"lines": LINES_BYTES, "dbs": DATABASE_BYTES}
        server = SambaServer() if kind.endswith("smb") else GaneshaServer(*room, limits=room)
        self._stack.callback(server.close)
        if isinstance(server, SambaServer):
            for share, limit in room.items():
                server.add_share(share, limit=limit)
        told = {"database": kind.startswith("mysql"), "alone": not kind.startswith("logs")}
        stage = Stage(Site(self._plugin, server), **told)
        self._stack.callback(stage.close)
        return stage
