"""Settings for Azure: what it would refuse is said before anything is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import yaml

from components.azure_lookup import STACK_TAG
from stacks import schema
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import OWN_TAG, RESERVED_NAMES
from stacks.azure_regions import REGIONS, WITHOUT_PAIR, WITHOUT_ZONES
from stacks.azure_sections import ARM, ONLY_GENERATION_1, ONLY_GENERATION_2, UNACCELERATED, WITHOUT_PREMIUM
from stacks.config import parse
from stacks.settings import Settings
from tests.azure.limits import RESERVED
from tests.azure.sizes import SIZES, UNPAIRED, ZONED
from tests.unit.azure_parts import SUBNET, SUBSCRIPTION, settings_of
from tests.unit.azure_raw import HOST, IDENTITY, INSIDE, LOCAL, MYDB, OTHER, PROD, RAW, SHARES, complaints


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_committed_stacks_are_right(stack: str) -> None:
    settings = parse(settings_of(stack), file=f"Pulumi.{stack}.yaml")
    assert isinstance(settings.host, AzureHostSettings)
    assert isinstance(settings.shares, AzureSharesSettings)
    assert settings.shares.retain is True
    with open(f"Pulumi.{stack}.yaml") as file:
        assert list(jsonschema.Draft202012Validator(schema.schema()).iter_errors(yaml.safe_load(file))) == []


def test_what_is_said_of_regions_and_sizes_is_true_of_the_stand_ins() -> None:
    assert WITHOUT_ZONES <= REGIONS
    assert not WITHOUT_ZONES & ZONED
    assert UNPAIRED <= WITHOUT_PAIR <= REGIONS - WITHOUT_ZONES
    assert {name for name, size in SIZES.items() if not size.premium} == {
        name for name in SIZES if re.fullmatch(WITHOUT_PREMIUM, name)
    }
    assert {name for name, size in SIZES.items() if not size.accelerated} == {
        name for name in SIZES if re.fullmatch(UNACCELERATED, name)
    }
    for name in (
        "Standard_M416-208s_v2",
        "Standard_NC24ads_A100_v4",
        "Standard_ND96asr_v4",
        "Standard_GS5",
        "Standard_M64",
        "Standard_M128m",
    ):
        assert not re.fullmatch(WITHOUT_PREMIUM, name)


def test_an_image_of_ones_own_may_be_for_arm_and_no_other_size_is_taken_for_it() -> None:
    image = "Debian:debian-12:12-arm64:latest"
    AzureHostSettings.model_validate(HOST | {"size": "Standard_D2ps_v5", "image": image})
    assert not [name for name in SIZES if re.fullmatch(ARM, name)]
    for name in (
        "Standard_NP10s",
        "Standard_HB120-16rs_v3",
        "Standard_E96iads_v5",
        "Standard_L8as_v3",
        "Standard_A4_v2",
    ):
        assert not re.fullmatch(ARM, name)


def test_most_sizes_boot_images_of_both_generations() -> None:
    for name, size in SIZES.items():
        assert bool(re.fullmatch(ONLY_GENERATION_1, name)) == (size.generations == {1}), name
        assert bool(re.fullmatch(ONLY_GENERATION_2, name)) == (size.generations == {2}), name
    for name in ("Standard_B2s", "Standard_DS1_v2", "Standard_D2s_v3", "Standard_D2_v4", "Standard_F2s_v2"):
        assert not re.fullmatch(ONLY_GENERATION_1, name)
        assert not re.fullmatch(ONLY_GENERATION_2, name)
    for name in ("Standard_A4m_v2", "Standard_D1_v2", "Standard_D4_v3", "Standard_E64i_v3", "Standard_F2"):
        AzureHostSettings.model_validate(HOST | {"size": name, "image": "Debian:debian-12:12:latest"})
        assert re.fullmatch(ONLY_GENERATION_1, name)


def test_only_prod_is_production_by_its_name() -> None:
    assert parse(RAW, file="Pulumi.prod.yaml").production is True
    assert parse(RAW, file="Pulumi.staging.yaml").production is False
    assert Settings().production is False


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"location": "West Europe"}, "host.location: 'West Europe': Azure takes a region's short name"),
        ({"location": "westeuropa"}, "'westeuropa': no region that is known here; did you mean westeurope?"),
        ({"location": "xyzzy"}, "az account list-locations names them"),
        ({"location": "westus", "zone": "1"}, "host: zone: 1: region westus has no availability zones: do without"),
        (
            {"location": "westus", "disk": {"type": "StandardSSD_ZRS"}},
            "host: disk.type: StandardSSD_ZRS: region westus has no availability zones",
        ),
        (
            {"size": "Standard_D4_v4", "disk": {"type": "Premium_LRS"}},
            "host: disk.type: Premium_LRS is not for size Standard_D4_v4, whose name has no s: take another size",
        ),
        ({"size": "Standard_D2ps_v5"}, "host.size: Standard_D2ps_v5 has Arm processors, on which Azure"),
        ({"size": "Standard_B2pts_v2"}, "Standard_B2pts_v2 has Arm processors"),
        ({"size": "Standard_A2_v2"}, "Standard_A2_v2 boots no image of generation 2, such as Debian:debian-12:12-"),
        (
            {"size": "Standard_D2s_v6", "image": "Debian:debian-12:12:latest"},
            "size: Standard_D2s_v6 boots no image of generation 1",
        ),
        ({"sshFrom": []}, "host.sshFrom: should be at least 1 long"),
        ({"sshFrom": ["0.0.0.0/0"]}, "sshFrom[0]: '0.0.0.0/0': this is a good part of the internet: name smaller"),
        ({"sshFrom": ["8.0.0.0/7"]}, "sshFrom[0]: '8.0.0.0/7': this is a good part of the internet: name smaller"),
        ({"sshFrom": ["128.0.0.0/1"]}, "or write Internet if you mean all of it"),
        ({"sshFrom": ["203.0.113.7/24"]}, "bits beyond the prefix are set; did you mean 203.0.113.0/24?"),
        ({"sshFrom": ["203.0.113.7", "203.0.113.0/24"]}, "sshFrom: 203.0.113.7/32 and 203.0.113.0/24 overlap, which"),
        ({"sshFrom": ["Internet", "203.0.113.7"]}, "sshFrom: Internet is all networks: leave it out, or the others"),
        ({"sshFrom": ["203.0.113.0/255.255.255.0"]}, "address/prefix; did you mean 203.0.113.0/24?"),
        ({"sshFrom": ["10.0.0.0/0.255.255.255"]}, "address/prefix; did you mean 10.0.0.0/8?"),
        ({"sshFrom": ["203.0.113.0/024"]}, "address/prefix; did you mean 203.0.113.0/24?"),
        ({"sshFrom": ["::/0"]}, "sshFrom[0]: '::/0': should be an IPv4 network such as"),
        ({"sshFrom": ["0.0.0.0"]}, "'0.0.0.0': nobody comes from there: name your own address or network, or write"),
        ({"sshFrom": ["127.0.0.1"]}, "sshFrom[0]: '127.0.0.1': nobody comes from there"),
        ({"sshFrom": ["224.0.0.0/8"]}, "sshFrom[0]: '224.0.0.0/8': nobody comes from there"),
        ({"sshFrom": ["*"]}, "sshFrom[0]: '*': write Internet if you mean all of it"),
        ({"sshFrom": ["internet"]}, "sshFrom[0]: 'internet': write Internet if you mean all of it"),
        ({"sshFrom": [f"{n}.0.0.0/8" for n in range(20, 37)]}, "host.sshFrom: together these are a good part of the"),
        ({"sshFrom": ["home"]}, "sshFrom[0]: 'home': should be an IPv4 network such as 10.60.0.0/16"),
        ({"acceleratedNetworking": True}, "acceleratedNetworking is not for size Standard_B2s: take another"),
        ({"acceleratedNetworking": True, "size": "Standard_B2ms"}, "acceleratedNetworking is not for size"),
        ({"zone": "1", "availabilitySet": "a"}, "host: zone and availabilitySet exclude each other"),
        ({"zone": "4"}, "host.zone: '4': should be 1 or 2 or 3"),
        ({"resourceGroup": "a", "existingResourceGroup": "b"}, "leave one out"),
        ({"resourceGroup": "ends."}, "host.resourceGroup: 'ends.': Azure takes 1 to 90 letters"),
        ({"name": "No_Good"}, "host.name: 'No_Good': Azure takes 1 to 50 lowercase letters"),
        ({"user": "admin"}, "host.user: 'admin': Azure, Debian or the engine has this name for itself"),
        ({"user": "docker"}, "host.user: 'docker': Azure, Debian or the engine has this name"),
        ({"user": "operator"}, "host.user: 'operator': Azure, Debian or the engine has this name"),
        ({"user": "systemd-journal"}, "host.user: 'systemd-journal': Azure, Debian or the engine has"),
        ({"size": "Small"}, "host.size: 'Small': Azure takes sizes such as Standard_B2s"),
        ({"image": "debian"}, "host.image: 'debian': should be publisher:offer:sku:version"),
        ({"dnsLabel": "-x"}, "host.dnsLabel: '-x': Azure takes 3 to 63 lowercase"),
        ({"dnsLabel": "windows-test"}, "host.dnsLabel: 'windows-test': Azure keeps the word windows for itself: take"),
        ({"dnsLabel": "my-xbox"}, "host.dnsLabel: 'my-xbox': Azure keeps the word xbox for itself"),
        ({"publicIp": False}, "without publicIp ssh needs a way: set jumpHost"),
        ({"publicIp": False, "jumpHost": "a b"}, "host.jumpHost: 'a b': should be [user@]host[:port]"),
        ({"jumpHost": "jump:65536"}, "host.jumpHost: 'jump:65536': should be [user@]host[:port]"),
        ({"jumpHost": "jump:0"}, "host.jumpHost: 'jump:0': should be [user@]host[:port]"),
        ({"jumpHost": "-l@jump"}, "host.jumpHost: '-l@jump': should be [user@]host[:port]"),
        ({"jumpHost": "None"}, "host.jumpHost: 'None': to ssh this is no jump host: leave it out"),
        ({"privateRoute": True, "jumpHost": "jump"}, "two ways to the private address"),
        (INSIDE | {"dnsLabel": "mine"}, "dnsLabel names a public address"),
        (INSIDE | {"network": {"subnetId": SUBNET}}, "the machine needs a way out to Debian's mirrors"),
        ({"network": {"outbound": "natGateway"}}, "is for a host without publicIp"),
        (INSIDE | {"network": {"outbound": "given"}}, "outbound: given is a way out of a subnet of yours"),
        ({"network": {"addressSpace": "10.0.0.0/33"}}, "network.addressSpace: '10.0.0.0/33': should be an IPv4"),
        ({"network": {"addressSpace": "10.1.0.1/16"}}, "did you mean 10.1.0.0/16?"),
        ({"network": {"addressSpace": "10.1.0.0/255.255.0.0"}}, "did you mean 10.1.0.0/16?"),
        ({"network": {"addressSpace": "10.1.0.0"}}, "'10.1.0.0': should be an IPv4 network such as 10.60.0.0/16"),
        ({"network": {"addressSpace": "169.254.0.0/20"}}, "Azure keeps this range for itself"),
        ({"network": {"subnet": "10.70.0.0/24"}}, "subnet: 10.70.0.0/24 is not inside addressSpace 10.60.0.0/16"),
        ({"network": {"subnet": "10.60.0.0/30"}}, "'10.60.0.0/30': Azure takes networks from /2 to /29"),
        ({"network": {"subnetId": "mine"}}, "network.subnetId: 'mine': Azure takes a subnet's id here"),
        ({"network": {"subnetId": SUBNET.replace(SUBSCRIPTION, "-" * 36)}}, "Azure takes a subnet's id here"),
        ({"network": {"subnetId": SUBNET.replace("/v/", "/ /")}}, "Azure takes a subnet's id here"),
        ({"network": {"subnetId": SUBNET.replace("/n/", "/n./")}}, "Azure takes a subnet's id here"),
        ({"network": {"subnetId": SUBNET, "subnet": "10.60.1.0/24"}}, "leave addressSpace and subnet out"),
        ({"privateIp": "10.60.0.3"}, "10.60.0.4 to 10.60.0.254 can be had"),
        ({"privateIp": "10.60.0.255"}, "10.60.0.4 to 10.60.0.254 can be had"),
        ({"privateIp": "8.8.8.8"}, "privateIp 8.8.8.8 is not one of subnet 10.60.0.0/24: 10.60.0.4 to"),
        ({"privateIp": "224.0.0.4"}, "host.privateIp: '224.0.0.4': should be an address of the subnet"),
        ({"disk": {"size": 10}}, "host.disk.size: 10: should be at least 30"),
        ({"tags": {"a/b": "c"}}, "Azure takes tag names of 1 to 128 characters without"),
        ({"tags": {"a" * 129: "c"}}, "Azure takes tag names of 1 to 128 characters without"),
        ({"tags": {"": "c"}}, "Azure takes tag names of 1 to 128 characters without"),
        ({"tags": {"a\nb": "c"}}, "Azure takes tag names of 1 to 128 characters without"),
        ({"tags": {"Microsoft.x": "c"}}, "Azure keeps names that begin with microsoft, azure or windows"),
        ({"tags": {"Datadocker-Stack": "a"}}, "this tag is the stack's own: leave it out"),
        ({"tags": {"team": "a", "Team": "b"}}, "host.tags: team and Team are one name to Azure: leave one out"),
        ({"identities": ["me"]}, "host.identities[0]: 'me': Azure takes a user-assigned identity's id"),
        ({"identities": [IDENTITY.replace(SUBSCRIPTION, "-" * 36)]}, "Azure takes a user-assigned identity's id"),
        ({"identities": [f"{IDENTITY} "]}, "Azure takes a user-assigned identity's id"),
        ({"sshfrom": ["10.0.0.0/8"]}, "host.sshfrom: no such setting; did you mean sshFrom?"),
    ],
)  # fmt: skip
def test_a_host_that_azure_would_refuse(change: dict[str, Any], expected: str) -> None:
    said = complaints(RAW | {"host": HOST | change})
    assert len(said) == 1, said
    assert said[0].startswith("Pulumi.staging.yaml: host")
    assert expected in said[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"account": "Mine"}, "shares.account: 'Mine': Azure takes 3 to 24 lowercase letters and digits"),
        ({"account": "windowsalgo"}, "shares.account: 'windowsalgo': Azure keeps the word windows for itself: take"),
        ({"account": "loginstorage"}, "shares.account: 'loginstorage': Azure keeps the word login for itself"),
        ({"account": "office"}, "shares.account: 'office': Azure keeps the word office for itself"),
        ({"protocol": "nfs"}, "protocol: nfs is served by premium accounts only"),
        ({"performance": "premium", "quota": 50}, "quota: 50: should be 100 to 102400 GiB for premium shares"),
        ({"quota": 0}, "quota: 0: should be 1 to 102400 GiB for standard shares"),
        ({"performance": "premium", "quota": 102401}, "quota: 102401: should be 100 to 102400 GiB for premium shares"),
        ({"performance": "premium", "quota": 60000}, "shares.quota: 3 shares of 60000 GiB are more than the 102400"),
        ({"performance": "premium", "redundancy": "GRS"}, "redundancy: GRS is not for premium files: LRS or ZRS"),
        ({"location": "westus", "redundancy": "ZRS"}, "ZRS: region westus has no availability zones: take another"),
        ({"location": "italynorth", "redundancy": "GRS"}, "GRS: region italynorth is paired with no other one"),
        ({"performance": "premium", "tier": "Hot"}, "tier: Hot is of standard shares"),
        ({"tier": "Cold"}, "shares.tier: 'Cold': should be TransactionOptimized or Hot or Cool"),
        ({"key": "key3"}, "shares.key: 'key3': should be key1 or key2"),
        ({"softDeleteDays": 400}, "shares.softDeleteDays: 400: should be at most 365"),
        ({"allowFrom": ["10.0.0.0/8"]}, "allowFrom[0]: '10.0.0.0/8': a storage account's firewall takes public"),
        ({"allowFrom": ["0.0.0.0/0"]}, "allowFrom[0]: '0.0.0.0/0': this is a good part of the internet"),
        ({"allowFrom": ["224.0.0.1"]}, "allowFrom[0]: '224.0.0.1': a storage account's firewall takes public"),
        ({"allowFrom": ["100.64.0.1"]}, "allowFrom[0]: '100.64.0.1': a storage account's firewall takes public"),
        ({"allowFrom": ["8.8.8.8/31"]}, "allowFrom[0]: '8.8.8.8/31': a storage account's firewall takes no /31"),
        ({"allowFrom": ["8.0.0.0/7"]}, "allowFrom[0]: '8.0.0.0/7': this is a good part of the internet"),
        ({"allowFrom": ["128.0.0.0/1"]}, "allowFrom[0]: '128.0.0.0/1': this is a good part of the internet"),
        ({"allowFrom": ["8.8.8.8", "8.8.8.0/24"]}, "shares.allowFrom: 8.8.8.8 and 8.8.8.0/24 overlap, which Azure"),
        ({"performance": "premium", "protocol": "nfs", "allowFrom": ["8.8.8.8"]}, "NFS has no password"),
        ({"tags": {"AzureX": "c"}}, "Azure keeps names that begin with microsoft, azure or windows"),
        ({"tags": {f"tag{i}": "a" for i in range(14)}}, "shares.tags: should be at most 13 long"),
    ],
)  # fmt: skip
def test_shares_that_azure_would_refuse(change: dict[str, Any], expected: str) -> None:
    said = complaints(RAW | {"shares": SHARES | change})
    assert len(said) == 1, said
    assert said[0].startswith("Pulumi.staging.yaml: shares")
    assert expected in said[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"shares": LOCAL}, "shares.kind: local shares are on the machine's own disk"),
        ({"host": LOCAL, "shares": SHARES | {"location": "eastus"}}, "shares.allowFrom: a host of kind local"),
        ({"host": LOCAL, "shares": {"kind": "azure", "allowFrom": ["8.8.8.8"]}}, "shares.location: is missing"),
        (
            {"host": LOCAL, "shares": SHARES | {"location": "eastus", "protocol": "nfs", "performance": "premium"}},
            "shares.protocol: Azure serves nfs to its own networks only",
        ),
        (
            {"shares": SHARES | {"location": "eastus", "protocol": "nfs", "performance": "premium"}},
            "shares.location: Azure serves nfs to networks of its own region only, eastus, and the host is in",
        ),
        ({"host": LOCAL, "shares": LOCAL, "databases": [MYDB | {"allowFrom": ["10.0.0.0/8"]}]}, "[0].allowFrom: only"),
        (
            {"databases": [MYDB | {"port": 2376, "allowFrom": ["10.0.0.0/8"]}]},
            "databases[0].port: 2376 is known as the Docker engine's, and is opened to nobody: choose another",
        ),
        ({"databases": [MYDB | {"allowFrom": ["0.0.0.0/0"]}]}, "[0].allowFrom[0]: '0.0.0.0/0': this is a good"),
        ({"volumes": ["logs", "config", OTHER]}, "volumes[2].options.account: shares of kind azure decide it"),
        (
            {"host": HOST | {"resourceGroup": "Both"}, "shares": SHARES | {"resourceGroup": "both"}},
            "shares.resourceGroup: 'both' is the host's",
        ),
        ({"shares": SHARES | {"resourceGroup": "Demo-Staging"}}, "shares.resourceGroup: 'Demo-Staging' is the host's"),
        (
            {"host": HOST | {"name": "mine"}, "shares": SHARES | {"resourceGroup": "mine"}},
            "shares.resourceGroup: 'mine' is the host's",
        ),
        (
            {"host": HOST | {"existingResourceGroup": "demo-staging-data"}},
            "shares.resourceGroup: 'demo-staging-data' is the host's",
        ),
        ({"databases": [MYDB | {"port": 22}]}, "databases[0].port: 22 is SSH's on the machine: choose another"),
        (
            {"databases": [MYDB | {"allowFrom": ["10.0.0.0/8", "10.1.0.0/16"]}]},
            "databases[0].allowFrom: 10.0.0.0/8 and 10.1.0.0/16 overlap",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_together(change: dict[str, Any], expected: str) -> None:
    said = complaints(RAW | change, base="demo-staging")
    assert len(said) == 1, said
    assert expected in said[0]


@pytest.mark.parametrize("base", ["demo-my_env", "demo-v1.", "demo-" + "x" * 50])
def test_a_stacks_name_that_is_none_for_a_machine(base: str) -> None:
    said = complaints(RAW, base=base)
    assert said == [
        f"Pulumi.staging.yaml: host.name: is missing, and {base!r} is no name for a machine: Azure takes 1 to 50 "
        "lowercase letters, digits and inner hyphens here; write one"
    ]
    parse(RAW | {"host": HOST | {"name": "mine"}}, file="Pulumi.my_env.yaml", base=base)
    parse(RAW, file="Pulumi.v1.2.yaml", base="demo-v1.2")


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ({"addressSpace": "0.0.0.0/2", "subnet": "0.0.0.0/2"}, "10.0.0.4"),
        ({"addressSpace": "10.0.0.0/9", "subnet": "10.0.0.0/9"}, "10.127.255.254"),
        ({"addressSpace": "10.0.0.0/29"}, "10.0.0.6"),
        ({"addressSpace": "100.64.0.0/16"}, "100.64.0.4"),
        ({"addressSpace": "8.8.0.0/16"}, "8.8.0.254"),
        ({"subnetId": SUBNET}, "8.8.0.254"),
    ],
)
def test_an_address_of_any_network_that_azure_takes(network: dict[str, Any], address: str) -> None:
    host = parse(RAW | {"host": HOST | {"network": network, "privateIp": address}}, file="f").host
    assert isinstance(host, AzureHostSettings)
    assert host.private_ip == address


def test_the_most_that_is_taken_at_once() -> None:
    host = AzureHostSettings.model_validate(
        HOST | {"sshFrom": ["8.0.0.0/8", "168.63.0.0/16"], "tags": {"a" * 128: "b" * 256}}
    )
    assert (host.ssh_from, list(host.tags)) == (["8.0.0.0/8", "168.63.0.0/16"], ["a" * 128])
    shares = AzureSharesSettings.model_validate(SHARES | {"allowFrom": ["8.0.0.0/8", "9.9.9.8/30"]})
    assert shares.allow_from == ["8.0.0.0/8", "9.9.9.8/30"]


def test_a_network_that_is_named_twice_is_named_once() -> None:
    host = AzureHostSettings.model_validate(HOST | {"sshFrom": ["203.0.113.7", "203.0.113.7/32"]})
    assert host.ssh_from == ["203.0.113.7/32"]
    shares = AzureSharesSettings.model_validate(SHARES | {"allowFrom": ["8.8.8.8", "8.8.8.8/32"]})
    assert shares.allow_from == ["8.8.8.8"]


def test_words_that_azure_keeps_are_the_stand_ins_and_others_are_taken() -> None:
    assert RESERVED_NAMES.split("|") == [name for name in RESERVED if name.isalnum()]
    assert AzureSharesSettings.model_validate(SHARES | {"account": "officelogin"}).account == "officelogin"
    assert AzureHostSettings.model_validate(HOST | {"dnsLabel": "azure-login"}).dns_label == "azure-login"


def test_the_tag_that_is_the_stacks_own() -> None:
    assert STACK_TAG == OWN_TAG


@pytest.mark.parametrize("change", [str, str.lower, lambda text: text.replace("/resourceGroups/", "/resourcegroups/")])
def test_ids_are_taken_in_any_case(change: Callable[[str], str]) -> None:
    host = HOST | {"network": {"subnetId": change(SUBNET)}, "identities": [change(IDENTITY)]}
    assert AzureHostSettings.model_validate(host).network.subnet_id == change(SUBNET)


@pytest.mark.parametrize("given", ["jump", "ops.admin@jump", "Ops@jump.example.com:65535", "none@203.0.113.7:22"])
def test_a_jump_host_as_ssh_takes_it(given: str) -> None:
    assert AzureHostSettings.model_validate(HOST | {"jumpHost": given}).jump_host == given


@pytest.mark.parametrize(
    "change",
    [
        {"size": "Standard_D2ps_v5"},
        {"size": "Standard_A2_v2"},
        {"size": "Standard_D4_v4", "disk": {"type": "Premium_LRS"}},
    ],
)
def test_the_size_that_is_advised_takes_accelerated_networking_too(change: dict[str, Any]) -> None:
    change = {"acceleratedNetworking": True} | change
    said = complaints(RAW | {"host": HOST | change})[-1]
    found = re.search(r"take another size such as (Standard_\w+)", said)
    assert found, said
    parse(RAW | {"host": HOST | change | {"size": found[1]}}, file="Pulumi.staging.yaml")


def test_data_that_goes_with_the_machine_is_offered_outside_production_alone() -> None:
    raw = RAW | {"shares": LOCAL}
    assert complaints(raw)[0].endswith(": set shares.kind to azure, or say retain: false if the data may go")
    assert complaints(raw, PROD)[0].endswith(": set shares.kind to azure")


@pytest.mark.parametrize("size", ["Standard_D2s_v5", "Standard_B2s_v2", "Standard_B12ms"])
def test_a_size_that_takes_accelerated_networking(size: str) -> None:
    assert parse(RAW | {"host": HOST | {"acceleratedNetworking": True, "size": size}}, file="f")


def test_what_config_set_path_writes_is_taken() -> None:
    written = HOST | {"zone": 2, "publicIp": "true", "disk": {"size": "64"}, "tags": {"team": 7, "live": True}}
    host = AzureHostSettings.model_validate(written)
    assert (host.zone, host.public_ip, host.disk.size) == ("2", True, 64)
    assert host.tags == {"team": "7", "live": "true"}


def test_the_ranges_that_are_made() -> None:
    host = AzureHostSettings.model_validate(HOST)
    assert (host.network.address_range, host.network.subnet_range) == ("10.60.0.0/16", "10.60.0.0/24")
    small = AzureHostSettings.model_validate(HOST | {"network": {"addressSpace": "10.9.0.0/26"}})
    assert small.network.subnet_range == "10.9.0.0/26"
    assert AzureHostSettings.model_validate(HOST | INSIDE).nat_gateway is True
    assert host.nat_gateway is False
    given = HOST | INSIDE | {"network": {"outbound": "given", "subnetId": SUBNET}}
    assert AzureHostSettings.model_validate(given).nat_gateway is False
