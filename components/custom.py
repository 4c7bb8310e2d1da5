"""The custom resources that `provider/` serves, as Pulumi sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor


def start_provider() -> None:
    """Has Pulumi start the provider of these resources ahead of the first of them, and waits for nothing.

    A provider that can't start is an error of the first resource.
    """
    monitor = get_monitor()
    if monitor is not None:
        monitor.Invoke.future(resource_pb2.ResourceInvokeRequest(tok="datadocker-engine:index:start"))


class ImportedImage(pulumi.CustomResource):
    """An image made of a root filesystem's archive."""

    reference: pulumi.Output[str]
    """Name and tag, known once the image is there."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.image`."""
        super().__init__("datadocker-engine:index:ImportedImage", name, {**props}, opts)


class EnginePlugin(pulumi.CustomResource):
    """A managed plugin made from an image on the engine."""

    driver: pulumi.Output[str]
    """Its name, known once it is enabled."""
    root: pulumi.Output[str]
    """Its folder on the host."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.plugin`."""
        super().__init__("datadocker-engine:index:EnginePlugin", name, {**props, "enabled": True}, opts)


class ShareFolder(pulumi.CustomResource):
    """The folder of a local share."""

    share: pulumi.Output[str]
    """Name of the share."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.share`."""
        super().__init__("datadocker-engine:index:ShareFolder", name, {**props}, opts)


class GracefulStop(pulumi.CustomResource):
    """Deleting it stops the stack's containers on the host."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.stop`; its key is a secret."""
        super().__init__(
            "datadocker-engine:index:GracefulStop",
            name,
            {**props, "key": pulumi.Output.secret(props["key"])},
            opts,
        )


class AccountKey(pulumi.CustomResource):
    """The credentials file of a storage account on a host."""

    account: pulumi.Output[str]
    """Name of the account, known once the file is there."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.credentials`; its key is a secret."""
        super().__init__(
            "datadocker-engine:index:AccountKey",
            name,
            {**props, "key": pulumi.Output.secret(props["key"])},
            opts,
        )


class ServerOptions(pulumi.CustomResource):
    """Options that a database server takes."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.options`."""
        super().__init__("datadocker-engine:index:ServerOptions", name, {**props}, opts)


class ShareGuard(pulumi.CustomResource):
    """Refuses its deletion, and so that of all it depends on, while others map shares that would go with the stack."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.guard`."""
        super().__init__("datadocker-engine:index:ShareGuard", name, {**props}, opts)


class VolumeGuard(pulumi.CustomResource):
    """Refuses its deletion, and so that of all it depends on, while others use the stack's volumes."""

    def __init__(self, name: str, props: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Props: see `provider.guard`."""
        super().__init__("datadocker-engine:index:VolumeGuard", name, {**props}, opts)
