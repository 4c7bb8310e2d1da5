"""Random sequences of calls, kills and restarts, checked against a model of the protocol.

`PLUGIN_MODEL_REQUESTS` sets how many requests are sent (500).
"""

import json
import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from azurefile.owner import overlap
from tests.plugin.harness import PluginProcess, Refused

pytestmark = pytest.mark.root

STEPS = 50
REQUESTS = int(os.environ.get("PLUGIN_MODEL_REQUESTS", "500"))

NAMES = st.sampled_from(["one", "two", "three", "four"])
IDS = st.sampled_from(["a", "b", "c"])
OPTIONS = st.fixed_dictionaries(
    {"share": st.sampled_from(["dbs", "logs"])},
    optional={
        "folder": st.sampled_from(["x", "x/y", "z"]),
        "exclusive": st.sampled_from(["true", "false"]),
    },
)
CALLS = st.sampled_from(["Create", "Get", "Path", "List", "Mount", "Unmount", "Remove", "Capabilities", "Nothing"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


class Model(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="ddtest-")
        self.plugin = PluginProcess(Path(self.folder.name)).start()
        self.volumes: dict[str, dict[str, str]] = {}
        self.ids: dict[str, Counter[str]] = {}

    def teardown(self) -> None:
        self.plugin.close()
        self.folder.cleanup()

    @rule(name=NAMES, options=OPTIONS)
    def create(self, name: str, options: dict[str, str]) -> None:
        wanted = {"folder": "", "exclusive": "false", **options}
        expected = self.volumes.get(name, wanted) == wanted
        assert self.accepts("Create", Name=name, Opts=options) is expected
        if expected and name not in self.volumes:
            self.volumes[name] = wanted
            self.ids[name] = Counter()

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        expected = name in self.volumes and not self.ids[name]
        assert self.accepts("Remove", Name=name) is expected
        if expected:
            del self.volumes[name], self.ids[name]

    @rule(name=NAMES, mount_id=IDS)
    def mount(self, name: str, mount_id: str) -> None:
        expected = name in self.volumes and self.may_mount(name, mount_id)
        assert self.accepts("Mount", Name=name, ID=mount_id) is expected
        if expected:
            self.ids[name][mount_id] += 1

    @rule(name=NAMES, mount_id=IDS)
    def unmount(self, name: str, mount_id: str) -> None:
        assert self.accepts("Unmount", Name=name, ID=mount_id) is (name in self.volumes)
        if name in self.volumes and self.ids[name][mount_id] > 0:
            self.ids[name][mount_id] -= 1
        if name in self.volumes:
            self.ids[name] = +self.ids[name]

    @rule(call=CALLS, value=JSON)
    def send_any_json(self, call: str, value: object) -> None:
        """Names of the model have no uppercase; `X` makes sure that none is hit."""
        if isinstance(value, dict):
            value = {**value, "Name": "X" + str(value.get("Name", ""))}
        elif call == "List":
            return
        status, answer = self.plugin.raw(f"/VolumeDriver.{call}", json.dumps(value).encode())
        assert status in (200, 400, 404, 500)
        assert (status == 200) is ("Err" not in answer)

    @rule(call=CALLS, body=st.binary(min_size=1, max_size=64))
    def send_anything(self, call: str, body: bytes) -> None:
        status, answer = self.plugin.raw(f"/VolumeDriver.{call}", body)
        assert status in (200, 400, 404, 500)
        assert (status == 200) is ("Err" not in answer)

    @rule(gently=st.booleans())
    def restart(self, gently: bool) -> None:
        if gently:
            assert self.plugin.stop() == 0
        else:
            self.plugin.kill()
        self.plugin.start()

    @invariant()
    def the_plugin_agrees(self) -> None:
        assert [n for n in self.plugin.names() if not n.startswith("X")] == sorted(self.volumes)
        for name, ids in self.ids.items():
            assert self.plugin.status(name).get("mounts", 0) == ids.total()
            assert self.plugin.mounted(name) == (1 if ids else 0)

    def may_mount(self, name: str, mount_id: str) -> bool:
        if self.ids[name][mount_id] > 0:
            return True
        mine = self.volumes[name]
        return not any(
            self.ids[other]
            and theirs["share"] == mine["share"]
            and overlap(theirs["folder"], mine["folder"])
            and "true" in (theirs["exclusive"], mine["exclusive"])
            for other, theirs in self.volumes.items()
        )

    def accepts(self, call: str, **body: object) -> bool:
        try:
            self.plugin.call(f"VolumeDriver.{call}", **body)
        except Refused:
            return False
        return True


def test_the_plugin_behaves_as_the_model() -> None:
    run_state_machine_as_test(
        Model,
        settings=settings(
            max_examples=max(1, REQUESTS // STEPS),
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
