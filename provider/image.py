"""An image made of a root filesystem's archive."""

from __future__ import annotations

import re
from pathlib import Path

from provider.resource import EngineResource, Failure, Props, engine_client


class ImportedImage(EngineResource):
    """Props: `engine`, `reference` (name and tag), `archive` (path of a tar file), `labels`."""

    replaced_by = ("engine.url", "reference")
    updated_by = ("engine",)

    def create(self, props: Props) -> str:
        reference: str = props["reference"]
        repository, tag = reference.split(":")
        if not Path(props["archive"]).is_file():
            raise Failure(f"the root filesystem {props['archive']} is gone: run ./pulumiw up again")
        labels = [f"LABEL {k}={_quoted(v)}" for k, v in sorted(props["labels"].items())]
        with engine_client(props["engine"]) as engine:
            engine.api.import_image(src=props["archive"], repository=repository, tag=tag, changes=labels)
        return reference

    def read(self, identity: str, props: Props) -> Props | None:
        with engine_client(props["engine"]) as engine:
            return props if engine.images.list(filters={"reference": identity}) else None

    def delete(self, identity: str, props: Props) -> None:
        with engine_client(props["engine"]) as engine:
            if engine.images.list(filters={"reference": identity}):
                engine.images.remove(identity, force=True)


def _quoted(value: str) -> str:
    # docs.docker.com/reference/dockerfile: environment replacement, in which a backslash escapes
    return '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"'
