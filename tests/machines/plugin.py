"""The project's managed plugin in the machines' engines.

Creating a plugin takes an emulated machine minutes, and the plugin's own files change often. So a snapshot has an
earlier build of it, and before it is enabled its root is made equal, file by file, to that of the build under test.
"""

import hashlib
import io
import json
import shlex
import tarfile
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.machines import images, snapshot
from tests.machines.machine import Machine
from tests.machines.runtime import Runtime
from tests.machines.snapshot import Snapshot
from tests.plugin.harness import REPOSITORY
from tests.plugin.managed import Docker, build_archive

NAME = "azurefile"
ROOTFS = "/var/lib/docker/plugins/$(docker plugin inspect -f '{{.Id}}' " + NAME + ")/rootfs"
# what changes an installed plugin in another way than by files; the rest of its folder may differ
RARELY_CHANGED = ("Dockerfile", "requirements.txt", "config.json")
# removes the files that are named first, then unpacks the rest
UPDATE = f"cd {ROOTFS} && read -r length && head -c $length | xargs -0r rm -rf -- && tar -x -p --numeric-owner"

Files = dict[str, list[Any]]
"""Path → what it is: type, mode, owner, group, time, link target, content's hash."""


class MachinePlugin:
    """One build of the plugin, installed in as many machines as a test wants."""

    def __init__(self, folder: Path, runtime: type[Runtime]) -> None:
        """Builds it on this machine's engine; `folder` holds the archive (90 MB), `runtime` the machines."""
        self._runtime = runtime
        images.base("bookworm")
        self.archive = build_archive(Docker(), folder)

    @cached_property
    def snapshot(self) -> Snapshot:
        """A machine whose engine has some build of the plugin, disabled, and the images of the demo but MySQL's."""
        digest = hashlib.sha256(Path(__file__).read_bytes() + images.key(*images.SMALL).encode())
        for name in RARELY_CHANGED:
            digest.update((REPOSITORY / "azurefile" / name).read_bytes())
        return snapshot.derived(snapshot.ensure(self._runtime), "plugin", digest.hexdigest(), self._prepare)

    @cached_property
    def database_snapshot(self) -> Snapshot:
        """The same with MySQL's image."""

        def prepare(machine: Machine, folder: Path) -> None:
            images.load(machine, "mysql")

        return snapshot.derived(self.snapshot, "mysql", images.key("mysql"), prepare)

    def restore(self, name: str | None = None, *, database: bool = False, **settings: str) -> Machine:
        """Returns a machine with this build enabled.

        Args:
            name: its hostname.
            database: whether it has MySQL's image.
            settings: those of `docker plugin set`, with `__` for a dot.
        """
        machine = (self.database_snapshot if database else self.snapshot).restore(name)
        try:
            self.install(machine, **settings)
        except BaseException:
            machine.close()
            raise
        return machine

    def install(self, machine: Machine, **settings: str) -> None:
        """Makes the plugin in a machine from `snapshot` this build, and enables it."""
        machine.run(f"{UPDATE} && {_enabling(settings)}", input=self.update, timeout=120)

    @cached_property
    def update(self) -> bytes:
        """What UPDATE reads to turn the snapshot's build into this one."""
        return self._update(json.loads((self.snapshot.folder / "plugin.json").read_text()))

    def _update(self, before: Files) -> bytes:
        after = self.files
        gone = [path for path, was in before.items() if path not in after or after[path][0] != was[0]]
        names = b"".join(path.encode() + b"\0" for path in gone)
        archive = io.BytesIO()
        with tarfile.open(self.archive) as source, tarfile.open(fileobj=archive, mode="w") as target:
            for member in source:
                path = member.name.removeprefix("rootfs/")
                if path in after and before.get(path) != after[path]:
                    member.name = path
                    # it would keep a long name that the archive had in an extended header
                    member.pax_headers = {}
                    member.linkname = member.linkname.removeprefix("rootfs/") if member.islnk() else member.linkname
                    target.addfile(member, source.extractfile(member) if member.isreg() else None)
        return f"{len(names)}\n".encode() + names + archive.getvalue()

    @cached_property
    def files(self) -> Files:
        """What is in this build's root."""
        found: Files = {}
        with tarfile.open(self.archive) as archive:
            for member in archive:
                if not member.name.startswith("rootfs/"):
                    continue
                file = archive.extractfile(member) if member.isreg() else None
                content = hashlib.sha256(file.read()).hexdigest() if file else ""
                # a folder's time says nothing, nor does that of a compiled module, which holds its source's
                time = 0 if member.isdir() or member.name.endswith(".pyc") else int(member.mtime)
                kind = member.type.decode("latin-1")
                owner = [member.mode, member.uid, member.gid]
                found[member.name.removeprefix("rootfs/")] = [kind, *owner, time, member.linkname, content]
        return found

    def _prepare(self, machine: Machine, folder: Path) -> None:
        images.load(machine, *images.SMALL)
        # an empty one is created and then filled: creating the whole would compress it, for a minute and more
        empty = folder / "empty.tar"
        with tarfile.open(empty, "w") as archive:
            archive.add(REPOSITORY / "azurefile" / "config.json", "config.json")
            root = tarfile.TarInfo("rootfs")
            root.type, root.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(root)
        Docker(machine.docker_socket).post(f"/plugins/create?name={NAME}", empty)
        empty.unlink()
        machine.run(UPDATE, input=self._update({}), timeout=600)
        # once, so that what it needs is in the machine's memory
        machine.run(f"{_enabling({})} && docker plugin disable {NAME}", timeout=120)
        machine.run(["docker", "run", "--rm", images.BASE, "true"], timeout=120)
        (folder / "plugin.json").write_text(json.dumps(self.files))


def _enabling(settings: dict[str, str]) -> str:
    named = shlex.join(f"{k.replace('__', '.')}={v}" for k, v in settings.items())
    change = f"docker plugin set {NAME} {named} && " if settings else ""
    return f"mkdir -p /var/lib/datadocker && {change}docker plugin enable --timeout 120 {NAME}"
