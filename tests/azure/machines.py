"""What boots when a virtual machine is created."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol


@dataclass(frozen=True)
class Order:
    """A machine that is to be."""

    id: str
    """The resource's id; it names the machine in every later call."""
    name: str
    size: str
    custom_data: bytes
    """What cloud-init gets, as the program sent it, decoded."""
    admin: str
    ssh_keys: tuple[str, ...]
    address: str | None
    """A loopback address of its own, 127.0.1.N, if it has a public one."""
    ports: frozenset[int] = frozenset()
    """The TCP ports that its security groups let in from outside."""
    subnets: frozenset[str] = frozenset()
    """Ids of the subnets that it is in, in lower case."""


@dataclass(frozen=True)
class Ran:
    """What a command in a machine came to."""

    code: int
    out: str = ""
    err: str = ""


class BootFailed(Exception):
    """The machine never came up; the text says why."""


class MachineRoom(Protocol):
    """Where machines run. Every call returns when the thing is done."""

    def start(self, order: Order) -> None:
        """Boots a new machine and returns when its agent runs, as Azure's creation does; cloud-init may go on.

        Raises:
            BootFailed: if it does not come up.
        """

    def claim(self, address: str) -> bool:
        """Whether an address can be had here; it is kept until `release`."""

    def release(self, address: str) -> None:
        """Gives an address back."""

    def forward(self, machine: str, address: str | None, ports: frozenset[int]) -> None:
        """Lets these TCP ports of the address in, and no others."""

    def run_command(self, machine: str, script: str, parameters: Mapping[str, str], seconds: float) -> Ran:
        """Runs a shell script as root; the parameters are environment variables.

        Raises:
            TimeoutError: if it takes longer.
            LookupError: if there is no such machine.
        """

    def restart(self, machine: str, size: str) -> None:
        """Restarts it with another size."""

    def delete(self, machine: str) -> None:
        """Ends it and forgets its disk. Nothing happens if it is not there."""


@dataclass
class RecordingRoom:
    """No machine at all: what was asked of it stands in `orders` and `calls`."""

    orders: dict[str, Order] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    answer: Callable[[str], Ran] = lambda script: Ran(0)
    """What a script comes to."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, order: Order) -> None:
        with self._lock:
            self.orders[order.id.lower()] = order
            self.calls.append(("start", order.name))

    def claim(self, address: str) -> bool:
        return True

    def release(self, address: str) -> None:
        pass

    def forward(self, machine: str, address: str | None, ports: frozenset[int]) -> None:
        with self._lock:
            order = self.orders.get(machine.lower())
            if order and (order.address, order.ports) != (address, ports):
                self.orders[machine.lower()] = replace(order, address=address, ports=ports)
                self.calls.append(("forward", order.name, str(address), *map(str, sorted(ports))))

    def run_command(self, machine: str, script: str, parameters: Mapping[str, str], seconds: float) -> Ran:
        with self._lock:
            self.calls.append(("run_command", machine.rsplit("/", 1)[1], script))
        return self.answer(script)

    def restart(self, machine: str, size: str) -> None:
        with self._lock:
            self.orders[machine.lower()] = replace(self.orders[machine.lower()], size=size)
            self.calls.append(("restart", machine.rsplit("/", 1)[1], size))

    def delete(self, machine: str) -> None:
        with self._lock:
            if self.orders.pop(machine.lower(), None):
                self.calls.append(("delete", machine.rsplit("/", 1)[1]))


def claimed_address(room: MachineRoom, taken: frozenset[str]) -> str:
    """Returns a loopback address that is not taken and can be had: 127.0.1.N, and on from there."""
    for third, fourth in itertools.product(range(1, 256), range(1, 255)):
        address = f"127.0.{third}.{fourth}"
        if address not in taken and room.claim(address):
            return address
    raise AssertionError("no address is left")
