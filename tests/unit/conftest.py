"""Pulumi's mocks for the tests of components: what is registered is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi.runtime
import pytest


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers for every provider, and remembers what it was asked to make."""

    made: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made.append(args)
        outputs = dict(args.inputs)
        if args.typ == "pulumi:index:Stash":
            outputs["output"] = args.inputs["input"]
        return f"{args.name}-id", outputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"nothing here looks anything up, but {args.token} was called")

    def one(self, typ: str, name: str) -> dict[str, Any]:
        """The inputs of the only resource of that type and name."""
        found = [m.inputs for m in self.made if (m.typ, m.name) == (typ, name)]
        assert len(found) == 1, f"{typ} {name}: {len(found)} of {[(m.typ, m.name) for m in self.made]}"
        return dict(found[0])

    def all(self, typ: str) -> dict[str, dict[str, Any]]:
        """Name → inputs of all resources of a type."""
        return {m.name: dict(m.inputs) for m in self.made if m.typ == typ}


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    mocks = Recorder()
    pulumi.runtime.set_mocks(mocks, project="datadocker", stack="unit", preview=False)
    yield mocks


Build = Callable[[Callable[[], Any]], Any]


@pytest.fixture
def build(recorder: Recorder) -> Build:
    """Runs a program under mocks, waits for all that it registered, and returns what it returned.

    Where the program returns outputs, in a dict, their values come back: they are awaited.
    """

    def run(program: Callable[[], Any]) -> Any:
        result: dict[str, Any] = {}

        @pulumi.runtime.test
        async def wrapped() -> None:
            returned = program()
            for name, value in (returned or {}).items():
                output = pulumi.Output.from_input(value)
                result[name] = await output.future()
                result[f"{name} is secret"] = await output.is_secret()

        wrapped()
        return result

    asyncio.set_event_loop(asyncio.new_event_loop())
    return run
