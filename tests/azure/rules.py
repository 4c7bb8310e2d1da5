"""Rules between properties, and between resources: what they are called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.azure.errors import AzureError

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

Rule = Callable[["Cloud", "Resource"], AzureError | None]
RULES: dict[str, list[Rule]] = {}


def rule(*tokens: str, source: str) -> Callable[[Rule], Rule]:
    """Marks a rule of these types; `source` is where its code and words, or the rule, were published."""
    assert source.startswith("https://")

    def mark(function: Rule) -> Rule:
        for token in tokens:
            RULES.setdefault(f"azure-native:{token}", []).append(function)
        return function

    return mark
