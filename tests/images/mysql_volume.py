"""Volumes that MySQL keeps its data directory on."""

from pathlib import Path

from tests.images.docker_cli import Container, Engine, must

DATA = "/var/lib/mysql"


def server(engine: Engine, image: str, volume: str, *arguments: str, flags: tuple[str, ...] = ()) -> Container:
    return engine.start(
        image,
        *arguments,
        flags=("-v", f"{volume}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=secret", *flags),
    )


def like_nfs(scratch: Path) -> tuple[str, str]:
    """Flags of a container that takes every file system for a network share."""
    telling = scratch / "stat"
    telling.write_text('#!/bin/sh\n[ "$1" != --file-system ] || { echo nfs; exit; }\nexec /usr/bin/stat "$@"\n')
    telling.chmod(0o755)
    return ("-v", f"{telling}:/usr/local/bin/stat:ro")


def in_volume(image: str, volume: str, script: str) -> str:
    return must("run", "--rm", "-v", f"{volume}:{DATA}", image, "sh", "-c", script)


def filled(engine: Engine, image: str) -> str:
    """A volume whose server was stopped cleanly, with a table of the user's."""
    volume = engine.volume()
    first = server(engine, image, volume)
    first.wait_ready()
    made = first.sql("CREATE DATABASE mine; CREATE TABLE mine.t SELECT 42 AS n", "secret")
    assert made.code == 0, made.text
    must("stop", "-t", "30", first.name)
    engine.remove(first)
    return volume
