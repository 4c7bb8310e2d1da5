"""The end of a stack's containers before the machine that they are on goes."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provider.connection import STOP_SECONDS, Engine, EngineError
from provider.owner import STACK_LABEL, owner_of
from provider.resource import EngineResource, Failure, Props, engine_client

if TYPE_CHECKING:
    from docker.models.containers import Container

# a string that is not known in a preview (pulumi: sdk/go/common/resource/plugin, UnknownStringValue)
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class GracefulStop(EngineResource):
    """Props: `engine`, `key` (text of ssh's private key, or empty), `machine` (its id), `stack` (project/stack).

    Its deletion stops and removes them. A machine that does not answer holds nobody up: it may be gone already.
    """

    replaced_by = ("machine", "stack")
    updated_by = ("engine", "key")

    def __init__(self) -> None:
        # which one it is in this update, and where it found the one before
        self._machine = ""
        self._ended: tuple[str, str] | None = None

    def check(self, before: Props, props: Props) -> str:
        self._machine = "" if props["machine"] == UNKNOWN else str(props["machine"])
        return ""

    def create(self, props: Props) -> str:
        self._machine = str(props["machine"])
        return self._machine

    def went(self, props: Props) -> bool:
        """Whether a resource was on a machine that another has replaced since, and went with it.

        Its deletion would find the new machine at the same address, and take from it what was not made for it, or
        nobody at an address that is given up.
        """
        engine = props.get("engine") or {}
        machine = engine.get("machine")
        if machine is None and self._ended and engine.get("url") == self._ended[0]:
            # a state of old does not say it
            machine = self._ended[1]
        return bool(machine and self._machine) and machine != self._machine

    def read(self, identity: str, props: Props) -> Props | None:
        return props

    def delete(self, identity: str, props: Props) -> None:
        # a destroy runs no program, which would have written the file that the options name
        with _only_here(props["key"]) as file:
            engine: Engine = props["engine"]
            if props["key"]:
                # added to another, ssh would end at a variable in that one's path which is not set here
                engine = Engine(url=engine["url"], ssh_opts=[_told(option, file) for option in engine["ssh_opts"]])
            try:
                _stop(engine, props["stack"])
            except (EngineError, Failure) as error:
                # Pulumi shows what a provider writes there
                print(f"{identity} is going, and its containers were not stopped first: {error}", file=sys.stderr)
        self._ended = (props["engine"]["url"], identity)


@contextmanager
def _only_here(key: str) -> Iterator[str]:
    """A file that ssh reads and, where the system has such files, no disk: nothing stays, however this process ends."""
    if not hasattr(os, "memfd_create"):
        # only Linux has such files
        with tempfile.NamedTemporaryFile("w") as plain:
            plain.write(key)
            plain.flush()
            yield plain.name
        return
    file = os.memfd_create("datadocker")
    try:
        # ssh takes no key that others could read
        os.fchmod(file, 0o600)
        os.write(file, key.encode())
        yield f"/proc/{os.getpid()}/fd/{file}"
    finally:
        os.close(file)


def _told(option: str, file: str) -> str:
    return f"IdentityFile={file}" if option.startswith("IdentityFile=") else option


def _stop(engine: Engine, stack: str) -> None:
    with engine_client(engine) as client:
        found = client.containers.list(all=True, filters={"label": f"{STACK_LABEL}={stack}"})
        if found:
            with ThreadPoolExecutor(len(found)) as together:
                list(together.map(_end_one, found))


def _end_one(container: Container) -> None:
    container.stop(timeout=STOP_SECONDS)
    # a destroy's state has forgotten them by now: should the machine stay, the next up would find their names taken
    if owner_of(container.labels):
        container.remove(force=True)
