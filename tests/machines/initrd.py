"""A small initrd for the machines: a shell script that loads four modules and mounts the disk.

Debian's own starts udev, which takes a third of an emulated machine's boot.
"""

import gzip
import stat
import subprocess
from pathlib import Path

MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
for module in {modules}; do /bin/busybox insmod /modules/$module; done
until /bin/busybox mount -t ext4 /dev/vda /root; do /bin/busybox sleep 0.1; done
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
"""


def make(tree: Path, target: Path) -> None:
    """Writes an initrd for the kernel of the root filesystem `tree`."""
    kernel = next((tree / "lib/modules").iterdir()).name
    files: list[Path] = []
    for module in MODULES:
        command = ["chroot", str(tree), "modprobe", "-S", kernel, "--show-depends", module]
        for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
            # a line is "insmod PATH [options]", or "builtin NAME"
            verb, path = line.split()[:2]
            if verb == "insmod" and tree / path[1:] not in files:
                files.append(tree / path[1:])
    init = INIT.format(modules=" ".join(f.name for f in files))
    archive = b"".join(_entry(name, stat.S_IFDIR | 0o755) for name in ("bin", "dev", "modules", "root"))
    archive += _entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive += _entry("bin/busybox", stat.S_IFREG | 0o755, (tree / "bin/busybox").read_bytes())
    archive += b"".join(_entry(f"modules/{f.name}", stat.S_IFREG | 0o644, f.read_bytes()) for f in files)
    archive += _entry("init", stat.S_IFREG | 0o755, init.encode()) + _entry("TRAILER!!!", 0)
    target.write_bytes(gzip.compress(archive, 1))


def _entry(name: str, mode: int, content: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    """One file in the "newc" format of cpio (docs.kernel.org, "initramfs buffer format")."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % 4)
