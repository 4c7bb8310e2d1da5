"""What Azure answers for what is not there: it says which part of an id is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.errors import AzureError, group_not_found, not_found, parent_not_found
from tests.azure.kinds import kind_of

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud


def missing(cloud: Cloud, resource_id: str) -> AzureError:
    parts = resource_id.split("/")
    group = parts[4] if len(parts) > 4 else ""
    if len(parts) < 8 or not cloud.lookup("/".join(parts[:5])):
        return group_not_found(group)
    kind = "/".join([parts[6], *parts[7::2]])
    known = kind_of(resource_id)
    if known and known.parent_path:
        parent = known.parent_id(cloud.subscription, known.names_in(resource_id)) or ""
        if not cloud.lookup(parent):
            return parent_not_found(kind, parent, "read")
    if known and known.token == "azure-native:storage:FileShare":
        return AzureError(404, "ShareNotFound", "The specified share does not exist.")
    return not_found(kind, "/".join(parts[8::2]), group)
