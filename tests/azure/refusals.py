"""What Azure has against single values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.azure import compute_limits, limits, network_limits, schema, storage_limits
from tests.azure.addresses import is_cidr, network
from tests.azure.errors import AzureError, bad_request, not_parsed
from tests.azure.links import link_refusals
from tests.azure.resource import Resource
from tests.azure.spelling import SIZE, values_in
from tests.azure.tags import tag_refusals
from tests.azure.values import at

REFUSED = network_limits.REFUSED | compute_limits.REFUSED | storage_limits.REFUSED
# Azure takes more of these than the specification lists
OPEN = frozenset({SIZE})


def value_refusals(new: Resource) -> Iterator[AzureError]:
    """Yields what is wrong with a resource's values, in the order in which Azure looks."""
    for limit in REFUSED.get(new.kind.token, []):
        for _, value in at(new.inputs, limit.path):
            if not limit.holds(value):
                yield AzureError(limit.status, limit.code, _filled(limit.message, new, value))
    yield from tag_refusals(new)
    yield from link_refusals(new)
    known = {name: value for name, value in new.inputs.items() if name in new.kind.inputs}
    for path, value in _strange(new.kind.inputs, known, ""):
        yield not_parsed(new.kind, path, value)
    if new.kind.located and new.location and new.location not in limits.REGIONS:
        yield bad_request(
            "LocationNotAvailableForResourceType",
            f"The provided location '{new.inputs['location']}' is not available for resource type "
            f"'{new.kind.azure_type}'. List of available regions for the resource type is "
            f"'{','.join(limits.REGIONS)}'.",
        )
    if new.kind.located and not new.location:
        yield bad_request("LocationRequired", "The location property is required for this definition.")


def _filled(message: str, new: Resource, value: Any) -> str:
    names = {"value": value, "id": new.id, "name": new.name, "regions": ",".join(limits.REGIONS)}
    if is_cidr(value):
        names["network"] = network(value)
    # other braces are Azure's own
    for name, text in names.items():
        message = message.replace(f"{{{name}}}", str(text))
    return message


def _strange(known: Any, given: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yields the strings that are no value of their enum."""
    for name, value in given.items():
        if name in known:
            yield from _of_type(known[name].type, value, f"{path}.{name}" if path else name)


def _of_type(type: schema.Type, value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if type.name == "object" and isinstance(value, dict):
        yield from _strange(schema.properties(type.properties), value, path)
    elif type.name == "array" and isinstance(value, list):
        assert type.items
        for index, item in enumerate(value):
            yield from _of_type(type.items, item, f"{path}[{index}]")
    elif type.values and path not in OPEN and not set(values_in(path, value)) <= set(type.values):
        yield path, value
