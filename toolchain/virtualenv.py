"""The checkout's `.venv`, made from requirements.txt in the cache and shared by checkouts that agree."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain import cache, packages
from toolchain.progress import ToolchainError, run

# by these pip would put packages elsewhere, or find them there already
INTERFERING = ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_ROOT", "PIP_TARGET")
PINNED = re.compile(r"^([\w.-]+)==", re.MULTILINE)
# fails for the first of its arguments that is not there
LOOK = "import sys, importlib.metadata; [importlib.metadata.version(name) for name in sys.argv[1:]]"
# the test tools stand on what the product and the plugin run with
NAMED_BY = {"tests/requirements.txt": ("requirements.txt", "azurefile/requirements.txt")}


def ensure(checkout: Path, requirements: str = "requirements.txt", name: str = ".venv") -> Path:
    """Makes sure that `name` holds what `requirements` asks for, and returns it.

    A real folder of that name is the user's own: it is used as it is.
    """
    venv = checkout / name
    if venv.is_dir() and not venv.is_symlink():
        return venv
    python = interpreter()
    digest = hashlib.sha256(f"{sys.version_info[:2]}{python}".encode())
    # a requirements file may name another one of the checkout
    for file in (requirements, *NAMED_BY.get(requirements, ())):
        digest.update((checkout / file).read_bytes())
    target = cache.root() / f"venv-{digest.hexdigest()[:16]}"
    if not target.exists():
        _make(target, python, checkout / requirements)
    cache.link(venv, target)
    return venv


def pip_environment() -> dict[str, str]:
    """The environment in which pip installs where it is told to."""
    env = {name: value for name, value in os.environ.items() if name not in INTERFERING}
    # its own file may say otherwise
    return env | {"PIP_USER": "0"}


def put_elsewhere(what: str, folder: Path) -> ToolchainError:
    """What to say when pip had settings that the environment does not undo."""
    return ToolchainError(
        f"pip has put {what} elsewhere than into {folder}: take target, prefix and root out of its settings "
        "(pip config list shows them), then run this again"
    )


def interpreter(system: Path = Path("/usr")) -> Path:
    """Returns Debian's own Python if it has the version of this one and can make environments, else this one.

    Debian builds it with profile-guided optimisation: what version managers compile takes half as long again for the
    same program. And it stays when they move on.

    Args:
        system: Where Debian has its own.
    """
    name = f"python3.{sys.version_info.minor}"
    if (system / "bin" / name).exists() and (system / "lib" / name / "ensurepip").is_dir():
        return system / "bin" / name
    return Path(sys.executable).resolve()


def _make(target: Path, python: Path, requirements: Path) -> None:
    with cache.lock(target.name):
        if target.exists():
            return
        if python.samefile(sys.executable) and not importlib.util.find_spec("ensurepip"):
            packages.install(["python3-venv"], "the virtual environment")
        # scripts in it carry its path, so it can't be renamed: the marker comes last instead
        made = target.with_name(f"{target.name}.d")
        shutil.rmtree(made, ignore_errors=True)
        env = pip_environment() | {"PYTHONDONTWRITEBYTECODE": ""}
        run([python, "-m", "venv", made], "making a virtual environment", env)
        run(
            [
                made / "bin/python",
                "-m",
                "pip",
                "install",
                "--disable-pip-version-check",
                "-r",
                requirements,
            ],
            f"installing {requirements.name}",
            # /tmp may be too small for what it unpacks
            {**env, "TMPDIR": str(made)},
        )
        run(
            [made / "bin/python", "-m", "compileall", "-q", "-j", "0", made / "lib"],
            "compiling it",
            env,
        )
        pinned = PINNED.findall(requirements.read_text())
        if subprocess.run(
            [made / "bin/python", "-I", "-c", LOOK, *pinned], capture_output=True, check=False
        ).returncode:
            raise put_elsewhere("packages", made)
        cache.sync(made)
        cache.link(target, made)
