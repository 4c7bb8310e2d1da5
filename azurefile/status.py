"""A volume as `docker volume inspect` shows it, from memory."""

import dataclasses
from typing import Any

from azurefile.attachments import Attachment
from azurefile.lease import Lease
from azurefile.owner import iso_time
from azurefile.volumes import Volume


def status(
    volume: Volume,
    lease: Lease | None,
    attachment: Attachment,
    where: dict[str, str] | None,
    in_force: dict[str, str],
) -> dict[str, Any]:
    """Protocol, place and options; while it is mounted also what is `in_force`, since when, where, and for whom."""
    options = volume.options
    shown: dict[str, Any] = {
        "protocol": options.protocol,
        "share": options.share,
        "folder": options.folder,
        "options": options.in_force(),
    }
    if lease is not None and attachment.ids:
        shown["options"] = in_force | shown["options"]
        shown |= where or {}
        shown["mountedSince"] = iso_time(lease.owner.since)
        shown["mounts"] = sum(list(attachment.ids.values()))
        shown["holders"] = [
            {k: v for k, v in dataclasses.asdict(c).items() if v and k != "ticks"} for c in list(lease.owner.containers)
        ]
        if lease.store.shared:
            shown["renewed"] = iso_time(lease.owner.renewed)
        if lease.lost:
            shown["lost"] = lease.lost
    return shown
