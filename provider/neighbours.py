"""What others on an engine have: names and folders of plugins, as it lists them, and volumes of a stack."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from provider import owner

# stands in the description of each of ours
OURS = "datadocker/azurefile:"
Listed = dict[str, Any]


def in_the_way(
    driver: str, root: str, plugins: Iterable[Listed], volumes: Iterable[Listed], containers: Iterable[Listed] = ()
) -> str:
    """Returns why the plugin `driver` can't have its folder in `root`, and what to do; or nothing.

    `plugins`, `volumes` and `containers` are the engine's lists. What is in the last two keeps its plugin where it is.
    """
    listed = {name_of(plugin): plugin for plugin in plugins}
    if plugin := listed.pop(driver, None):
        place = source_of(plugin, "root")
        if not is_ours(plugin):
            return (
                f"the engine has a plugin {driver} that is not ours "
                f"({plugin['Config'].get('Description') or 'no description'}): remove it with "
                f"docker plugin disable {driver} && docker plugin rm {driver}, or set datadocker:plugin.name to "
                "another name"
            )
        if place != root and (held := _held(driver, volumes, containers)):
            return (
                f"plugin {driver} works in the folder {place} for {', '.join(held)}, and would find none of it in "
                f"{root}: set datadocker:plugin.name to another name, or datadocker:plugin.root to {place}"
            )
    for name, plugin in listed.items():
        if source_of(plugin, "root") == root and plugin["Enabled"] and is_ours(plugin):
            return (
                f"plugin {name} uses the folder {root} already, and one of two would never start: "
                "set datadocker:plugin.name to its name, or datadocker:plugin.root to a folder of its own"
            )
    return ""


def name_of(plugin: Listed) -> str:
    """The plugin's name, as a volume's driver is given."""
    return str(plugin["Name"]).removesuffix(":latest")


def source_of(plugin: Listed, mount: str) -> str:
    """The folder on the host that is the plugin's `mount`; nothing if it has none of that name."""
    mounts = plugin["Settings"]["Mounts"] or []
    return next((str(m["Source"]) for m in mounts if m["Name"] == mount), "")


def is_ours(plugin: Listed) -> bool:
    """Whether it is a build of azurefile."""
    return OURS in (plugin["Config"].get("Description") or "")


def is_driver(driver: str, named: str | None) -> bool:
    """Whether a volume's or a mount's driver is `driver`."""
    return named in (driver, f"{driver}:latest")


def _held(driver: str, volumes: Iterable[Listed], containers: Iterable[Listed]) -> list[str]:
    """What uses the plugin."""
    return [f"volume {v['Name']}" for v in volumes if is_driver(driver, v["Driver"])] + [
        f"container {owner.name_of(c)}"
        for c in containers
        if any(is_driver(driver, mount.get("Driver")) for mount in c["Mounts"])
    ]


def in_use(containers: Iterable[Any], names: Collection[str]) -> str:
    """Why volumes of a stack can't go: who of `containers`, which an engine lists, has one; nothing if nobody does."""
    used: dict[str, str] = {}
    for container in containers:
        if has := sorted({m["Name"] for m in container["Mounts"] if m.get("Name") in names}):
            name, maker = owner.name_of(container), owner.owner_of(container["Labels"]) or "made by hand"
            used[name] = f"{', '.join(has)} by {name} ({maker}, {container['State']})"
    if not used:
        return ""
    return (
        f"volumes of this stack are in use: {'; '.join(used.values())}: "
        f"remove what uses them (docker rm -f {' '.join(used)}) and say it again; none of them was deleted"
    )


def mapped(volumes: Mapping[str, str], shares: Collection[str]) -> str:
    """Why shares of a stack can't be deleted: which of `volumes`, name → share, map one; nothing if none does."""
    held = {volume: share for volume, share in sorted(volumes.items()) if share in shares}
    if not held:
        return ""
    return (
        f"shares of this stack are deleted with it (shares.retain is false), and others map them: "
        f"{'; '.join(f'{share} by volume {volume}' for volume, share in held.items())}: remove these (docker volume rm "
        f"{' '.join(held)}), or keep the data (shares.retain: true, up), and say it again; no data was deleted"
    )
