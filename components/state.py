"""What Pulumi knows before the program has registered anything."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import grpc
import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor

# types
CONTAINER = "docker:index/container:Container"
VOLUME = "docker:index/volume:Volume"
PLUGIN = "datadocker-engine:index:EnginePlugin"
FOLDER = "datadocker-engine:index:ShareFolder"
STOP = "datadocker-engine:index:GracefulStop"
DOCKER = "pulumi:providers:docker"
STASH = "pulumi:index:Stash"
GROUP = "azure-native:resources:ResourceGroup"
ACCOUNT = "azure-native:storage:StorageAccount"
SHARE = "azure-native:storage:FileShare"
VM = "azure-native:compute:VirtualMachine"
AZURE_HOST = "datadocker:index:AzureHost"
AZURE_SHARE = "datadocker:index:AzureShare"
# type and name of what a stack has on Azure: its host and what is in it, and its data
HOST = (AZURE_HOST, "host")
HOST_GROUP = (GROUP, "host-group")
HOST_INTERFACE = ("azure-native:network:NetworkInterface", "host-net-card")
HOST_SUBNET = ("azure-native:network:Subnet", "host-net-subnet")
HOST_MACHINE = (VM, "host-machine-vm")
FILES = ("datadocker:index:AzureFileShares", "files")
FILES_GROUP = (GROUP, "files-group")
FILES_ACCOUNT = (ACCOUNT, "files-account")

# to read a state while a step of the same update is written to it, to a disk that may be busy
PAUSES_SECONDS = (0.02,) * 10 + (0.5,) * 10


def ask(token: str, arguments: Mapping[str, str], sdk: str = "") -> dict[str, Any]:
    """Calls a function of a provider, of the version `sdk`, and returns its answer.

    Past the SDK's own `invoke`, where a refusal fails the program at its end although it was caught.

    Raises:
        grpc.RpcError: if it is refused.
    """
    request = resource_pb2.ResourceInvokeRequest(
        tok=token, args=json_format.ParseDict(dict(arguments), struct_pb2.Struct()), version=sdk
    )
    monitor = get_monitor()
    assert monitor is not None, "a program runs under Pulumi"  # noqa: S101
    answer = monitor.Invoke(request)
    if answer.failures:
        raise pulumi.RunError("; ".join(failure.reason for failure in answer.failures))
    return dict(json_format.MessageToDict(getattr(answer, "return")))


def recorded() -> Mapping[tuple[str, str], Mapping[str, Any]]:
    """Type and name → outputs of all that the stack's state has."""
    return _recorded(f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}")


def recorded_of(typ: str) -> list[Mapping[str, Any]]:
    """Outputs of all resources of a type that the stack's state has."""
    return [outputs for (of, _), outputs in recorded().items() if of == typ]


def lasting(
    made: pulumi.CustomResource, typ: str, name: str, known: str, value: pulumi.Output[str]
) -> pulumi.Output[str]:
    """Returns `value`, the output `known` of `made` that stays as long as that does.

    A preview of a change in place does not know it, but the state does.
    """
    before = recorded().get((typ, name), {}).get(known) if pulumi.runtime.is_dry_run() else None
    return made.id.apply(lambda _: str(before)) if before else value


@cache
def _recorded(stack: str) -> Mapping[tuple[str, str], Mapping[str, Any]]:
    # what StackReference does, for resources
    found, pauses = None, iter(PAUSES_SECONDS)
    while found is None:
        try:
            found = ask("pulumi:pulumi:readStackResourceOutputs", {"stackName": stack}).get("outputs") or {}
        except grpc.RpcError as error:
            # a backend of files writes what belongs to one in place, and a reader may find half of it
            pause = next(pauses, None)
            if pause is None or "failed to load checkpoint" not in str(error):
                raise
            time.sleep(pause)
    return {(known["type"], urn.split("::", 3)[3]): known.get("outputs") or {} for urn, known in found.items()}
