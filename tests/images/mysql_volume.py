"""Volumes that MySQL keeps its data directory on."""

from tests.images.docker_cli import Container, Engine, must

DATA = "/var/lib/mysql"


def server(engine: Engine, image: str, volume: str, *arguments: str, flags: tuple[str, ...] = ()) -> Container:
    return engine.start(
        image,
        *arguments,
        flags=("-v", f"{volume}:{DATA}", "-e", "MYSQL_ROOT_PASSWORD=secret", *flags),
    )


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
