"""An ssh that can't pin a host's key is told of before anything is made."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi
import pytest

from components.hosts import ssh_client


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("OpenSSH_8.0p1, OpenSSL 1.1.1k  FIPS 25 Mar 2021", False),
        ("OpenSSH_8.4p1 Debian-5", False),
        ("OpenSSH_8.5p1", True),
        ("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15", True),
        ("OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2", True),
        ("OpenSSH_10.0p2", True),
    ],
)
def test_a_client_that_is_too_old(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, good: bool) -> None:
    (tmp_path / "ssh").write_text(f"#!/bin/sh\necho '{version}' >&2\n")
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    ssh_client.check_ssh.cache_clear()
    if good:
        ssh_client.check_ssh()
        return
    with pytest.raises(pulumi.RunError, match=rf"which {version.split('p')[0]}p?.* does not have: install OpenSSH 8.5"):
        ssh_client.check_ssh()


def test_no_client_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ssh_client.check_ssh.cache_clear()
    with pytest.raises(pulumi.RunError, match="there is none here: install openssh-client"):
        ssh_client.check_ssh()
