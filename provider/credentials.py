"""The key of a storage account in a file on the host, where the volume plugin reads it at each connection."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

from provider.oneoff import ROOT, ImageGone, bind, created
from provider.resource import EngineResource, Failure, Props, engine_client
from provider.turns import turn

if TYPE_CHECKING:
    from docker.models.containers import Container

FOLDER = "credentials"
# in the container that writes it to the host
HANDED = "/credentials"
# under a name that the plugin passes over, then renamed: it reads the old file or the new one, also after a power cut
WRITE = """
mkdir -p -m 700 "$1" && install -m 600 "$0" "$1/.$2" && sync "$1/.$2" && mv -f "$1/.$2" "$1/$2" && sync "$1" "$1/.."
"""


class AccountKey(EngineResource):
    """Props: `engine`, `root`, `image` (that the plugin is made of), `account`, `server`, `key` (a secret)."""

    replaced_by = ("root", "account")
    updated_by = ("engine", "image", "server", "key")
    halfway = True

    def create(self, props: Props) -> str:
        _write(props)
        return str(props["account"])

    def update(self, identity: str, props: Props, before: Props) -> None:
        _write(props)

    def read(self, identity: str, props: Props) -> Props | None:
        try:
            with _beside(props) as container:
                found = _fetch(container, _path(identity))
        except ImageGone:
            # the same refresh has it built again, and could not without this
            return props
        if found is None:
            return None
        if found == _content(props):
            return props
        # by its hash: what somebody wrote there may be a key
        return props | {"key": f"set by hand: {hashlib.sha256(found).hexdigest()[:8]}"}

    def delete(self, identity: str, props: Props) -> None:
        with _beside(props, "rm", "-f", _path(identity)) as container:
            _run(container)


def _write(props: Props) -> None:
    arguments = HANDED, f"{ROOT}/{FOLDER}", props["account"]
    with _beside(props, "sh", "-c", WRITE, *arguments) as container:
        # into the container, and gone with it, should this be killed before it has started
        container.put_archive("/", _archive(_content(props)))
        _run(container)


def _path(account: str) -> str:
    return f"{ROOT}/{FOLDER}/{account}"


def _content(props: Props) -> bytes:
    return f"server={props['server']}\nkey={props['key']}\n".encode()


def _archive(content: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        file = tarfile.TarInfo(HANDED.removeprefix("/"))
        file.mode, file.size = 0o600, len(content)
        archive.addfile(file, io.BytesIO(content))
    return packed.getvalue()


def _fetch(container: Container, path: str) -> bytes | None:
    from docker.errors import NotFound

    try:
        chunks, _ = container.get_archive(path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        member = archive.extractfile(archive.next() or tarfile.TarInfo())
        return member.read() if member else None


@contextlib.contextmanager
def _beside(props: Props, *command: str) -> Iterator[Container]:
    """A container that has the host's folder and was not started; the key crosses the engine's API, no command line."""
    entrypoint, root = [command[0] if command else "true"], props["root"]
    # else who installs the plugin takes it for one that a killed run left
    with (
        turn(root, shared=True),
        engine_client(props["engine"]) as engine,
        created(engine, props["image"], root, entrypoint, list(command[1:]), bind(root)) as container,
    ):
        yield container


def _run(container: Container) -> None:
    container.start()
    if container.wait(timeout=60)["StatusCode"] != 0:
        raise Failure(
            f"the credentials file was not written: {container.logs(tail=1).decode(errors='replace').strip()}"
        )
