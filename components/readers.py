"""A container that follows what the writers write."""

from __future__ import annotations

import pulumi

from components import docker
from components.log_container import LogContainer, LogContainerArgs


class LogReaderArgs(LogContainerArgs):
    """Arguments of `LogReader`."""


class LogReader(LogContainer):
    """Follows /logs/testfile; `docker logs` shows it, `docker exec … count` judges it."""

    def __init__(self, name: str, args: LogReaderArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the container."""
        logs = args["logs"].volume
        volumes: list[docker.ContainerVolumeArgsDict] = [
            {"volume_name": logs, "container_path": "/logs", "read_only": True}
        ]
        super().__init__("datadocker:index:LogReader", name, args, volumes, opts)
