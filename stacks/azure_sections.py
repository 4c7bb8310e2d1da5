"""What is wrong in a section for Azure only in relation to the rest of that section."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import network
from stacks.azure_regions import WITHOUT_ZONES
from stacks.complaints import Complaint

# learn.microsoft.com: scalability targets for Azure Files, provisioned v1 and pay-as-you-go
PREMIUM_QUOTA, STANDARD_QUOTA, PREMIUM_TOTAL = (100, 102400), (1, 102400), 102400
# learn.microsoft.com: virtual networks FAQ, "restrictions on using IP addresses"
FIRST_TAKEN, LAST_TAKEN = 4, 1
# learn.microsoft.com: sizes for virtual machines, "accelerated networking" of the series Av2, B, DSv2 and Dv3
UNACCELERATED = r"(?i:Standard_(A\d+m?_v2|B[1-8](ls|s|ms)|DS?1_v2|D2_v3))"
# learn.microsoft.com: naming conventions of virtual machine sizes; an s before the version means premium storage,
# which the first M series has without it
WITHOUT_PREMIUM = r"(?i:Standard_(?!M\d+m?$)[^s_]+(_.*)?)"
# the same: a p among the small letters after the number of processors means Arm
ARM = r"(?i:Standard_[a-z]+\d+(-\d+)?)[a-z]*p[a-z]*(_.*)?"
# learn.microsoft.com: support for generation 2 VMs on Azure; what boots no image of the other generation
ONLY_GENERATION_1 = r"(?i:Standard_(A\d+m?_v2|D\d+_v[23]|E\d+i?_v3|F\d+))"
ONLY_GENERATION_2 = r"(?i:Standard_.+_v([6-9]|\d\d))"
IMAGE_OF_GENERATION_2, DEBIAN_OF_GENERATION_1 = r"(?i:[^:]+:[^:]+:[^:]+-gen2:.+)", r"(?i:Debian:debian-\d+:\d+:.+)"
SUBNET_ID, RANGES = "host.network.subnetId", ("host.network.addressSpace", "host.network.subnet")


def check_host(host: AzureHostSettings) -> Iterable[Complaint]:
    """Yields what does not go together in `host`."""
    yield from _check_network(host)
    if host.zone and host.availability_set:
        yield Complaint("host", "zone and availabilitySet exclude each other: leave one out")
    if host.accelerated_networking and re.fullmatch(UNACCELERATED, host.size):
        yield Complaint(
            "host",
            f"acceleratedNetworking is not for size {host.size}: take another such as Standard_D2s_v5, or leave it out",
            ("host.size",),
        )
    if re.fullmatch(ARM, host.size):
        # learn.microsoft.com: run scripts in your Linux VM by using managed run commands, supported distributions
        yield Complaint(
            "host.size",
            f"{host.size} has Arm processors, on which Azure runs no command, and one says when the machine is ready: "
            "take another size such as Standard_D2s_v5",
        )
    for sizes, images, other in (
        (ONLY_GENERATION_1, IMAGE_OF_GENERATION_2, "2"),
        (ONLY_GENERATION_2, DEBIAN_OF_GENERATION_1, "1"),
    ):
        if re.fullmatch(sizes, host.size) and re.fullmatch(images, host.image):
            yield Complaint(
                "host",
                f"size: {host.size} boots no image of generation {other}, such as {host.image}: take another size such "
                "as Standard_D2s_v5, or another image",
                ("host.size", "host.image"),
            )
    if host.disk.type.startswith("Premium") and re.fullmatch(WITHOUT_PREMIUM, host.size):
        yield Complaint(
            "host",
            f"disk.type: {host.disk.type} is not for size {host.size}, whose name has no s: take another size such as "
            "Standard_D2s_v5, or disk.type: StandardSSD_LRS",
            ("host.size", "host.disk.type"),
        )
    zoned = f"zone: {host.zone}" if host.zone else f"disk.type: {host.disk.type}" if "ZRS" in host.disk.type else None
    if zoned and host.location in WITHOUT_ZONES:
        yield Complaint(
            "host",
            f"{zoned}: region {host.location} has no availability zones: do without, or take another region",
            ("host.location", "host.disk.type"),
        )
    if host.resource_group and host.existing_resource_group:
        yield Complaint("host", "resourceGroup is made and existingResourceGroup is there: leave one out")
    if host.jump_host and host.private_route:
        yield Complaint("host", "jumpHost and privateRoute are two ways to the private address: leave one out")
    if host.dns_label and not host.public_ip:
        yield Complaint("host", "dnsLabel names a public address: set publicIp, or leave it out")
    if not host.public_ip and not (host.jump_host or host.private_route):
        yield Complaint(
            "host",
            "without publicIp ssh needs a way: set jumpHost, or privateRoute: true where a VPN leads there",
            ("host.jumpHost", "host.privateRoute"),
        )
    if not host.public_ip and host.network.subnet_id and host.network.outbound is None:
        yield Complaint(
            "host",
            "without publicIp the machine needs a way out to Debian's mirrors and PyPI: give your subnet a NAT gateway "
            "or route, and write network.outbound: given",
            ("host.network.outbound",),
        )
    if host.public_ip and host.network.outbound == "natGateway" and not host.network.subnet_id:
        yield Complaint(
            "host",
            "network.outbound: natGateway is for a host without publicIp: leave it out",
            ("host.publicIp",),
        )
    if host.private_ip and not host.network.subnet_id:
        subnet = network(host.network.subnet_range)
        first, last = subnet.network_address + FIRST_TAKEN, subnet.broadcast_address - LAST_TAKEN
        if not first <= IPv4Address(host.private_ip) <= last:
            yield Complaint(
                "host",
                f"privateIp {host.private_ip} is not one of subnet {subnet}: {first} to {last} can be had",
                (SUBNET_ID, *RANGES),
            )


def _check_network(host: AzureHostSettings) -> Iterable[Complaint]:
    given, here = host.network, "host.network"
    if given.subnet_id and (given.address_space or given.subnet):
        yield Complaint(here, "subnetId is a network that exists: leave addressSpace and subnet out")
    if not given.subnet_id and given.outbound == "given":
        yield Complaint(
            here,
            "outbound: given is a way out of a subnet of yours: name it by subnetId, or leave it out",
            (SUBNET_ID,),
        )
    if given.subnet_id and given.outbound == "natGateway":
        yield Complaint(here, "outbound: natGateway is made in a network of ours only; with subnetId write given")
    if not given.subnet_id and not network(given.subnet_range).subnet_of(network(given.address_range)):
        yield Complaint(
            here,
            f"subnet: {given.subnet_range} is not inside addressSpace {given.address_range}: set one of the two",
            (SUBNET_ID, *RANGES),
        )


def check_shares(shares: AzureSharesSettings) -> Iterable[Complaint]:
    """Yields what Azure does not take together in `shares`."""
    premium = shares.performance == "premium"
    if shares.protocol == "nfs" and not premium:
        yield Complaint(
            "shares",
            "protocol: nfs is served by premium accounts only: set performance: premium",
            ("shares.performance",),
        )
    if premium and shares.redundancy not in ("LRS", "ZRS"):
        yield Complaint("shares", f"redundancy: {shares.redundancy} is not for premium files: LRS or ZRS")
    if premium and shares.tier:
        yield Complaint("shares", f"tier: {shares.tier} is of standard shares: leave it out with premium")
    low, high = PREMIUM_QUOTA if premium else STANDARD_QUOTA
    if shares.quota is not None and not low <= shares.quota <= high:
        yield Complaint(
            "shares",
            f"quota: {shares.quota}: should be {low} to {high} GiB for {shares.performance} shares",
        )
    if shares.protocol == "nfs" and shares.allow_from:
        yield Complaint("shares", "allowFrom: NFS has no password, and Azure serves it to networks of its own only")
