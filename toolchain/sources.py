"""Builds of the programs that no package registry offers, from the Go module proxy.

Each works on a copy of its module, so that no tracked file is ever changed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain import cache
from toolchain.progress import failed, say

PULUMI_VERSION = "3.259.0"
DOCKER_VERSION = "5.2.0"

SOURCES = Path(__file__).parent
CLI = SOURCES / "pulumi"
LANGUAGE_HOST = SOURCES / "language"
DOCKER_PROVIDER = SOURCES / "docker"
DOCKER_ARCHIVE = f"pulumi-resource-docker-v{DOCKER_VERSION}.tgz"
DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"

# -v: the packages are counted; -mod=readonly: exactly the modules that go.sum names
FLAGS = ("-v", "-mod=readonly", "-buildvcs=false", "-trimpath")
# what a user may have set for work of their own
INTERFERING = {"GOFLAGS", "GOOS", "GOARCH", "GOROOT", "GOTOOLCHAIN", "GOEXPERIMENT", "GO111MODULE"}

PACKAGES_BETWEEN_REPORTS = 100
ERROR_TAIL_LINES = 20
# what `go build -v` prints for a package that it compiles: an import path, and nothing else
COMPILED_PACKAGE = re.compile(r"[\w.~/-]+")


def build_cli(go: Path, out: Path) -> None:
    """Builds the Pulumi CLI by the command `go` and puts it into the folder `out`.

    Raises:
        ToolchainError: if that fails, with the end of what the compiler said.
    """
    version = f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}"
    target = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
    with _copy(CLI, out) as module:
        _go_build(go, module, target, out / "pulumi", ldflags=f"-s -w -X {version}")


def build_language_host(go: Path, out: Path) -> None:
    """Builds the language host for Python, with the provider of dynamic resources beside it, as `build_cli` does."""
    with _copy(LANGUAGE_HOST, out) as module:
        _go_build(go, module, ".", out / "pulumi-language-python")
        _install(module / DYNAMIC_PROVIDER, out / DYNAMIC_PROVIDER)


def build_docker_provider(go: Path, out: Path) -> None:
    """Builds the Docker provider as `build_cli` does: its schema.json, and an archive for `pulumi plugin install`."""
    name = "pulumi-resource-docker"
    with _copy(DOCKER_PROVIDER, out) as module:
        # the provider embeds its schema, which a program of its own writes: outside the module, where it finds no
        # documentation to copy, so that the schema depends on the code alone
        schema, generator, provider = module / "schema.json", module / "generator", module / name
        _go_build(go, module, "./generate", generator, tags="no_compose")
        schema.write_bytes(_output(generator, module.parent))
        _go_build(go, module, ".", provider, tags="no_compose")
        say(f"packing {DOCKER_ARCHIVE}")
        archive = module / DOCKER_ARCHIVE
        with tarfile.open(archive, "w:gz", compresslevel=1) as plugin:
            plugin.add(provider, arcname=name)
        _install(schema, out / "schema.json")
        _install(archive, out / DOCKER_ARCHIVE)


# what is built of each module
MODULES: dict[Path, Callable[[Path, Path], None]] = {
    LANGUAGE_HOST: build_language_host,
    CLI: build_cli,
    DOCKER_PROVIDER: build_docker_provider,
}


def module_key(module: Path) -> str:
    """Returns a short hash of all that the build of one of MODULES depends on."""
    key = hashlib.sha256(repr((PULUMI_VERSION, DOCKER_VERSION, FLAGS)).encode())
    for file in sorted(file for file in module.rglob("*") if file.is_file()):
        content = file.read_bytes()
        key.update(f"{file.relative_to(SOURCES)}\0{len(content)}\0".encode() + content)
    return key.hexdigest()[:16]


def sources_key() -> str:
    """Returns a short hash of all that all builds depend on."""
    return hashlib.sha256("".join(map(module_key, MODULES)).encode()).hexdigest()[:16]


def go_environment() -> dict[str, str]:
    """The environment without what would have Go build otherwise, or be another Go."""
    environment = {name: value for name, value in os.environ.items() if name not in INTERFERING}
    place = Path.home() / "go"
    if not os.access(place if place.exists() else place.parent, os.W_OK):
        environment.setdefault("GOPATH", str(cache.root() / "go"))
    return environment


@contextmanager
def _copy(module: Path, out: Path) -> Iterator[Path]:
    # beside what is made of it: there is room there, programs may run, and the next build removes what a kill left
    with tempfile.TemporaryDirectory(prefix=".building-", dir=out) as temporary:
        copy = Path(temporary) / module.name
        shutil.copytree(module, copy)
        yield copy


def _install(source: Path, target: Path) -> None:
    # by renaming: a process that runs the old file keeps it, and nobody sees half of the new one
    partial = target.with_name(f".{target.name}.partial")
    shutil.copy2(source, partial)
    partial.replace(target)


def _go_build(go: Path, module: Path, target: str, out: Path, *, ldflags: str = "-s -w", tags: str = "") -> None:
    """Builds one main package and says how many packages were compiled so far."""
    started = time.monotonic()
    say(f"building {out.name}")
    binary = module / f".{out.name}.built"
    flags = [*FLAGS, f"-tags={tags}", f"-ldflags={ldflags}"]
    environment = go_environment() | {"CGO_ENABLED": "0", "GOWORK": "off", "GOTMPDIR": str(module.parent)}
    command = [str(go), "build", *flags, "-o", str(binary), target]
    compiled = 0
    tail: deque[str] = deque(maxlen=ERROR_TAIL_LINES)
    with subprocess.Popen(
        command,
        cwd=module,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as build:
        for line in map(str.rstrip, build.stdout or ()):
            if COMPILED_PACKAGE.fullmatch(line):
                compiled += 1
                if compiled % PACKAGES_BETWEEN_REPORTS == 0:
                    say(f"building {out.name}: {compiled} packages compiled")
            elif not line.startswith("go: downloading "):
                tail.append(line)
    if build.returncode != 0:
        raise failed(f"building {out.name}", build.returncode, [*tail], tail=ERROR_TAIL_LINES)
    _install(binary, out)
    say(f"building {out.name}: done in {time.monotonic() - started:.0f} s")


def _output(program: Path, folder: Path) -> bytes:
    """What `program` printed, run in `folder`."""
    done = subprocess.run([program], cwd=folder, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").splitlines()
        raise failed(program.name, done.returncode, said, tail=ERROR_TAIL_LINES)
    return done.stdout
