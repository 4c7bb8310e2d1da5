"""A Debian machine, under QEMU or on this machine's own kernel."""

import io
import itertools
import os
import shlex
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.machines.command import Ran
from tests.machines.process import scratch
from tests.machines.qemu import Memory, Qemu
from tests.machines.runtime import Runtime
from tests.machines.ssh import Ssh

BOOT_SECONDS = 300
SHUTDOWN_SECONDS = 300
# random(4): what is written counts from the next reseeding on, RNDRESEEDCRNG
RESEED = 'open R, ">", "/dev/urandom" or die; print R <STDIN>; R->flush(); ioctl R, 0x5207, 0 or die $!'
_numbers = itertools.count(1)


class Machine:
    """A machine with an engine and a kernel that mounts shares, of its own disk, network and SSH port.

    It ends with this object or this process.
    """

    share_address = "10.0.2.2"
    """The address under which it reaches servers that listen on this machine's 127.0.0.1."""

    def __init__(
        self,
        image: Path,
        backing: Path,
        *,
        runtime: type[Runtime] = Qemu,
        memory: Memory | None = None,
        name: str | None = None,
        disk: Path | None = None,
    ) -> None:
        """Starts it on a new overlay of the disk `backing`, restored from `memory` if that has a state.

        The overlay is `disk`, or in a folder that goes with this process. Use it in a `with`.
        """
        self.name = name or f"machine{next(_numbers)}"
        self.folder = scratch(self.name[:12])
        self.docker_socket = self.folder / "docker.sock"
        """A unix socket on this side that is its engine's."""
        self.disk = disk or self.folder / runtime.disk
        self._image = image
        self._memory = memory
        runtime.overlay(backing, self.disk)
        started = time.monotonic()
        self.runtime: Runtime = runtime(image, self.folder, self.disk, memory=memory)
        try:
            if self.runtime.restored:
                self.runtime.wake()
            self._ssh = self._login(first=self._renewal(), boots=not self.runtime.restored)
        except BaseException:
            self.runtime.close()
            raise
        self.seconds = time.monotonic() - started
        """How long it took until it ran its first command."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(
        self, command: str | Sequence[str], *, input: bytes | None = None, check: bool = True, timeout: float = 60
    ) -> Ran:
        """Runs a shell line, or a list of arguments, as root.

        Raises:
            CommandError: if `check` and the exit code is not 0.
            subprocess.TimeoutExpired: after `timeout` seconds.
        """
        return self._ssh.run(command, input=input, check=check, timeout=timeout)

    def popen(self, command: str | Sequence[str], **options: object) -> "subprocess.Popen[bytes]":
        """Starts a command that runs beside the test; see `subprocess.Popen` for the options."""
        return self._ssh.popen(command, **options)

    def put(self, content: bytes, path: str, mode: int = 0o644) -> None:
        """Writes a file, in one step; its folders are made."""
        target, aside = shlex.quote(path), shlex.quote(f"{path}.part")
        line = f'mkdir -p "$(dirname {target})" && umask 077 && cat >{aside}'
        self.run(f"{line} && chmod {mode:o} {aside} && mv {aside} {target}", input=content)

    def get(self, path: str) -> bytes:
        """Returns a file's content."""
        process = self.popen(["cat", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        content, said = process.communicate(timeout=60)
        if process.returncode:
            raise FileNotFoundError(said.decode().strip())
        return content

    def copy(self, tree: Path, path: str) -> None:
        """Copies what is in the folder `tree` into the folder `path`, modes and times as they are."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as packed:
            for entry in sorted(tree.iterdir()):
                packed.add(entry, entry.name)
        line = f"mkdir -p {shlex.quote(path)} && tar -x -C {shlex.quote(path)}"
        self.run(line, input=archive.getvalue(), timeout=120)

    def pause(self) -> None:
        """Stops the machine's processors; the world goes on."""
        self.runtime.pause()

    def resume(self) -> None:
        """Goes on where `pause` stopped; the machine's clock is late by that time."""
        self.runtime.resume()

    def kill(self) -> None:
        """Cuts the power. What the machine had not flushed to its disk is lost; its connections end."""
        try:
            self.runtime.close()
        finally:
            self._ssh.close()

    def reboot_hard(self) -> None:
        """Cuts the power if it is on, and boots again from the same disk."""
        self.kill()
        self.runtime = type(self.runtime)(self._image, self.folder, self.disk)
        self._ssh = self._login()

    def reboot(self) -> None:
        """Shuts it down as its owner does, and boots again from the same disk."""
        self.run("systemctl --no-block poweroff")
        self.runtime.wait(SHUTDOWN_SECONDS)
        self.reboot_hard()

    def renew_engine(self) -> None:
        """Gives the engine an id of its own, which restored machines otherwise share. The engine restarts for it."""
        self.run("systemctl stop docker && rm -f /etc/docker/key.json && systemctl start docker", timeout=120)

    def drop_caches(self) -> None:
        """Has what is read next come from its disk, or from a share's server."""
        line = "echo 3 >/proc/sys/vm/drop_caches"
        if self.runtime.own_kernel:
            self.run(line, timeout=180)
        else:
            # a process of its own, which the kernel may not let go for as long as it unmounts something
            assert subprocess.Popen(["sh", "-c", line]).wait(180) == 0

    def cut(self, port: int) -> None:
        """Drops all packets to and from TCP port `port` of the share's server, both ways, as a broken network does."""
        rules = [
            f"OUTPUT -d {self.share_address} -p tcp --dport {port}",
            f"INPUT -s {self.share_address} -p tcp --sport {port}",
        ]
        self.run(" && ".join(f"iptables -w -I {rule} -m comment --comment ddtest-cut -j DROP" for rule in rules))

    def heal(self) -> None:
        """Undoes every `cut`."""
        self.run("iptables-save | grep -v ddtest-cut | iptables-restore -w")

    def unplug(self) -> None:
        """Pulls the network cable: no packet in or out, neither can `run` reach it until `plug`."""
        self.runtime.unplug()

    def plug(self) -> None:
        """Plugs the cable in again."""
        self.runtime.plug()

    def forward(self, port: int) -> int:
        """Returns a port of 127.0.0.1 that leads to one of its own."""
        return self.runtime.forward(port)

    def host_ports(self) -> set[int]:
        """Ports of 127.0.0.1 from which its connections come, as servers on this machine see them."""
        return self.runtime.host_ports()

    def console(self) -> str:
        """What it wrote to its serial console."""
        return self.runtime.console.read_text(errors="replace")

    def save(self) -> None:
        """Ends it; what it was is then on its disk, and beside its memory, if it has one."""
        if self._memory is not None:
            self._memory.boot_id_file.write_text(self.run("grep -w sysctl_bootid /proc/kallsyms").out)
        self._ssh.close()
        self.runtime.save()

    def close(self) -> None:
        """Ends it, as a power cut would."""
        self.kill()

    def _login(self, first: str = "true", *, boots: bool = True) -> Ssh:
        runtime = self.runtime
        return Ssh(
            self._image,
            self.folder,
            runtime.ssh_port,
            first=first,
            clock=runtime.own_kernel,
            boots=boots,
            seconds=BOOT_SECONDS,
        )

    def _renewal(self) -> str:
        """What makes a restored machine another one than its siblings."""
        # two machines with the same random numbers would be one client to a share's server
        reseed = f"echo {os.urandom(64).hex()} | perl -e '{RESEED}'"
        beside = " && ".join(
            [
                f"hostname {self.name}",
                f"echo {self.name} >/etc/hostname",
                f"echo '127.0.0.1 localhost {self.name}' >/etc/hosts",
                f"echo {os.urandom(16).hex()} >/etc/machine-id",
            ]
        )
        return f"{{ {reseed} & }}; {beside} && wait $!"
