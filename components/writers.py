"""A container that appends lines to a file, as in the talk's basic demo."""

from __future__ import annotations

import pulumi

from components import docker
from components.log_container import LogContainer, LogContainerArgs
from components.volumes import MappedVolume


class LogWriterArgs(LogContainerArgs):
    """Arguments of `LogWriter`."""

    config: MappedVolume
    """Where it reads its settings while it runs: the file writers.conf."""


class LogWriter(LogContainer):
    """Appends `<hostname> <n>` to /logs/testfile at the pace that /config/writers.conf sets."""

    def __init__(self, name: str, args: LogWriterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the container."""
        volumes: list[docker.ContainerVolumeArgsDict] = [
            {"volume_name": args["logs"].volume, "container_path": "/logs"},
            {"volume_name": args["config"].volume, "container_path": "/config"},
        ]
        super().__init__("datadocker:index:LogWriter", name, args, volumes, opts)
