"""What is in the images is for whom it is, whatever umask the checkout was made under."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.images.docker_cli import PREFIX, built, docker, must

CHECKOUT = Path(__file__).parents[2]
# the checkout's folder, the base's fixture, and where the image has what is copied into it
COPIED = {
    "images/mysql": ("sid_base", "/etc/mysql/my.cnf /usr/local/bin"),
    "images/writer": ("bookworm_base", "/usr/local/bin"),
    "images/reader": ("bookworm_base", "/usr/local/bin"),
    "azurefile": ("bookworm_base", "/usr/lib/python3/dist-packages/azurefile"),
}
# what pip installs is cached by this file, and has a stage of its own
KEPT = "requirements.txt"
# the group reads nothing, and others write
UMASK = 0o075


@pytest.mark.parametrize("folder", COPIED)
def test_everybody_reads_and_nobody_else_writes(request: pytest.FixtureRequest, tmp_path: Path, folder: str) -> None:
    base, places = COPIED[folder]
    context = tmp_path / Path(folder).name
    shutil.copytree(CHECKOUT / folder, context, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [context, *context.rglob("*")]:
        if path.name != KEPT:
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod((0o777 if executable else 0o666) & ~UMASK)
    tag = f"{PREFIX}modes-{context.name}"
    with built(context, tag, BASE=request.getfixturevalue(base)) as image:
        modes = {path: mode for place in places.split() for path, mode in _modes(image, place).items()}
    assert len(modes) > 1
    commands = {path for path in modes if path.startswith("/usr/local/bin/")}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o066 != 0o044} == {}
    assert all(modes[path] == 0o755 for path in commands)


def _modes(image: str, place: str) -> dict[str, int]:
    """The modes of what an image has there; not every image has programs that say them."""
    container = must("create", image)
    try:
        copied = subprocess.run(["docker", "cp", f"{container}:{place}", "-"], capture_output=True, check=True)
    finally:
        docker("rm", container)
    with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as files:
        return {f"{Path(place).parent}/{file.name}": file.mode & 0o7777 for file in files if not file.issym()}
