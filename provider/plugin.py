"""Installs, upgrades and removes a managed plugin on an engine.

The Docker provider's own plugin resource pulls from a registry; this one makes the plugin from an image
that is on the engine already (docs.docker.com/engine/extend, "docker plugin create").
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from provider import build, engines, installed, pause
from provider.neighbours import Listed, in_the_way, is_ours
from provider.oneoff import reap
from provider.owner import owner_of
from provider.resource import EngineResource, Failure, Props, engine_client
from provider.turns import turn

if TYPE_CHECKING:
    from docker import DockerClient

# that the engine waits for each call of the plugin, until it starts again; by the CLI's default it is 30
CALL_SECONDS = 120


class EnginePlugin(EngineResource):
    """Props: `engine`, `driver` (its name), `image`, `config` (JSON), `root`, `socket`, `defaults`, `enabled`.

    And `volumes`, names that the stack is going to have.
    """

    replaced_by = ("driver",)
    updated_by = ("engine", "config", "root", "socket", "defaults", "enabled")
    noted = ("volumes",)
    halfway = True

    def check(self, before: Props, props: Props) -> str:
        if before["root"] == props["root"]:
            return ""
        return (
            f"plugin {before['driver']} has its volumes and local shares in {before['root']}, and would find none of "
            f"them in {props['root']}: set datadocker:plugin.root back, or destroy the stack before it changes "
            f"(what shares keep stays in {before['root']})"
        )

    def create(self, props: Props) -> str:
        with turn(props["root"]), engine_client(props["engine"]) as engine:
            if reason := engines.unsuited(engine.info(), props["root"]):
                raise Failure(reason)
            with _answering(props["driver"]):
                _bring_about(engine, props, engine.api.containers())
        return str(props["driver"])

    def update(self, identity: str, props: Props, before: Props) -> None:
        known = props | {"volumes": [*installed.names_of(props), *installed.names_of(before)]}
        with turn(props["root"]), engine_client(props["engine"]) as engine, _answering(props["driver"]):
            # this stack has it already: what runs on it is no reason to leave it where somebody's hand put it
            _bring_about(engine, known, [])

    def read(self, identity: str, props: Props) -> Props | None:
        with engine_client(props["engine"]) as engine:
            found = installed.find(engine, identity)
            if found is None:
                return None
            # a run that was killed leaves them so beside a plugin that has nothing wrong
            waiting = found["Enabled"] and pause.stopped(engine, identity)
            others = installed.other_settings(engine, found, props)
            suits = installed.is_build(found, props) or installed.is_newer(engine, found, props)
        seen = dict(props)
        if not found["Enabled"] or waiting:
            seen["enabled"] = False
        if not suits:
            seen["config"] = f"another build: {found['Config']['Description']}"
        for setting, value in others.items():
            seen[installed.DECIDED_BY[setting]] = f"set by hand: {setting}={value}"
        return seen

    def delete(self, identity: str, props: Props) -> None:
        with turn(props["root"]), engine_client(props["engine"]) as engine:
            found = installed.find(engine, identity)
            reap(engine, props["root"])
            ours = found is not None and is_ours(found)
            volumes = installed.volumes(engine, identity)
            if ours and volumes and not any(owner_of(volume["Labels"]) for volume in volumes):
                # no destroy takes it then; Pulumi shows what a provider writes there
                print(_left(identity, volumes), file=sys.stderr)
            if not volumes:
                pause.forget(engine, identity)
                if ours:
                    _remove(engine, identity)
            # another stack's volumes need it still, and what a killed upgrade stopped may be that stack's
            elif found is not None and found["Enabled"]:
                pause.resume(engine, identity)


def _left(driver: str, volumes: list[Listed]) -> str:
    names = sorted(volume["Name"] for volume in volumes)
    return (
        f"plugin {driver} stays, since it has volumes that no stack made: when they may go, docker volume rm "
        f"{' '.join(names)} and, if no other stack has the plugin, docker plugin rm -f {driver} (shares keep what is "
        "in them)"
    )


def _bring_about(engine: DockerClient, props: Props, running: list[Listed]) -> None:
    """Makes the engine have this build of the plugin, or one that suits, enabled. What is others' stays as it is.

    `running`: containers that keep a plugin of this name from another folder, as its volumes do.
    """
    from docker.errors import DockerException

    driver = props["driver"]
    reap(engine, props["root"])
    plugins = engine.api.plugins()  # type: ignore[no-untyped-call]
    if reason := in_the_way(driver, props["root"], plugins, installed.volumes(engine, driver), running):
        raise Failure(reason)
    found = installed.find(engine, driver)
    if found is not None and not found["Enabled"] and installed.is_newer(engine, found, props):
        # what only failed once, or was disabled by a hand, is no upgrade that failed
        with suppress(DockerException):
            engine.api.enable_plugin(driver, timeout=CALL_SECONDS)
        found = installed.find(engine, driver)
    if found is None or not (
        installed.is_build(found, props) or (found["Enabled"] and installed.is_newer(engine, found, props))
    ):
        _exchange(engine, props, found)
    elif other := installed.other_settings(engine, found, props):
        if other.keys() != {"DEFAULTS"}:
            build.prepare(engine, props)
        pause.stop_users(engine, driver)
        try:
            if found["Enabled"]:
                engine.api.disable_plugin(driver, force=True)
            _set_and_enable(engine, driver, installed.wanted_settings(engine, found, props))
        except DockerException as error:
            raise _not_installed(engine, driver, error) from error
    elif not found["Enabled"]:
        engine.api.enable_plugin(driver, timeout=CALL_SECONDS)
    # also those that a run stopped which was killed or failed
    pause.resume(engine, driver)


def _exchange(engine: DockerClient, props: Props, found: Listed | None) -> None:
    """Makes this build of the plugin, in the place of the one that is `found`, whose users stay stopped."""
    from docker.errors import DockerException

    driver = props["driver"]
    wanted = installed.wanted_settings(engine, found, props)
    with build.made_ready(engine, props, found) as make:
        if found is not None:
            pause.stop_users(engine, driver)
        made = False
        try:
            if found is not None:
                _remove(engine, driver)
            make()
            made = True
            _set_and_enable(engine, driver, wanted)
        except (DockerException, Failure) as error:
            # another user or machine, whom no turn keeps away, may have made it meanwhile
            if found is None and made:
                _remove_half_made(engine, driver)
            raise _not_installed(engine, driver, error) from error
    if found is None:
        _forget_left(engine, driver, installed.names_of(props))


@contextmanager
def _answering(driver: str) -> Iterator[None]:
    """Says of an engine that falls silent what may have been stopped by then.

    Raises:
        Failure: if it does.
    """
    from docker.errors import DockerException
    from requests import RequestException

    try:
        yield
    except DockerException:
        # what the engine refuses is of the other kind, too
        raise
    except RequestException as error:
        raise Failure(
            f"the Docker engine stopped answering while plugin {driver} was being installed: see that it answers "
            "(docker ps; one that hangs: systemctl restart docker), then say up again, which also starts what was "
            "stopped for that"
        ) from error


def _not_installed(engine: DockerClient, driver: str, error: Exception) -> Failure:
    said = getattr(error, "explanation", None) or str(error)
    stopped = ", ".join(pause.stopped(engine, driver))
    what = f"plugin {driver} was not installed: {said}; say up again when that is mended"
    return Failure(what + (f": it also starts {stopped}, stopped for the upgrade" if stopped else ""))


def _set_and_enable(engine: DockerClient, driver: str, settings: dict[str, str]) -> None:
    engine.api.configure_plugin(driver, [f"{k}={v}" for k, v in settings.items()])  # type: ignore[no-untyped-call]
    engine.api.enable_plugin(driver, timeout=CALL_SECONDS)


def _remove(engine: DockerClient, driver: str) -> None:
    if installed.find(engine, driver)["Enabled"]:  # type: ignore[index]
        engine.api.disable_plugin(driver, force=True)
    engine.api.remove_plugin(driver, force=True)


def _remove_half_made(engine: DockerClient, driver: str) -> None:
    """Removes what a first installation left: it is in no state, so no destroy would."""
    from docker.errors import DockerException

    with suppress(DockerException):
        if installed.find(engine, driver):
            _remove(engine, driver)


def _forget_left(engine: DockerClient, driver: str, names: list[str]) -> None:
    """Removes what the plugin's folder knows of volumes that the engine does not, before the stack makes them.

    An engine that was made anew takes one that its driver has for the one that it is asked for, whatever that maps.
    What is on shares stays, and so does what a container has.
    """
    used = {mount.get("Name") for container in engine.api.containers(all=True) for mount in container["Mounts"]}
    for volume in installed.volumes(engine, driver):
        if volume["Name"] in names and volume["Name"] not in used and not (volume["Labels"] or volume["Options"]):
            engine.api.remove_volume(volume["Name"])
