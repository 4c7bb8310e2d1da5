"""All rules, in the order in which Azure looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.azure import (
    compute_rules,
    disk_rules,
    interface_rules,
    network_rules,
    security_rules,
    size_rules,
    storage_rules,
    zone_rules,
)
from tests.azure.errors import AzureError
from tests.azure.rules import RULES

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

# a machine's profiles come first; in a module rules stand in their order
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
ORDER = [part.__name__ for part in PARTS]


def refusals(cloud: Cloud, new: Resource) -> Iterator[AzureError]:
    """Yields what Azure has against a resource that is to be, in the order in which it looks."""
    for check in sorted(RULES.get(new.kind.token, []), key=lambda check: ORDER.index(check.__module__)):
        error = check(cloud, new)
        if error:
            yield error
