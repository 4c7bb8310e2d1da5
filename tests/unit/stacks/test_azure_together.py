"""All that is wrong in settings for Azure is said at once, and nothing that only follows from it."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from stacks.config import parse
from stacks.remainder import STAND_INS
from stacks.settings import HostSettings, SharesSettings
from tests.unit.azure_parts import SUBNET
from tests.unit.azure_raw import HOST, INSIDE, LOCAL, MYDB, PROD, RAW, SHARES, complaints


def test_everything_wrong_is_said_together() -> None:
    network = {"subnetId": SUBNET, "subnet": "10.60.0.0/24", "outbound": "natGateway"}
    host = {"location": "West Europe", "user": "root", "zone": "1", "availabilitySet": "a", "network": network}
    shares = {"protocol": "nfs", "quota": 0, "account": "A", "resourceGroup": "demo-staging"}
    said = complaints(
        {"host": HOST | host, "shares": SHARES | shares, "volumes": ["b@d"], "databases": [MYDB | {"port": 22}]},
        base="demo-staging",
    )
    assert [" ".join(line.split(": ")[1:3]) for line in said] == [
        "host.location 'West Europe'",
        "host.user 'root'",
        "shares.account 'A'",
        "volumes[0].name 'b@d'",
        "host.network subnetId is a network that exists",
        "host.network outbound",
        "host zone and availabilitySet exclude each other",
        "shares protocol",
        "shares quota",
        "shares.resourceGroup 'demo-staging' is the host's, and a group is deleted with all that is in it",
    ]


def test_what_a_section_lacks_does_not_hide_the_rest_of_it() -> None:
    host = {"kind": "azure", "sshFrom": ["Internet", "home"], "zone": "1", "availabilitySet": "a", "tags": {"a/b": [1]}}
    said = complaints(RAW | {"host": host}, file=PROD)
    assert [line.split(": ")[1] for line in said] == [
        "host.location",
        "host.sshFrom[1]",
        "host.tags.a/b",
        "host.tags.a/b",
        "host",
        "host.sshFrom",
    ]


def test_what_is_wrong_in_a_list_moves_nothing_of_the_rest() -> None:
    host = HOST | {"sshFrom": ["home", "Internet", "away"]}
    said = complaints(RAW | {"host": host}, file=PROD)
    assert [line.split(": ")[1:3] for line in said] == [
        ["host.sshFrom[0]", "'home'"],
        ["host.sshFrom[2]", "'away'"],
        ["host.sshFrom", "Internet"],
    ]


OWN = HOST | INSIDE | {"network": {"subnetId": SUBNET, "outbound": "given"}, "privateIp": "8.8.0.4"}
MADE = {"addressSpace": "10.9.0.0/16", "subnet": "10.9.1.0/24", "outbound": "natGateway"}
PREMIUM = SHARES | {"protocol": "nfs", "performance": "premium", "redundancy": "ZRS", "quota": 25600}
STANDARD = SHARES | {"location": "eastus", "allowFrom": ["8.8.8.8"], "quota": 50, "tier": "Hot", "retain": False}
REACHED = MYDB | {"allowFrom": ["10.0.0.0/8"]}
# what is right, and what names begin with there
RIGHT: list[tuple[str, dict[str, Any]]] = [
    ("demo", {"host": OWN, "shares": PREMIUM, "databases": [REACHED]}),
    ("demo", {"host": HOST | {"publicIp": False, "jumpHost": "jump", "network": MADE, "privateIp": "10.9.1.4"}}),
    ("demo", {"host": HOST | {"resourceGroup": "mine"}, "shares": SHARES | {"resourceGroup": "demo"}}),
    ("demo", {"host": HOST | {"existingResourceGroup": "mine"}, "shares": SHARES | {"resourceGroup": "demo"}}),
    ("demo", {"host": HOST | {"resourceGroup": "demo-data"}, "shares": SHARES | {"resourceGroup": "data"}}),
    ("demo_x", {"host": HOST | {"name": "mine", "dnsLabel": "mine"}, "shares": {"kind": "local", "retain": False}}),
    ("demo", {"host": HOST | {"network": {"addressSpace": "10.9.0.0/16"}, "privateIp": "10.9.0.4"}}),
    ("demo", {"host": HOST | {"name": "mine"}, "shares": SHARES | {"resourceGroup": "demo"}}),
    ("demo", {"host": LOCAL, "shares": STANDARD}),
    ("demo", {"host": {"kind": "ssh", "address": "there"}, "shares": STANDARD}),
]


@pytest.mark.parametrize(("base", "right"), RIGHT)
def test_what_is_wrong_is_not_missing_too(base: str, right: dict[str, Any]) -> None:
    raw = RAW | right
    parse(raw, file="f", base=base)
    for key in ("host", "shares"):
        for name in raw[key]:
            for other in ({name: [[1]]}, {f"{name}x": raw[key][name]}):
                section = {k: v for k, v in raw[key].items() if k != name} | other
                (said,) = complaints(raw | {key: section}, base=base)
                assert said.startswith(f"Pulumi.staging.yaml: {key}.{name}")
    for name in raw["host"].get("network", {}):
        for other in ({name: [[1]]}, {f"{name}x": raw["host"]["network"][name]}):
            network = {k: v for k, v in raw["host"]["network"].items() if k != name} | other
            (said,) = complaints(raw | {"host": raw["host"] | {"network": network}}, base=base)
            assert said.startswith(f"Pulumi.staging.yaml: host.network.{name}")


def test_a_subnet_beside_a_wrong_id_is_compared_with_no_default() -> None:
    (said,) = complaints(RAW | {"host": HOST | {"network": {"subnetId": "mine", "subnet": "10.9.1.0/24"}}})
    assert "host.network.subnetId: 'mine'" in said


def test_each_section_has_stand_ins_for_all_that_it_can_not_be_without() -> None:
    needed = {
        field.alias or name
        for model in get_args(get_args(HostSettings)[0]) + get_args(get_args(SharesSettings)[0])
        for name, field in model.model_fields.items()
        if field.is_required()
    }
    assert needed - {"kind"} == set(STAND_INS)


def test_a_section_that_is_none_says_nothing_of_others() -> None:
    databases = [REACHED, {"name": "more", "volume": "files", "port": 22}]
    raw = RAW | {"volumes": [*RAW["volumes"], "files"]}
    for key, other in (("host", {"shares": SHARES}), ("shares", {"host": HOST}), ("host", {"shares": LOCAL})):
        said = complaints(raw | {key: {"kind": "azur"}, "databases": databases} | other)
        assert len([line for line in said if ".port: 22" not in line]) == 1, said
