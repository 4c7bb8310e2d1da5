"""What a killed run was making on Azure: it may be there, half made, and Azure creates nothing that exists.

What there is has a name that the run's own inputs say. So the state takes it as if it had been made; the refresh that
follows drops it if it is not there; and what is left is marked as not initialised, which has the next `up` ask for all
of it once more, and wait. The import that takes it in forgets what was pending, so until then it is kept in a file of
our own. (`pulumi refresh --import-pending-creates` only drops it: nothing in the CLI reads such an
operation.)
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from toolchain import cache
from toolchain.backend import Backend
from toolchain.login import default_subscription
from toolchain.progress import say

GROUP = "azure-native:resources:ResourceGroup"
INSIDE = "/subscriptions/{subscription}/resourceGroups/{resourceGroupName}"
COMPUTE, NETWORK = f"{INSIDE}/providers/Microsoft.Compute", f"{INSIDE}/providers/Microsoft.Network"
# the host's; the data's are looked for by the program, since they may be left from another stack's life
IDS = {
    GROUP: INSIDE,
    "azure-native:compute:AvailabilitySet": COMPUTE + "/availabilitySets/{availabilitySetName}",
    "azure-native:compute:VirtualMachine": COMPUTE + "/virtualMachines/{vmName}",
    "azure-native:compute:VirtualMachineRunCommandByVirtualMachine": (
        COMPUTE + "/virtualMachines/{vmName}/runCommands/{runCommandName}"
    ),
    "azure-native:network:NatGateway": NETWORK + "/natGateways/{natGatewayName}",
    "azure-native:network:NetworkInterface": NETWORK + "/networkInterfaces/{networkInterfaceName}",
    "azure-native:network:NetworkSecurityGroup": NETWORK + "/networkSecurityGroups/{networkSecurityGroupName}",
    "azure-native:network:PublicIPAddress": NETWORK + "/publicIPAddresses/{publicIpAddressName}",
    "azure-native:network:Subnet": NETWORK + "/virtualNetworks/{virtualNetworkName}/subnets/{subnetName}",
    "azure-native:network:VirtualNetwork": NETWORK + "/virtualNetworks/{virtualNetworkName}",
}
Resource = dict[str, Any]


def take_in(backend: Backend, stack: str, pending: list[dict[str, Any]]) -> dict[str, Resource]:
    """Puts what was being made on Azure into the state; returns it by its URN, with what was before it came to the end.

    The caller refreshes then.

    Raises:
        ToolchainError: if the state can't be changed.
    """
    before = taken_in(backend, stack)
    begun = [o["resource"] for o in pending if o["type"] == "creating" and o["resource"]["type"] in IDS]
    if not begun:
        return before
    exported = json.loads(backend.cli.export(stack))
    resources: list[Resource] = exported["deployment"].get("resources") or []
    subscription = _subscription(resources)
    if not subscription:
        return before
    # one that was replaced is there until the new one is
    there = {r["urn"] for r in resources if not r.get("pendingReplacement")}
    taken = {
        # one that replaces another says when that one was made
        r["urn"]: {key: value for key, value in r.items() if key != "created"}
        | {
            "id": IDS[r["type"]].format(subscription=subscription, **r["inputs"]),
            "outputs": r["inputs"],
            "initErrors": ["a run was killed while it was being made"],
        }
        for r in begun
        if r["urn"] not in there
    }
    places = {r["urn"] for r in resources}
    exported["deployment"]["resources"] = [taken.get(r["urn"], r) for r in resources] + [
        r for urn, r in taken.items() if urn not in places
    ]
    taken = before | taken
    file = _kept_in(backend, stack)
    cache.beside(file, json.dumps(taken)).rename(file)
    _import(backend, stack, exported)
    return taken


def taken_in(backend: Backend, stack: str) -> dict[str, Resource]:
    """What an earlier call put into the state, by its URN, that nobody has asked for again."""
    file = _kept_in(backend, stack)
    if not backend.states.exists(stack):
        # it went with the stack
        file.unlink(missing_ok=True)
    try:
        return dict(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return {}


def ask_again(backend: Backend, stack: str, taken: dict[str, Resource]) -> None:
    """Marks what is left of `taken`, since the refresh calls it sound; so the next `up` makes it what it is to be.

    Raises:
        ToolchainError: if the state can't be changed.
    """
    if not taken:
        return
    exported = json.loads(backend.cli.export(stack))
    found: list[Resource] = exported["deployment"].get("resources") or []
    exported["deployment"]["resources"] = found = [
        r for r in found if not (_is_taken(r, taken) and _is_anothers(r, taken[r["urn"]]))
    ]
    for resource in found:
        if _is_taken(resource, taken):
            # without what Azure added to them, which would be a change
            resource |= {key: taken[resource["urn"]][key] for key in ("inputs", "initErrors")}
            say(f"{resource['id']} is there, or on its way: the next up finishes it")
    _import(backend, stack, exported)
    _kept_in(backend, stack).unlink(missing_ok=True)


def _kept_in(backend: Backend, stack: str) -> Path:
    # what was pending is known of no other backend
    return (backend.states.folder or backend.state) / f"datadocker-taken-{stack}.json"


def _is_taken(found: Resource, taken: dict[str, Resource]) -> bool:
    """Whether it is one of `taken` still: what Pulumi itself has made since says when."""
    return found["urn"] in taken and not found.get("created")


def _is_anothers(found: Resource, begun: Resource) -> bool:
    """Whether it is a group that was there before: it lacks the tags of the one that was being made."""
    tags = found["outputs"].get("tags") or {}
    return found["type"] == GROUP and not (begun["inputs"].get("tags") or {}).items() <= tags.items()


def _subscription(resources: list[Resource]) -> str:
    """The subscription that the stack's resources are in, or would be."""
    for resource in resources:
        if found := re.match("/subscriptions/([^/]+)/", str(resource.get("id", ""))):
            return found[1]
    for resource in resources:
        if resource["type"] == "pulumi:providers:azure-native" and "subscriptionId" in resource.get("inputs", {}):
            return str(resource["inputs"]["subscriptionId"])
    return os.environ.get("ARM_SUBSCRIPTION_ID") or default_subscription()


def _import(backend: Backend, stack: str, exported: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="datadocker-") as file:
        json.dump(exported, file)
        file.flush()
        backend.cli.run("stack", "import", "--file", file.name, "--stack", stack)
