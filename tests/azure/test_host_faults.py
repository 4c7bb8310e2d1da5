"""What Azure refuses the stack's host: one line says why, what exists stays usable, and the next `up` finishes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.azure.clone import Clone
from tests.azure.faults import Faults
from tests.azure.machines import Ran
from tests.azure.standin import StandIn

VM = "compute:VirtualMachine"
NEW_MACHINE = ("--replace", "**azure-native:compute:VirtualMachine::**")
REFUSALS: dict[str, tuple[Callable[[Faults], object], str]] = {
    "the region lacks the size": (
        lambda f: f.sizes_unavailable.add(("Standard_B2s", "westeurope")),
        "SkuNotAvailable",
    ),
    "no cores are left": (lambda f: setattr(f, "cores", 1), "exceeding approved Total Regional Cores quota"),
    "it is throttled for long": (lambda f: f.throttle(100, kind="VirtualMachine"), "SubscriptionRequestsThrottled"),
    "others work on it for long": (lambda f: f.conflict(100, kind="NetworkInterface"), "AnotherOperationInProgress"),
    "the machine never gets ready": (lambda f: setattr(f, "never_ready", True), "OSProvisioningTimedOut"),
}


def mend(faults: Faults) -> None:
    fresh = Faults()
    faults.sizes_unavailable, faults.cores, faults.never_ready = fresh.sizes_unavailable, fresh.cores, fresh.never_ready
    faults.bootstrap = None
    faults.queue.clear()


@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_up_that_was_refused_is_finished_by_the_next(clone: Clone, azure: StandIn, refusal: str) -> None:
    switch_on, words = REFUSALS[refusal]
    switch_on(azure.faults)
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert words in said
    made = {key: resource.facts.get("vmId") for key, resource in azure.cloud.resources.items()}
    assert made
    mend(azure.faults)
    clone.change("up")
    assert made.items() <= {key: r.facts.get("vmId") for key, r in azure.cloud.resources.items()}.items()
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_bootstrap_that_failed_is_said_and_mended_by_a_new_machine(clone: Clone, azure: StandIn) -> None:
    azure.faults.bootstrap = Ran(1, "cloud-init failed: no such package")
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "cloud-init failed: no such package" in said
    # the same machine once more is told the same
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "cloud-init failed: no such package" in said
    mend(azure.faults)
    clone.change("up", *NEW_MACHINE)
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_machine_that_hangs_is_replaced(clone: Clone, azure: StandIn) -> None:
    """Nothing on it is deleted for itself: with it goes all that it has."""
    clone.change("up")
    machine = azure.cloud.only(VM)
    azure.faults.agentless = {machine.key}
    clone.change("up", *NEW_MACHINE)
    assert azure.cloud.only(VM).facts["vmId"] != machine.facts["vmId"]
    assert azure.cloud.only("compute:VirtualMachineRunCommandByVirtualMachine").facts["ran"]
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_a_new_machine_that_is_refused_comes_once_the_setting_is_set_back(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    clone.pulumi("config", "set", "--path", "datadocker:host.zone", "1")
    azure.faults.sizes_unavailable = {("Standard_B2s", "westeurope")}
    code, said = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "SkuNotAvailable" in said
    mend(azure.faults)
    clone.pulumi("config", "rm", "--path", "datadocker:host.zone")
    clone.change("up")
    assert not azure.cloud.only(VM).inputs.get("zones")
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_reads_that_lag_behind_and_a_short_throttling_are_not_seen(clone: Clone, azure: StandIn) -> None:
    azure.faults.lag = 2
    azure.faults.throttle(2, retry_after=0.05)
    clone.change("up")
    azure.faults.lag = 0
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
