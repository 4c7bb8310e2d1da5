"""An image made of a root filesystem's archive."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import platform
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from provider.resource import ENGINE_SECONDS, EngineResource, Failure, Props, engine_client

if TYPE_CHECKING:
    from docker import DockerClient

CONTENT_LABEL = "io.datadocker.rootfs"


class ImportedImage(EngineResource):
    """Props: `engine`, `reference` (name and tag), `archive` (path of a tar file), `content` (its key), `labels`."""

    replaced_by = ("reference",)
    updated_by = ("engine",)
    told_apart_by = ("reference",)

    def create(self, props: Props) -> str:
        reference: str = props["reference"]
        repository, tag = reference.split(":")
        if not Path(props["archive"]).is_file():
            raise Failure(f"the root filesystem {props['archive']} is gone: say up again")
        wanted = props["labels"] | {CONTENT_LABEL: props["content"]}
        labels = [f"LABEL {k}={_quoted(v)}" for k, v in sorted(wanted.items())]
        with engine_client(props["engine"]) as engine:
            if same := _same_content(engine, repository, props["content"]):
                # another stack's, or left by an update that broke off: its files need not be sent again
                _relabel(engine, same, reference, wanted)
            else:
                if props["engine"]["url"].startswith("ssh:"):
                    _check_architecture(engine, props["archive"])
                with _to_send(props) as archive:
                    made = _last_status(engine.api.import_image(src=archive, changes=labels))
                # the engine finishes an import that nobody waits for any more: it would come with a tag after a destroy
                engine.api.tag(made, repository, tag)
        return reference

    def read(self, identity: str, props: Props) -> Props | None:
        with engine_client(props["engine"]) as engine:
            return props if engine.images.list(filters={"reference": identity}) else None

    def delete(self, identity: str, props: Props) -> None:
        with engine_client(props["engine"]) as engine:
            if engine.images.list(filters={"reference": identity}):
                engine.images.remove(identity, force=True)


def _check_architecture(engine: DockerClient, archive: str) -> None:
    """Raises Failure if what is installed in `archive`, which was made here, is for another processor."""
    here, there = platform.machine(), engine.info()["Architecture"]
    if here != there:
        raise Failure(
            f"the root filesystem {archive} was made here, for {here}, and the host is {there}: run this on such a "
            "machine, or with DATADOCKER_TOOLCHAIN=official, and the host pulls its own"
        )


def _quoted(value: str) -> str:
    # docs.docker.com/reference/dockerfile: environment replacement, in which a backslash escapes
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'


@contextlib.contextmanager
def _to_send(props: Props) -> Iterator[IO[bytes]]:
    """The archive; over a network, compressed: the engine takes it so, too."""
    with Path(props["archive"]).open("rb") as archive:
        if not props["engine"]["url"].startswith("ssh:"):
            yield archive
            return
        with tempfile.TemporaryFile() as packed:
            with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as compressed:
                shutil.copyfileobj(archive, compressed, 1 << 20)
            packed.seek(0)
            yield packed


def _relabel(engine: DockerClient, image: str, reference: str, labels: dict[str, str]) -> None:
    """Makes `reference` of an image that is there, with other labels.

    The SDK's own build asks the user's credential helpers for all that they know, and fails where there is none.
    """
    dockerfile, context = f"FROM {image}\n".encode(), io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as packed:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        packed.addfile(entry, io.BytesIO(dockerfile))
    answer = engine.api.post(
        f"{engine.api.base_url}/v{engine.api.api_version}/build",
        params={"t": reference, "labels": json.dumps(labels)},
        headers={"Content-Type": "application/tar"},
        data=context.getvalue(),
        timeout=ENGINE_SECONDS,
    )
    _last_status(answer.text)


def _last_status(answer: str) -> str:
    """What the engine said last; what fails in the middle ends an answer that began well.

    Raises:
        docker.errors.DockerException: if it failed.
    """
    from docker.errors import DockerException

    status = ""
    for said in map(json.loads, answer.splitlines()):
        if reason := said.get("error") or said.get("message"):
            raise DockerException(reason)
        status = said.get("status", status)
    return status


def _same_content(engine: DockerClient, repository: str, content: str) -> str | None:
    # what is built on one has its label, too, and another name
    found = engine.images.list(name=repository, filters={"label": f"{CONTENT_LABEL}={content}"})
    return str(found[0].id) if found else None
