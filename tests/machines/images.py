"""The demo's images, built on this machine's engine and carried into machines'."""

import os
import shutil
import subprocess

from components.images.context import context_digest
from tests.machines.machine import Machine
from tests.plugin.harness import REPOSITORY
from tests.plugin.managed import Docker, DockerError
from toolchain import bases, engine

SUITES = {"writer": "bookworm", "reader": "bookworm", "mysql": "sid"}
SMALL = ("writer", "reader")
BASE = "datadocker/base:bookworm"
"""A small Debian, for whatever a test wants to run in a container."""


def tag(name: str) -> str:
    """Returns what an image of images/ is called in the machines: mysql, writer or reader."""
    return f"datadocker/{name}:{context_digest(REPOSITORY / 'images' / name)[:16]}"


def base(suite: str) -> str:
    """Returns the image of a suite of Debian on this machine's engine; it is imported if it is not there."""
    engine.ensure()
    reference = os.environ.get(f"DATADOCKER_TEST_BASE_{suite.upper()}", f"datadocker-test/base:{suite}")
    try:
        Docker()("image", "inspect", reference)
    except DockerError:
        Docker()("import", str(bases.ensure() / f"{suite}.tar"), reference)
    return reference


def layers(reference: str) -> str:
    """Returns the digests of an image's layers, which say what is in it."""
    return Docker()("image", "inspect", "-f", "{{json .RootFS.Layers}}", reference)


def key(*names: str) -> str:
    """Returns what changes when one of these images does."""
    return "".join(f"{tag(name)}\0{layers(base(SUITES[name]))}\n" for name in names)


def load(machine: Machine, *names: str) -> None:
    """Builds images and loads them, and BASE, into the machine's engine."""
    docker = Docker()
    carried = {f"ddtest-machines-base:{os.getpid()}": BASE}
    docker("tag", base("bookworm"), next(iter(carried)))
    try:
        for name in names:
            local = f"ddtest-machines-{name}:{os.getpid()}"
            build = ("build", "-q", "-t", local, "--build-arg", f"BASE={base(SUITES[name])}")
            docker(*build, str(REPOSITORY / "images" / name), timeout=900)
            carried[local] = tag(name)
        _carry(machine, list(carried))
        machine.run(
            " && ".join(f"docker tag {a} {b} && docker rmi {a} >/dev/null" for a, b in carried.items()), timeout=300
        )
    finally:
        docker.quietly("rmi", *carried)


def _carry(machine: Machine, references: list[str]) -> None:
    save = subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE)
    with machine.popen("docker load -q", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as load:
        assert save.stdout is not None
        assert load.stdin is not None
        shutil.copyfileobj(save.stdout, load.stdin, 1 << 20)
        load.stdin.close()
        if save.wait() or load.wait():
            raise RuntimeError(f"carrying {', '.join(references)} to {machine.name} failed")
