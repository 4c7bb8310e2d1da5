"""The machines' disk: Debian with its cloud kernel, made from Debian's packages and kept in the cache by its inputs.

It is Debian 12, or what `DATADOCKER_TEST_SUITE` names: trixie has a newer kernel and engine.

Besides the disk an image has the kernel and initrd that QEMU starts directly, and keys: `id` logs in as root,
`known_hosts` pins the machines' host key.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.machines import initrd
from tests.machines.qemu import Qemu
from tests.machines.runtime import Runtime
from toolchain import bases, cache, packages
from toolchain.progress import run

SUITE = os.environ.get("DATADOCKER_TEST_SUITE", "bookworm")
DISK_BYTES = 10 << 30
GUEST_PACKAGES = (
    "linux-image-cloud-amd64,busybox-static,systemd-sysv,dbus,udev,kmod,"
    "openssh-server,ca-certificates,iproute2,iptables,nftables,netbase,procps,curl,sudo,e2fsprogs,"
    # without apparmor's parser `docker run` fails on this kernel
    "docker.io,apparmor,python3,cifs-utils,nfs-common,nfs-kernel-server,smbclient,rclone,fuse3,cloud-init"
) + ("" if SUITE == "bookworm" else ",docker-cli")
FILES = Path(__file__).with_name("guest")
HOST_PACKAGES = ("mmdebstrap", "e2fsprogs", "openssh-client")
HOST_PROGRAMS = ("mmdebstrap", "mke2fs", "ssh", "ssh-keygen")


def ensure(runtime: type[Runtime] = Qemu) -> Path:
    """Returns the folder with `disk.raw`, `vmlinuz`, `initrd.img`, `id` and `known_hosts`, for machines of `runtime`.

    Raises:
        ToolchainError: if it has to be made and can't be.
    """
    packages.require((*HOST_PROGRAMS, *runtime.programs), (*HOST_PACKAGES, *runtime.packages), "test machines")
    return cache.entry(f"machine-image-{digest()}", _make)


def digest() -> str:
    """Returns the hash of all that goes into the image."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(initrd.__file__).read_bytes() + SUITE.encode())
    for file in sorted(p for p in FILES.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(FILES)}\0{file.stat().st_mode & 0o111}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _make(folder: Path) -> None:
    for name in ("id", "hostkey"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ddtest", "-f", folder / name], check=True)
    kind, key, _ = (folder / "hostkey.pub").read_text().split()
    (folder / "known_hosts").write_text(f"* {kind} {key}\n")
    tree, disk = folder / "tree", folder / "disk.raw"
    command: list[str | Path] = ["mmdebstrap", "--variant=minbase", f"--include={GUEST_PACKAGES}"]
    # a mirror may be a snapshot whose dates are long past; signatures are checked all the same
    command += [f'--aptopt=Acquire::{check} "false"' for check in ("Check-Valid-Until", "Check-Date")]
    command += [f"--dpkgopt=path-exclude={path}" for path in bases.LEFT_OUT]
    command += [
        f"--customize-hook=copy-in {' '.join(str(p) for p in sorted(FILES.iterdir()) if p.name != 'setup')} /",
        f"--customize-hook=upload {folder / 'id.pub'} /root/.ssh/authorized_keys",
        f"--customize-hook=upload {folder / 'hostkey'} /etc/ssh/ssh_host_ed25519_key",
        f"--customize-hook=upload {folder / 'hostkey.pub'} /etc/ssh/ssh_host_ed25519_key.pub",
        f"--customize-hook={FILES / 'setup'}",
        SUITE,
        tree,
    ]
    if mirror := packages.mirror():
        command.append(mirror)
    run(command, "making the test machines' Debian")
    (folder / "vmlinuz").write_bytes((tree / "vmlinuz").resolve().read_bytes())
    initrd.make(tree, folder / "initrd.img")
    with disk.open("wb") as file:
        file.truncate(DISK_BYTES)
    run(["mke2fs", "-q", "-t", "ext4", "-L", "rootfs", "-d", tree, disk], "making the test machines' disk")
    run(["rm", "-rf", "--one-file-system", tree], "removing what the disk was made of")
