"""Payloads with tags that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

GROUP = "network:NetworkSecurityGroup"
PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    *[
        (
            token,
            {"tags": tags},
            code,
            words,
            "https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources",
        )
        for token in ("resources:ResourceGroup", GROUP)
        for tags, code, words in (
            ({f"tag{i}": "" for i in range(51)}, "InvalidTags", "Requested tag count - '51'. Maximum number of tags"),
            ({"n" * 513: "v"}, "InvalidTagName", "Maximum allowed length for tag name - '512' characters."),
            ({"n": "v" * 257}, "InvalidTagValueLength", "Maximum allowed length for tag value - '256' characters."),
            ({"microsoftFoo": "v"}, "InvalidTagName", "'microsoftFoo' begins with a reserved prefix"),
            ({"Azure": "v"}, "InvalidTagName", "'Azure' begins with a reserved prefix: 'microsoft,azure,windows'."),
            ({"Env": "v", "env": "w"}, "InvalidTags", "Tag names are case-insensitive: 'Env', 'env'."),
            *(({f"a{c}b": "v"}, "InvalidTagNameCharacters", f"The tag names 'a{c}b' have") for c in "<>%&\\?/"),
        )
    ],
    (
        "storage:StorageAccount",
        {"tags": {"n" * 129: "v"}},
        "InvalidTagName",
        "Maximum allowed length for tag name - '128' characters.",
        "https://github.com/hashicorp/terraform-provider-azurerm/issues/1511",
    ),
]
