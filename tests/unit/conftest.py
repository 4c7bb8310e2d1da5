"""Pulumi's mocks for the tests of components: what is registered is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi.runtime
import pytest

from components import azure_lookup, state
from tests.unit.fake_engine import FakeEngine, fake_engine

SECRET = "4dabf18193072939515e22adb298388d"  # the wire's mark, pulumi/sdk: SpecialSigKey


def opened(value: Any) -> Any:
    """`value` with its secrets opened."""
    if isinstance(value, dict):
        return opened(value["value"]) if SECRET in value else {k: opened(v) for k, v in value.items()}
    return [opened(v) for v in value] if isinstance(value, list) else value


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers for every provider, and remembers what it was asked to make."""

    made: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)
    stashed: dict[str, Any] = field(default_factory=dict)
    """Name → what a Stash kept of an earlier run."""
    in_state: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Type and name → outputs of what the stack's state has."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made.append(args)
        outputs = opened(args.inputs)
        if args.typ == "pulumi:index:Stash":
            outputs["output"] = self.stashed.get(args.name, outputs["input"])
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        if args.token != "pulumi:pulumi:readStackResourceOutputs":
            raise AssertionError(f"nothing here looks anything up, but {args.token} was called")
        return {
            "outputs": {
                f"urn:pulumi:s::p::some:index:Component${typ}::{name}": {"type": typ, "outputs": outputs}
                for (typ, name), outputs in self.in_state.items()
            }
        }

    def one(self, typ: str, name: str) -> dict[str, Any]:
        """The inputs of the only resource of that type and name, secrets opened."""
        found = [m.inputs for m in self.made if (m.typ, m.name) == (typ, name)]
        assert len(found) == 1, f"{typ} {name}: {len(found)} of {[(m.typ, m.name) for m in self.made]}"
        return dict(opened(found[0]))

    def is_secret(self, typ: str, name: str, key: str) -> bool:
        """Whether that input of that resource is a secret."""
        (value,) = [m.inputs[key] for m in self.made if (m.typ, m.name) == (typ, name)]
        return isinstance(value, dict) and SECRET in value

    def all(self, typ: str) -> dict[str, dict[str, Any]]:
        """Name → inputs of all resources of a type."""
        return {m.name: opened(m.inputs) for m in self.made if m.typ == typ}


@pytest.fixture
def recorder() -> Recorder:
    mocks = Recorder()
    pulumi.runtime.set_mocks(mocks, project="datadocker", stack="unit", preview=False)
    state._recorded.cache_clear()
    azure_lookup._looked_up.cache_clear()
    return mocks


Options = dict[tuple[str, str], pulumi.ResourceOptions]


def waited_for(opts: pulumi.ResourceOptions) -> list[str]:
    """Names of what comes first."""
    resources: Any = opts.depends_on
    return sorted(resource._name for resource in resources)


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Options:
    """Type and name → options of all that is registered."""
    seen: Options = {}
    register = pulumi.runtime.resource.register_resource

    def watched(
        res: Any, typ: str, name: str, custom: bool, remote: bool, new: Any, props: Any, opts: Any, *more: Any
    ) -> Any:
        seen[typ, name] = opts
        return register(res, typ, name, custom, remote, new, props, opts, *more)

    monkeypatch.setattr("pulumi.resource.register_resource", watched)
    return seen


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[FakeEngine]:
    """Answers as an engine without containers does."""
    with fake_engine(tmp_path) as made:
        yield made


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a database for its health, nor the machine for free ports."""
    monkeypatch.setattr("components.databases.readiness._wait", lambda *_: None)
    monkeypatch.setattr("components.hosts.claims._free", lambda _: True)


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Name → value of the stack's outputs."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", made.__setitem__)
    return made


Build = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def build(recorder: Recorder) -> Build:
    """Runs a program under mocks, waits for all that it registered, and returns what it returned.

    Where the program returns outputs, in a dict, their values come back: they are awaited.
    """

    def run(program: Callable[[], Any]) -> Any:
        returned: dict[str, Any] = {}

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def wrapped() -> None:
            returned.update(program() or {})

        loop = asyncio.get_event_loop()
        # what comes after an output that failed is awaited by nobody, and asyncio would print each
        loop.set_exception_handler(lambda *_: None)
        wrapped()
        result: dict[str, Any] = {}
        for name, value in returned.items():
            output = pulumi.Output.from_input(value)
            result[name] = loop.run_until_complete(output.future())
            result[f"{name} is secret"] = loop.run_until_complete(output.is_secret())
        return result

    return run


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is in use, whoever runs the tests."""
    for variable in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(variable, raising=False)
