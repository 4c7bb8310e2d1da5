"""All rules: they enter by being imported, in the order in which Azure looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

# isort: off
from tests.azure import (
    compute_rules,
    size_rules,
    zone_rules,
    disk_rules,
    network_rules,
    interface_rules,
    security_rules,
    storage_rules,
)

# isort: on
from tests.azure.errors import AzureError
from tests.azure.rules import RULES

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

PARTS = (
    compute_rules,
    size_rules,
    zone_rules,
    disk_rules,
    network_rules,
    interface_rules,
    security_rules,
    storage_rules,
)


def refusals(cloud: Cloud, new: Resource) -> Iterator[AzureError]:
    """Yields what Azure has against a resource that is to be, in the order in which it looks."""
    for check in RULES.get(new.kind.token, []):
        error = check(cloud, new)
        if error:
            yield error
