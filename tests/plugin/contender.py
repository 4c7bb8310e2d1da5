"""A container on another host that asks for an exclusive volume again and again, until it gets it."""

import threading
import time
from typing import Self

from tests.machines import images
from tests.machines.machine import Machine
from tests.plugin.site import docker

PAUSE_SECONDS = 0.5


class Contender:
    """Use it in a `with`: it asks from its beginning to its end."""

    def __init__(self, machine: Machine, name: str, volume: str, command: str) -> None:
        """Makes the container, which runs `command` with the volume on /v as soon as it may."""
        self.refused: list[float] = []
        """When it was refused, by the monotonic clock."""
        self.taken: float | None = None
        """When it had the volume."""
        self.said = ""
        """What the last refusal was."""
        self._machine = machine
        self._name = name
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        line = ["--name", name, "--hostname", f"{machine.name}-{name}", "-v", f"{volume}:/v"]
        docker(machine, "create", *line, images.BASE, "sh", "-c", command)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(200)

    def _ask(self) -> None:
        while not self._end.is_set():
            started = docker(self._machine, "start", self._name, check=False)
            if started.code == 0:
                self.taken = time.monotonic()
                return
            self.said = started.err
            self.refused.append(time.monotonic())
            self._end.wait(PAUSE_SECONDS)
