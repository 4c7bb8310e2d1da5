"""An `up` that is killed while Azure makes something is finished by the next one."""

from __future__ import annotations

import threading

import pytest

from tests.azure.clone import Clone
from tests.azure.errors import AzureError
from tests.azure.kinds import KINDS
from tests.azure.machines import RecordingRoom
from tests.azure.standin import StandIn

SECONDS = 120


class Moment:
    """The making of one kind of resource, which takes until it is told to end; with `before` it comes to nothing."""

    def __init__(self, azure: StandIn, kind: str, *, before: bool = False) -> None:
        self.begun, self.ends = threading.Event(), threading.Event()
        self._kind = kind
        if before:
            azure.faults.write = self._write  # type: ignore[method-assign]
        else:
            azure.faults.delay = self._delay  # type: ignore[method-assign]

    def _write(self, token: str, resource_id: str, subscription: str) -> None:
        under_way = not self.ends.is_set()
        self._delay(token)
        if self.begun.is_set() and under_way:
            raise AzureError(500, "InternalServerError", "nobody hears of it")

    def _delay(self, token: str) -> float:
        if token.endswith(f":{self._kind}") and not self.ends.is_set():
            self.begun.set()
            self.ends.wait(SECONDS)
        return 0.0


@pytest.mark.parametrize(
    "kind",
    ["ResourceGroup", "NetworkSecurityGroup", "Subnet", "VirtualMachine", "VirtualMachineRunCommandByVirtualMachine"],
)
def test_what_azure_was_making_is_finished_by_the_next_up(clone: Clone, azure: StandIn, kind: str) -> None:
    moment = Moment(azure, kind)
    clone.killed(moment.begun, "up", "--yes", "--skip-preview")
    moment.ends.set()
    said = clone.change("up")
    assert "is there, or on its way: the next up finishes it" in said
    assert any(resource.endswith(f":{kind}") for resource in clone.resources())
    # one machine, which nobody made anew, and whose bootstrap was waited for by this run
    assert started(azure) == 1
    assert calls(azure)[-1] == "run_command"
    assert is_done(clone)


def test_what_azure_never_began_is_made_by_the_next_up(clone: Clone, azure: StandIn) -> None:
    moment = Moment(azure, "VirtualMachine", before=True)
    clone.killed(moment.begun, "up", "--yes", "--skip-preview")
    moment.ends.set()
    assert "the next up finishes it" not in clone.change("up")
    assert started(azure) == 1
    assert is_done(clone)


def test_a_group_that_somebody_else_made_is_not_taken(clone: Clone, azure: StandIn) -> None:
    theirs = {"resourceGroupName": "datadocker-staging", "location": "westeurope", "tags": {"owner": "they"}}
    moment = Moment(azure, "ResourceGroup", before=True)
    clone.killed(moment.begun, "up", "--yes", "--skip-preview")
    moment.ends.set()
    azure.cloud.put(KINDS["azure-native:resources:ResourceGroup"], theirs)
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "resource group datadocker-staging exists, and the stack makes its own: name another by" in said
    clone.change("destroy")
    assert azure.cloud.only("resources:ResourceGroup").name == "datadocker-staging"


def test_a_machine_that_was_being_replaced_is_made_once(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    clone.pulumi("config", "set", "--path", "datadocker:host.disk.size", "64")
    moment = Moment(azure, "VirtualMachine")
    clone.killed(moment.begun, "up", "--yes", "--skip-preview")
    moment.ends.set()
    clone.change("up")
    assert started(azure) == 2
    assert calls(azure)[-1] == "run_command"
    assert is_done(clone)


def test_a_machine_that_was_being_deleted_to_be_replaced_is_forgotten_with_what_was_on_it(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.change("up")
    clone.pulumi("config", "set", "--path", "datadocker:host.disk.size", "64")
    begun, ends, delete = threading.Event(), threading.Event(), azure.cloud.delete

    def slow(resource_id: str) -> None:
        machine = azure.cloud.resources[resource_id.lower()] in azure.cloud.of_type("compute:VirtualMachine")
        delete(resource_id)
        if machine and not ends.is_set():
            begun.set()
            ends.wait(SECONDS)

    monkeypatch.setattr(azure.cloud, "delete", slow)
    clone.killed(begun, "up", "--yes", "--skip-preview")
    ends.set()
    assert "virtual machine host-machine-vm is gone: the state forgets what was on it" in clone.change("up")
    assert started(azure) == 2
    assert is_done(clone)


def calls(azure: StandIn) -> list[str]:
    assert isinstance(azure.cloud.machines, RecordingRoom)
    return [call[0] for call in azure.cloud.machines.calls]


def started(azure: StandIn) -> int:
    return calls(azure).count("start")


def is_done(clone: Clone) -> bool:
    said = clone.change("up")
    return " unchanged" in said and not {"created", "updated", "replaced"} & set(said.split())
