"""What machines run in follows from the kernel, or from what one says."""

from pathlib import Path

import pytest

from tests.machines import image, runtime
from tests.machines.nspawn import Nspawn
from tests.machines.qemu import Qemu
from toolchain import cache, packages

LOCAL = "nodev\tproc\n\text4\nnodev\toverlay\n"
SHARES = LOCAL + "nodev\tcifs\nnodev\tsmb3\nnodev\tnfs\nnodev\tnfs4\n"


@pytest.mark.parametrize(
    ("filesystems", "expected"), [(LOCAL, Qemu), (LOCAL + "nodev\tcifs\n", Qemu), (SHARES, Nspawn)]
)
def test_a_kernel_that_mounts_shares_needs_no_other(
    filesystems: str, expected: type[runtime.Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(runtime.VARIABLE, raising=False)
    monkeypatch.setattr(runtime, "_filesystems", lambda: filesystems)
    assert runtime.chosen() is expected


def test_one_may_say_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_filesystems", lambda: SHARES)
    monkeypatch.setenv(runtime.VARIABLE, "qemu")
    assert runtime.chosen() is Qemu
    monkeypatch.setenv(runtime.VARIABLE, "kvm")
    with pytest.raises(ValueError, match='DATADOCKER_TEST_MACHINES is "kvm"; it must be one of qemu, nspawn'):
        runtime.chosen()


@pytest.mark.parametrize("kind", runtime.KINDS.values())
def test_what_a_machine_runs_in_is_installed_with_what_its_image_needs(
    kind: type[runtime.Runtime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(packages, "require", lambda programs, names, _: asked.extend((*programs, *names)))
    monkeypatch.setattr(cache, "entry", lambda *_: tmp_path)
    assert image.ensure(kind) == tmp_path
    assert {"mmdebstrap", *kind.programs, *kind.packages} <= set(asked)
