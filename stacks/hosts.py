"""The host that the settings name."""

from __future__ import annotations

import os

import pulumi

from components.hosts import Claims, DockerHost, LocalHost, Server, SSHHost
from components.hosts.keys import private_key
from components.hosts.local import socket_path
from provider.owner import CHECKOUT_LABEL
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.login import subscription
from stacks.names import DEMO_CONTAINERS
from stacks.owner import Labels, default_base, insist_on, owner_labels, stack_label
from stacks.settings import LocalHostSettings, Settings, SSHHostSettings


def docker_host(settings: Settings) -> tuple[DockerHost, Labels]:
    """Registers the host; returns it with the stack's labels, known once what has them can be made there.

    Where the stack stands elsewhere, the host is told nothing of where it is, and nothing is made or changed.

    Raises:
        pulumi.RunError: with what to do, if it can't be had.
    """
    labels = owner_labels(_place(settings))
    host = _host(settings, pulumi.Output.from_input(labels[CHECKOUT_LABEL]))
    return host, host.claim(_claims(settings, labels))


def _host(settings: Settings, here: pulumi.Output[str]) -> DockerHost:
    """The host, of which `here` says that the stack may stand there."""
    match settings.host:
        case LocalHostSettings(socket=socket):
            return LocalHost("host", {"socket": socket, "after": here})
        case SSHHostSettings() as remote:
            return _ssh(remote, here)
        case AzureHostSettings() as machine:
            # what is made on Azure waits for no label
            insist_on(_place(settings))
            return _azure(machine, settings)


def _place(settings: Settings) -> str:
    """Which host it is, whoever logs in there and how; a machine on Azure may get another address by itself."""
    match settings.host:
        case LocalHostSettings(socket=socket):
            return f"unix://{os.path.realpath(socket_path(socket))}"
        case SSHHostSettings() as remote:
            return f"ssh://{remote.address}:{remote.port}"
        case AzureHostSettings():
            return "azure"


def _ssh(remote: SSHHostSettings, here: pulumi.Output[str]) -> DockerHost:
    if remote.identity_file:
        private_key(remote.identity_file)
    return SSHHost(
        "host",
        {
            "address": here.apply(lambda _: remote.address),
            "user": remote.user,
            "port": remote.port,
            "identity_file": remote.identity_file,
            "host_key": remote.host_key,
        },
    )


def _claims(settings: Settings, labels: Labels) -> Claims:
    prefix = settings.prefix
    demo = DEMO_CONTAINERS if settings.stack == "demo" else ()
    return {
        "labels": labels,
        "containers": [prefix + name for name in (*demo, *(d.name for d in settings.databases))],
        "volumes": [prefix + volume.name for volume in settings.volumes],
        "servers": [
            Server(container=prefix + d.name, volume=prefix + d.volume, port=d.port) for d in settings.databases
        ],
    }


def _azure(machine: AzureHostSettings, settings: Settings) -> DockerHost:
    subscription()
    # its SDK takes a second to import
    from components.hosts.azure import AzureHost
    from components.hosts.azure_network import SSH_PORT, Opening

    shares = settings.shares
    openings = [Opening(name="ssh", port=SSH_PORT, sources=machine.ssh_from)]
    openings += [
        # Azure lets a rule's name end with a letter, and not with each character that a container's may
        Opening(name=f"{d.name}-database", port=d.port, sources=d.allow_from)
        for d in settings.databases
        if d.allow_from
    ]
    return AzureHost(
        "host",
        {
            "base": machine.base(default_base()),
            "stack": stack_label(),
            "location": machine.location,
            "group": machine.resource_group,
            "existing_group": machine.existing_resource_group,
            "openings": openings,
            "subnet_id": machine.network.subnet_id,
            "address_range": machine.network.address_range,
            "subnet_range": machine.network.subnet_range,
            "far_shares": isinstance(shares, AzureSharesSettings) and shares.location not in (None, machine.location),
            "nat_gateway": machine.nat_gateway,
            "public_ip": machine.public_ip,
            "dns_label": machine.dns_label,
            "private_ip": machine.private_ip,
            "jump_host": machine.jump_host,
            "private_route": machine.private_route,
            "accelerated": machine.accelerated_networking,
            "user": machine.user,
            "identity_file": machine.identity_file,
            "size": machine.size,
            "image": machine.image,
            "disk_gib": machine.disk.size,
            "disk_type": machine.disk.type,
            "zone": machine.zone,
            "availability_set": machine.availability_set,
            "custom_data": machine.custom_data,
            "system_identity": machine.system_identity,
            "identities": machine.identities,
            "tags": machine.tags,
        },
    )
