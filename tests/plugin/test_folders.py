"""The way to a volume's folder, where the share's server goes away in the middle of it."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from azurefile import folders, options
from azurefile.errors import ShareError, ShareSilent
from azurefile.volumes import Volume


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_PATH)
    yield descriptor
    os.close(descriptor)


def reach(root: int, protocol: str) -> None:
    given = {"share": "dbs", "protocol": protocol} | ({} if protocol == "local" else {"server": "192.0.2.1"})
    volume = Volume("dbs", options.parse("dbs", given, {}), given, "")
    with folders.opened(root, ["a"], volume, share_first=False, own=False):
        pass


@pytest.mark.parametrize(
    ("protocol", "number", "kind"),
    [
        ("smb", errno.EIO, ShareSilent),
        ("nfs", errno.EHOSTDOWN, ShareSilent),
        ("smb", errno.EACCES, ShareError),
        # a disk of the host that fails does not come back
        ("local", errno.EIO, ShareError),
    ],
)
def test_what_passes_is_told_as_what_passes(
    root: int, monkeypatch: pytest.MonkeyPatch, protocol: str, number: int, kind: type[ShareError]
) -> None:
    def fails(*_: object, **more: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(ShareError, match='folder "a" of share "dbs" can\'t be opened') as caught:
        reach(root, protocol)
    assert type(caught.value) is kind
