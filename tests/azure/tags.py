"""What Azure has against tags, of whatever resource.

https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources; codes and words:
https://github.com/Azure/azure-powershell, New-AzMigrateServerReplication
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.azure.errors import AzureError, bad_request
from tests.azure.resource import Resource

MOST, LONGEST_NAME, LONGEST_VALUE = 50, 512, 256
# https://github.com/hashicorp/terraform-provider-azurerm/issues/1511
LONGEST_OF_ACCOUNTS = 128
PREFIXES = ("microsoft", "azure", "windows")
RESERVED = r"[<>%&\\?/\x00-\x1f\x7f]"


def tag_refusals(new: Resource) -> Iterator[AzureError]:
    """Yields what is wrong with a resource's tags."""
    tags = new.inputs.get("tags") or {}
    longest = LONGEST_OF_ACCOUNTS if new.kind.token.endswith(":StorageAccount") else LONGEST_NAME
    if len(tags) > MOST:
        yield bad_request(
            "InvalidTags",
            f"Too many tags specified. Requested tag count - '{len(tags)}'. Maximum number of tags allowed - '{MOST}'.",
        )
    spelt = {name.lower(): name for name in tags}
    for name in tags:
        # that it does is known, in which words is not
        if spelt[name.lower()] != name:
            yield bad_request("InvalidTags", f"Tag names are case-insensitive: '{name}', '{spelt[name.lower()]}'.")
        if name.lower().startswith(PREFIXES):
            yield bad_request(
                "InvalidTagName", f"The tag name '{name}' begins with a reserved prefix: '{','.join(PREFIXES)}'."
            )
    for name, value in tags.items():
        if re.search(RESERVED, name):
            yield bad_request(
                "InvalidTagNameCharacters",
                f"The tag names '{name}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
            )
        if len(name) > longest:
            yield bad_request(
                "InvalidTagName",
                f"Tag key too large. Following tag name '{name}' exceeded the maximum length. Maximum allowed length "
                f"for tag name - '{longest}' characters.",
            )
        if len(value) > LONGEST_VALUE:
            yield bad_request(
                "InvalidTagValueLength",
                f"Tag value too large. Following tag value '{value}' exceeded the maximum length. Maximum allowed "
                f"length for tag value - '{LONGEST_VALUE}' characters.",
            )
