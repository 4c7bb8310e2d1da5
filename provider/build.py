"""Makes the managed plugin from its image: what its folder needs, its archive, and the engine's own request."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provider.neighbours import Listed
from provider.oneoff import ran
from provider.resource import Failure, Props

if TYPE_CHECKING:
    from docker import DockerClient


@contextmanager
def made_ready(engine: DockerClient, props: Props, found: Listed | None) -> Iterator[Callable[[], None]]:
    """Yields what makes the plugin, not enabled, once all has been done that stops and removes nothing."""
    there = props["engine"]["url"].startswith("ssh:")
    if there and found is None:
        # it prepares all by itself, and nothing has to make way before
        yield lambda: _create_there(engine, props)
        return
    # the plugin's mount needs its folder on the host, which this makes, and the plugin the engine's socket
    with ran(engine, props["image"], props["root"], "prepare", socket=props["socket"]) as container:
        if there:
            yield lambda: _create_there(engine, props)
            return
        with tempfile.TemporaryFile() as archive:
            pack(container.export(chunk_size=1 << 20), props["config"], archive)
            archive.seek(0)
            yield lambda: _create(engine, props, archive)


def prepare(engine: DockerClient, props: Props) -> None:
    """Makes the plugin's folder on the host, and finds its engine: it is nothing without them."""
    with ran(engine, props["image"], props["root"], "prepare", socket=props["socket"]):
        pass


def _create_there(engine: DockerClient, props: Props) -> None:
    """Makes it without its files leaving the host: over the network they would take longer than all the rest."""
    arguments = ("install", props["driver"])
    with ran(engine, props["image"], props["root"], *arguments, socket=props["socket"], CONFIG=props["config"]):
        pass


def _create(engine: DockerClient, props: Props, archive: Any) -> None:
    # the SDK's create_plugin packs a folder; ours is packed, with owners that only root could unpack
    answer = engine.api.post(
        f"{engine.api.base_url}/v{engine.api.api_version}/plugins/create",
        params={"name": props["driver"]},
        data=archive,
    )
    if not answer.ok:
        raise Failure(f"the Docker engine refused the plugin: {answer.json()['message']}")


def pack(exported: Any, config: str, archive: Any) -> None:
    """Writes the archive that /plugins/create takes: config.json and the filesystem under rootfs/."""
    with (
        tempfile.TemporaryFile() as flat,
        tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as packed,
    ):
        for chunk in exported:
            flat.write(chunk)
        flat.seek(0)
        entry = tarfile.TarInfo("config.json")
        entry.size = len(config.encode())
        packed.addfile(entry, io.BytesIO(config.encode()))
        with tarfile.open(fileobj=flat) as files:
            for member in files:
                if member.islnk():
                    member.linkname = f"rootfs/{member.linkname}"
                member.name = f"rootfs/{member.name}"
                # they repeat a long or non-ASCII name as it was, and would win
                member.pax_headers = {}
                packed.addfile(member, files.extractfile(member) if member.isreg() else None)
