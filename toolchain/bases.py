"""Root filesystems of Debian for the images, made from the machine's own package mirror."""

from __future__ import annotations

import hashlib
from pathlib import Path

from toolchain import cache, packages
from toolchain.progress import run

SUITES = ("bookworm", "sid")
LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# what no container needs; a third of the size
LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")

# apt's caches would be in every image built on it, twice the size of what is installed
NO_CACHES = (
    'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; };\n'
)


def ensure() -> Path:
    """Returns a folder with a `<suite>.tar` for each of SUITES, of a name that says what went into it."""
    return cache.entry(_name(), _make)


def get_ready() -> None:
    """Gets what `ensure` needs, unless it has nothing to do.

    Raises:
        ToolchainError: if that can't be had here.
    """
    if not (cache.root() / _name()).exists():
        packages.require(["mmdebstrap"], ["mmdebstrap"], "making base images")


def _name() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    # not the bundle: it changes with Debian's updates, and each of them would replace every container
    for certificate in sorted(LOCAL_CERTIFICATES.glob("*.crt")):
        digest.update(certificate.read_bytes())
    return f"bases-{digest.hexdigest()[:16]}"


def _make(folder: Path) -> None:
    for suite in SUITES:
        command: list[str | Path] = ["mmdebstrap", "--variant=minbase", "--include=ca-certificates"]
        # a mirror may be a snapshot whose dates are long past; signatures are checked all the same
        for check in ("Check-Valid-Until", "Check-Date"):
            command.append(f'--aptopt=Acquire::{check} "false"')
        # born with the merged /usr, bookworm needs no package that merges it, and so not all of Perl
        command += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--include=usr-is-merged"]
        command += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
        if LOCAL_CERTIFICATES.is_dir():
            command.append(f"--customize-hook=sync-in {LOCAL_CERTIFICATES} {LOCAL_CERTIFICATES}")
            command.append('--customize-hook=chroot "$1" update-ca-certificates')
        if BUNDLE.exists():
            # a build behind a company's proxy has to trust what this machine trusts
            command.append(f"--customize-hook=upload {BUNDLE} {BUNDLE}")
        command.append(f"--customize-hook=printf '%s' '{NO_CACHES}' > \"$1\"/etc/apt/apt.conf.d/no-caches")
        command += ['--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*']
        command += [suite, folder / f"{suite}.tar"]
        if mirror := packages.mirror():
            command.append(mirror)
        run(command, f"making a root filesystem of Debian {suite}")
