"""Machines whose engine has built the project's images before, and has its plugin, disabled.

What an emulated processor takes ten minutes for, this machine's own does in two: an engine of the same version builds
the images of stack staging by the project's own components, and its data goes into a snapshot. Builds are cached by
their content, so that `pulumi up` does all that it does elsewhere, and what has changed since is built in the machine.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from components.images.context import context_digest
from stacks.data import account_name
from tests.azure.cloud import SUBSCRIPTION
from tests.engine.own_engine import OwnEngine
from tests.machines import image, images, snapshot, storage
from tests.machines.process import scratch
from tests.machines.snapshot import Snapshot
from tests.plugin.managed import Docker
from toolchain import cache

REPOSITORY = Path(__file__).resolve().parents[2]
CONTEXTS = {"images/writer": "bookworm", "images/reader": "bookworm", "images/mysql": "sid"}
STACK = "staging"
ACCOUNT = account_name("datadocker", STACK, SUBSCRIPTION)
PLUGIN, ROOT = "azurefile", "/var/lib/datadocker"
COLD = "DATADOCKER_TEST_COLD"
"""The variable by which machines have an engine that has never built anything."""
MEGABYTES = 3000
SECONDS = 900
PROGRAM = f"""
from components.hosts import LocalHost
from components.images import BaseImage, ContextImage
from components.plugin import AzureFilePlugin
host = LocalHost("host", {{"socket": __import__("os").environ["ENGINE"]}})
labels = {{"io.datadocker.stack": "datadocker/{STACK}"}}
bases = {{
    suite: BaseImage(suite, {{"host": host, "suite": suite, "labels": labels}}).reference
    for suite in ("bookworm", "sid")
}}
for context, suite in {CONTEXTS!r}.items():
    name = context.rsplit("/", 1)[-1]
    ContextImage(name, {{"host": host, "context": context, "base": bases[suite], "labels": labels}})
more = {{"driver": "{PLUGIN}", "root": "{ROOT}", "defaults": {{"protocol": "smb", "account": "{ACCOUNT}"}}}}
AzureFilePlugin("{PLUGIN}", {{"host": host, "base": bases["bookworm"], "labels": labels, "volumes": [], **more}})
"""
# as it is on the machine, once it is enabled there
SETTINGS = ("engine.source=/var/run", "ENGINE=/run/engine/docker.sock")
# what a machine of Azure has in its memory, and reads here from an emulated disk
WARM_UP = """
apt-get -q update
apt-get -q -s install docker.io cifs-utils nfs-common
cloud-init --version; python3 -c 'import cloudinit.cmd.main, cloudinit.sources.DataSourceNoCloud'
docker run --rm "$(docker images -q datadocker/writer)" true
"""


def ensure() -> Snapshot:
    """Returns such a machine; with DATADOCKER_TEST_COLD set, one whose engine is empty.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """
    if is_cold():
        return snapshot.ensure()
    made_of = image.ensure()

    def make(folder: Path) -> None:
        with snapshot._progress("preparing the test machine: azure"):
            disk = folder / "disk.raw"
            subprocess.run(["cp", "--sparse=always", made_of / "disk.raw", disk], check=True)
            _fill(disk)
            with snapshot._machine(made_of, folder, disk) as machine:
                machine.run(snapshot.WARM_UP + WARM_UP, timeout=SECONDS)
                machine.save()

    folder = cache.entry(f"machine-azure-{snapshot._digest(made_of.name + _inputs())}", make)
    storage.use(made_of, folder)
    return Snapshot(made_of, folder)


def is_cold() -> bool:
    """Whether the machines' engine has nothing."""
    return bool(os.environ.get(COLD))


def _inputs() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for context in (PLUGIN, *CONTEXTS):
        digest.update(f"{context}\0{context_digest(REPOSITORY / context)}\n".encode())
    # the engine that builds is this machine's, and it has to be of the version that the machines have
    version = Docker()("version", "-f", "{{.Server.Version}}")
    digest.update(f"{(REPOSITORY / '.toolchain').resolve().name}\0{version}".encode())
    return digest.hexdigest()


def _fill(disk: Path) -> None:
    """Puts the data of an engine that has built the images onto a machine's disk."""
    here = scratch("azure")
    engine = OwnEngine(here, f"ddtest-{os.getpid()}-azure-engine", MEGABYTES, images.base("bookworm"))
    try:
        engine.start()
        _build(here / "project", engine.socket)
        engine("plugin", "disable", PLUGIN)
        engine("plugin", "set", PLUGIN, *SETTINGS)
        engine.stop()
        mounted = here / "mounted"
        mounted.mkdir()
        subprocess.run(["mount", "-o", "loop", disk, mounted], check=True)
        try:
            subprocess.run(["cp", "-a", engine.disk / "docker", mounted / "var/lib"], check=True)
            (mounted / ROOT.lstrip("/")).mkdir()
        finally:
            subprocess.run(["umount", mounted], check=True)
    finally:
        engine.close()


def _build(project: Path, engine: Path) -> None:
    """Builds as `pulumi up` does, into the engine at the socket `engine`."""
    project.mkdir()
    for name in ("components", "provider", "images", "azurefile", ".toolchain", ".venv"):
        (project / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "Pulumi.yaml", project)
    (project / "__main__.py").write_text(PROGRAM)
    for name in ("backend", "home"):
        (project / name).mkdir()
    toolchain = (REPOSITORY / ".toolchain").resolve()
    (project / "home/plugins").symlink_to(toolchain / "plugins")
    env = {
        **os.environ,
        "PATH": f"{toolchain / 'bin'}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{project / 'backend'}",
        "PULUMI_HOME": str(project / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "tests",
        "ENGINE": str(engine),
    }
    for arguments in (["stack", "init", STACK], ["up", "--yes", "--skip-preview", "--stack", STACK]):
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=project, env=env, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
