"""Engines that the plugin does not work with, or not yet, by what they say of themselves (`GET /info`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

# all that snap's engine may write and that stays
SNAP = "/var/snap/docker/common"


def unsuited(info: Mapping[str, Any], root: str) -> str:
    """Returns why the plugin can't work on an engine with its folder in `root`, and what to do; or nothing."""
    system, place, security = info.get("OperatingSystem"), str(info.get("DockerRootDir")), _security(info)
    if system == "Docker Desktop":
        return (
            "the engine is Docker Desktop's, which gives a plugin no folder that lasts: use an engine in WSL or in a "
            "virtual machine of your own, or set datadocker:host to {kind: ssh, address: …}"
        )
    if "rootless" in security:
        return (
            "the engine is rootless, and the plugin mounts, which takes one that runs as root: use that one (unset "
            "DOCKER_HOST, or set datadocker:host.socket to /var/run/docker.sock)"
        )
    if "userns" in security:
        return (
            "the engine has userns-remap, and then nothing on it sees the host's processes, as the plugin does: take "
            "userns-remap out of /etc/docker/daemon.json and restart the engine, or use another"
        )
    if system == "OrbStack" and not _is_below(root, place):
        return (
            f"OrbStack makes its machine anew when it is updated, and {root} with its shares would be gone: set "
            f"datadocker:plugin.root to {place}/datadocker, which stays"
        )
    if _is_below(place, "/var/snap") and not _is_below(root, SNAP):
        return (
            f"the engine is snap's, which can't write {root}: use docker-ce or your distribution's own package, or "
            f"set datadocker:plugin.root to {SNAP}/datadocker"
        )
    return ""


def unprepared(info: Mapping[str, Any], root: str) -> str:
    """Returns what an engine is to be told before containers can write to local shares in `root`, or nothing."""
    if "selinux" not in _security(info):
        return ""
    shares = f"{root}/shares"
    return (
        "the engine has SELinux keep containers from the host's files: unless it was done before, they can write to "
        f"local shares after: mkdir -p {shares} && semanage fcontext -a -t container_file_t '{shares}(/.*)?' && "
        f"restorecon -R {shares}"
    )


def _security(info: Mapping[str, Any]) -> set[str]:
    """Names of what the engine secures itself by, such as `name=seccomp,profile=builtin`."""
    return {option.split(",")[0].removeprefix("name=") for option in info.get("SecurityOptions") or []}


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
