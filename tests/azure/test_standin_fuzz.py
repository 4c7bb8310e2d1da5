"""Whatever one asks for, the stand-in takes it or refuses it, and never trips over it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError, PartialError
from tests.azure.kinds import KINDS
from tests.azure.samples import COMPUTE, NETWORK, SAMPLES, Payload, furnish, payload, put

RULE = "network:SecurityRule"
HOSTS = {"id": f"{NETWORK}/virtualNetworks/net/subnets/hosts"}
STATIC = {"privateIPAddress": "10.1.0.9", "privateIPAllocationMethod": "Static"}
DISK = {"createOption": "Attach", "osType": "Linux", "managedDisk": {"id": f"{COMPUTE}/disks/spare"}}
# what stands in no sample
MORE: list[tuple[str, Payload]] = [
    ("network:VirtualNetwork", {"subnets": [{"name": "hosts", "addressPrefixes": ["10.1.0.0/24"]}]}),
    ("network:NetworkSecurityGroup", {"securityRules": [{**SAMPLES[RULE], "name": "first"}]}),
    (
        RULE,
        {
            "sourceAddressPrefix": None,
            "sourceAddressPrefixes": ["203.0.113.5", "198.51.100.0/24"],
            "destinationPortRange": None,
            "destinationPortRanges": ["22", "6603-6604"],
        },
    ),
    (
        "network:NetworkInterface",
        {
            "ipConfigurations": [
                {"name": "main", "subnet": HOSTS, "primary": True, **STATIC},
                {"name": "more", "subnet": HOSTS},
            ]
        },
    ),
    ("network:NatGateway", {"publicIpAddresses": [{"id": f"{NETWORK}/publicIPAddresses/address"}], "zones": ["1"]}),
    ("network:PublicIPAddress", {"zones": ["1"], "idleTimeoutInMinutes": 10, "tags": {"team": "data"}}),
    ("compute:VirtualMachine", {"osProfile__adminPassword": "Correct-Horse-1", "identity": {"type": "SystemAssigned"}}),
    ("compute:VirtualMachine", {"storageProfile": {"osDisk": DISK}, "osProfile": None}),
    ("compute:VirtualMachine", {"availabilitySet": {"id": f"{COMPUTE}/availabilitySets/set"}}),
    (
        "compute:VirtualMachineRunCommandByVirtualMachine",
        {"parameters": [{"name": "what", "value": "all"}], "timeoutInSeconds": 10},
    ),
    ("storage:StorageAccount", {"networkRuleSet__ipRules": [{"iPAddressOrRange": "198.51.100.7"}]}),
    ("storage:FileShare", {"enabledProtocols": "SMB", "accessTier": "Hot", "metadata": {"team": "data"}}),
]
GONE = object()
VALUES: list[Any] = [None, "", "x", "?", 0, -1, 1.5, True, [], [None], {}, [{}], "10.1.0.999", "10.1.9.0/24"]
VALUES += [f"{NETWORK}/virtualNetworks/net", HOSTS["id"].upper(), "/subscriptions/", "a/b"]
ASKED = [*((token, {}) for token in SAMPLES), *MORE]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the way to each value inside another one."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in inside:
        yield (*way, step)
        yield from places(item, (*way, step))


def spoilt(asked: Payload, way: tuple[Any, ...], value: Any) -> Payload:
    """Returns a payload with one value taken away, or with another in its place."""
    changed = copy.deepcopy(asked)
    *before, last = way
    holder: Any = changed
    for step in before:
        holder = holder[step]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = copy.deepcopy(value)
    return changed


def furnished(number: int, there: bool) -> Cloud:
    """Returns a cloud with what a payload needs, or with what it made, too; a sample has its users around it."""
    token, change = ASKED[number]
    made = Cloud()
    furnish(made, None if there and not change else token)
    if there:
        put(made, token, **change)
    return made


def stored(cloud: Cloud) -> str:
    return json.dumps({key: resource.to_json() for key, resource in cloud.resources.items()})


@pytest.mark.parametrize("there", [False, True], ids=["new", "change"])
@pytest.mark.parametrize("number", range(len(ASKED)), ids=[token.split(":")[1] for token, _ in ASKED])
def test_no_payload_is_too_strange_to_be_answered(number: int, there: bool) -> None:
    token, change = ASKED[number]
    asked = payload(token, **change)
    chance = random.Random(number)
    cloud = furnished(number, there)
    for way in places(asked):
        for value in (GONE, *chance.sample(VALUES, 2)):
            before = stored(cloud)
            try:
                cloud.put(KINDS[f"azure-native:{token}"], spoilt(asked, way, value))
                for resource in list(cloud.resources.values()):
                    cloud.get(resource.id)
            except PartialError:
                pass
            except AzureError:
                assert stored(cloud) == before, "what is refused leaves all as it was"
                continue
            except Exception as error:
                raise AssertionError(f"{token} with {'nothing' if value is GONE else repr(value)} at {way}") from error
            cloud = furnished(number, there)
