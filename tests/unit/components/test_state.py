"""What the state has is read while Pulumi writes to it."""

from __future__ import annotations

import time
from typing import Any

import grpc
import pytest

from components import state
from tests.unit.conftest import Recorder

VOLUME = "docker:index/volume:Volume"


@pytest.mark.parametrize(
    ("said", "failures", "found"),
    [("failed to load checkpoint: EOF", 19, True), ("failed to load checkpoint: EOF", 99, False), ("denied", 1, False)],
)
def test_a_state_that_is_being_written_is_read_again(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, said: str, failures: int, found: bool
) -> None:
    recorder.in_state = {(VOLUME, "dbs-volume"): {"name": "dbs"}}
    ask, asked = state.ask, iter(range(failures))

    def half_written(*arguments: Any) -> dict[str, Any]:
        for _ in asked:
            raise grpc.RpcError(said)
        return ask(*arguments)

    monkeypatch.setattr(state, "ask", half_written)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    if found:
        assert state.recorded() == {(VOLUME, "dbs-volume"): {"name": "dbs"}}
    else:
        with pytest.raises(grpc.RpcError, match=said):
            state.recorded()
