"""What azure-native's SDK does that takes longer than all else of the program."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from copy import copy

import pulumi


@contextmanager
def loading() -> Iterator[None]:
    """Loads its modules of a host and its shares while something else is waited for, which may not use them."""
    with ThreadPoolExecutor(1, "azure-native") as pool:
        loaded = pool.submit(_load)
        try:
            yield
        finally:
            loaded.result()


def without_aliases(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Returns `opts` of a component whose resources on Azure have the one type that they have today."""
    merged: pulumi.ResourceOptions = pulumi.ResourceOptions.merge(
        opts, pulumi.ResourceOptions(transformations=[_drop_aliases])
    )
    return merged


def _drop_aliases(made: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    """The SDK gives each resource its types in all versions of Azure's API, up to sixty, which no state of ours has.

    Each takes four tasks of the program, and is compared by Pulumi.
    """
    if not made.type_.startswith("azure-native:"):
        return None
    opts = copy(made.opts)
    opts.aliases = None
    return pulumi.ResourceTransformationResult(made.props, opts)


def _load() -> None:
    from pulumi_azure_native import compute, network, resources, storage

    # the SDK loads a module when it is asked for something of it
    _ = network.NetworkInterface, compute.VirtualMachine, storage.StorageAccount, resources.ResourceGroup
