"""Programs that are run for the user: what is told of one that fails."""

from __future__ import annotations

import pytest

from toolchain.progress import FREE_SOME, ToolchainError, run


@pytest.mark.parametrize("full", ["No space left on device", "Disk quota exceeded"])
def test_a_full_disk_is_one_line_whatever_is_said_after_it(full: str) -> None:
    said = f"echo 'OSError: [Errno 28] {full}'; for n in 1 2 3 4 5 6 7 8 9; do echo $n; done; exit 1"
    with pytest.raises(ToolchainError) as error:
        run(["sh", "-c", said], "installing it")
    assert str(error.value) == f"installing it failed: {full}: {FREE_SOME}"


def test_of_another_failure_the_end_is_told() -> None:
    with pytest.raises(ToolchainError) as error:
        run(["sh", "-c", "for n in 1 2 3 4 5 6 7 8 9; do echo $n; done; exit 3"], "installing it")
    assert str(error.value) == "\n  ".join(["installing it failed (exit code 3):", *"23456789"])
