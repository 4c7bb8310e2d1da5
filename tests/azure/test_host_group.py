"""A host's resource group: it stays, is made anew with all that is in it, or is refused before anything goes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.azure.clone import Clone
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.kinds import KINDS, Kind
from tests.azure.resource import Resource
from tests.azure.standin import StandIn


def changed(clone: Clone, setting: str, value: str) -> tuple[int, str]:
    """Code and text of an `up` with a setting that is taken back afterwards."""
    clone.pulumi("config", "set", "--path", f"datadocker:host.{setting}", value)
    done = clone.run("up", "--yes", "--skip-preview")
    clone.pulumi("config", "rm", "--path", f"datadocker:host.{setting}")
    return done


def test_a_host_that_stands_keeps_its_group_or_gets_one_that_can_be_made(clone: Clone, azure: StandIn) -> None:
    clone.change("up")
    azure.cloud.put(
        KINDS["azure-native:resources:ResourceGroup"], {"resourceGroupName": "theirs", "location": "eastus"}
    )
    before = {key: {**found.inputs} for key, found in azure.cloud.resources.items()}
    for setting, value, said in (
        ("existingResourceGroup", "datadocker-staging", "which the stack made, and Azure moves it to no other"),
        ("existingResourceGroup", "theirs", "which the stack made, and Azure moves it to no other"),
        ("resourceGroup", "theirs", "resource group theirs exists"),
    ):
        code, printed = changed(clone, setting, value)
        assert code
        assert said in printed
    clone.pulumi("config", "set", "--path", "datadocker:host.location", "westeuropa")
    code, printed = clone.run("up", "--yes", "--skip-preview")
    assert code
    assert "no region that is known here" in printed
    clone.pulumi("config", "set", "--path", "datadocker:host.location", "westeurope")
    # another case is the same group
    assert changed(clone, "resourceGroup", "Datadocker-Staging")[0] == 0
    assert {key: found.inputs for key, found in azure.cloud.resources.items()} == before


def test_a_host_in_a_group_that_exists_stays_there(clone: Clone, azure: StandIn) -> None:
    for name in ("one", "other"):
        azure.cloud.put(
            KINDS["azure-native:resources:ResourceGroup"], {"resourceGroupName": name, "location": "westeurope"}
        )
    clone.pulumi("config", "set", "--path", "datadocker:host.existingResourceGroup", "one")
    clone.change("up")
    before = {key: {**found.inputs} for key, found in azure.cloud.resources.items()}
    for value in ("other", None):
        where = "datadocker:host.existingResourceGroup"
        clone.pulumi("config", *(("set", "--path", where, value) if value else ("rm", "--path", where)))
        code, printed = clone.run("up", "--yes", "--skip-preview")
        assert code
        assert "is in resource group one, and Azure moves it to no other: set" in printed
    clone.pulumi("config", "set", "--path", "datadocker:host.existingResourceGroup", "ONE")
    clone.change("up")
    assert {key: found.inputs for key, found in azure.cloud.resources.items()} == before


def refuse_once(monkeypatch: pytest.MonkeyPatch, azure: StandIn, kind: str) -> None:
    """Lets the next creation of a resource of that kind fail."""
    refused: list[str] = []

    def put(self: Cloud, made: Kind, inputs: dict[str, Any]) -> Resource:
        if made.token.endswith(f":{kind}") and not refused:
            refused.append(kind)
            raise AzureError(500, "InternalServerError", "for a moment")
        return whole(self, made, inputs)

    whole = Cloud.put
    monkeypatch.setattr(Cloud, "put", put)


@pytest.mark.parametrize("kind", ["ResourceGroup", "VirtualNetwork"])
@pytest.mark.parametrize("region", ["westeurope", "northeurope"])
def test_a_move_that_failed_half_way_is_finished_or_taken_back(
    clone: Clone, azure: StandIn, monkeypatch: pytest.MonkeyPatch, kind: str, region: str
) -> None:
    clone.change("up")
    before = names(azure.cloud)
    clone.pulumi("config", "set", "--path", "datadocker:host.location", "northeurope")
    refuse_once(monkeypatch, azure, kind)
    assert clone.run("up", "--yes", "--skip-preview")[0]
    clone.pulumi("config", "set", "--path", "datadocker:host.location", region)
    clone.change("up")
    assert names(azure.cloud) == before
    assert {r.location for r in azure.cloud.resources.values() if r.location} == {region}
    clone.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")


def names(cloud: Cloud) -> list[str]:
    """What there is; another machine's disk has another name, and so has another network's subnet."""
    return sorted(re.sub("(_osdisk_1_|/subnets/host-)[0-9a-f]+", r"\1", key) for key in cloud.resources)
