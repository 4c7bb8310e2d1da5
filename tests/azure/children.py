"""Children that stand inside their parent: subnets of a network, rules of a security group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.azure.body import read
from tests.azure.kinds import KINDS
from tests.azure.resource import Resource

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud


def inline(subscription: str, new: Resource) -> list[Resource]:
    """Returns the children that stand inside a resource.

    Raises:
        AzureError: if one of them can't be read.
    """
    found = []
    for name, token in new.kind.inline.items():
        kind = KINDS[token]
        for given in new.inputs.get(name, []):
            names = {n: new.inputs[n] for n in new.kind.names} | {kind.own_name: given.get("name")}
            inputs = read(kind, {k: v for k, v in given.items() if k in kind.inputs} | names)
            found.append(Resource(kind, kind.id(subscription, inputs), inputs))
    return found


def left_out(cloud: Cloud, new: Resource, children: list[Resource]) -> list[Resource]:
    """Returns the children that a list of them leaves out. Without a list all stay."""
    wanted = {child.key for child in children}
    tokens = [token for name, token in new.kind.inline.items() if new.inputs.get(name) is not None]
    return [old for token in tokens for old in cloud.children(new.id, token) if old.key not in wanted]
