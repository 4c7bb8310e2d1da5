"""The host that the settings name."""

from __future__ import annotations

import os
from contextlib import nullcontext

import pulumi

from components.azure_sdk import loading
from components.hosts import DockerHost, LocalHost, SSHHost
from components.hosts.identity_file import private_key
from components.hosts.local import socket_path
from provider.owner import CHECKOUT_LABEL
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_host import azure_host
from stacks.claims import claims
from stacks.login import subscription
from stacks.owner import Labels, Place, insist_on, insist_on_name, owner_labels
from stacks.settings import LocalHostSettings, Settings, SSHHostSettings
from stacks.standing import insist_on_folders, insist_on_resources


def docker_host(settings: Settings) -> tuple[DockerHost, Labels]:
    """Registers the host; returns it with the stack's labels, known once what has them can be made there.

    Where the stack stands elsewhere, the host is told nothing of where it is, and nothing is made or changed.

    Raises:
        pulumi.RunError: with what to do, if it can't be had.
    """
    place = _place(settings)
    labels = owner_labels(place)
    # what is made on Azure waits for no label
    if place["subscription"]:
        with loading() if isinstance(settings.host, AzureHostSettings) else nullcontext():
            insist_on(place)
            insist_on_name()
            _insist_on_data(settings)
    host = _host(settings, pulumi.Output.from_input(labels[CHECKOUT_LABEL]))
    # after the host: to read the state takes time, in which its Docker provider starts
    insist_on_resources(settings)
    if not place["subscription"]:
        _insist_on_data(settings)
    insist_on_folders(settings)
    return host, host.claim(claims(settings, labels))


def _host(settings: Settings, here: pulumi.Output[str]) -> DockerHost:
    """The host, of which `here` says that the stack may stand there."""
    match settings.host:
        case LocalHostSettings(socket=socket):
            return LocalHost("host", {"socket": socket, "after": here})
        case SSHHostSettings() as remote:
            return _ssh(remote, here)
        case AzureHostSettings() as machine:
            return azure_host(machine, settings)


def _place(settings: Settings) -> Place:
    on_azure = isinstance(settings.host, AzureHostSettings) or isinstance(settings.shares, AzureSharesSettings)
    return {"place": _place_of_host(settings), "subscription": subscription() if on_azure else ""}


def _place_of_host(settings: Settings) -> str:
    """Which host it is; a machine on Azure may get another address by itself."""
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


def _insist_on_data(settings: Settings) -> None:
    # no other host than one on Azure needs it before it is registered
    from stacks.data import insist_on_data

    insist_on_data(settings)
