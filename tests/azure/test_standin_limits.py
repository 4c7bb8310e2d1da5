"""Each published limit of a single value holds where it is said to hold."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import addresses, limits
from tests.azure.check import failures
from tests.azure.kinds import KINDS
from tests.azure.limits import Checked, Refused
from tests.azure.refusals import REFUSED, value_refusals
from tests.azure.resource import Resource
from tests.azure.samples import payload

BAD: list[Any] = ["?", "any", "10.0.0.1/24", 0, "moon", "UltraSSD_LRS", "x" * 100, "y" * 400, "windows"]
EACH_REFUSED = [(token, limit) for token, found in REFUSED.items() for limit in found]
EACH_CHECKED = [(token, limit) for token, found in limits.CHECKED.items() for limit in found]


def spoilt(token: str, path: str, value: Any) -> dict[str, Any]:
    """Returns a sample with a value at a path."""
    inputs: Any = payload(token.removeprefix("azure-native:"))
    *way, last = path.split(".")
    holder = inputs
    for step in way:
        holder = holder.setdefault(step.removesuffix("[]"), [{}] if step.endswith("[]") else {})
        holder = holder[0] if isinstance(holder, list) else holder
    holder[last.removesuffix("[]")] = [value] if last.endswith("[]") else value
    return dict(inputs)


@pytest.mark.parametrize(("token", "limit"), EACH_REFUSED, ids=[f"{t}-{x.path}-{x.code}" for t, x in EACH_REFUSED])
def test_azure_refuses(token: str, limit: Refused) -> None:
    def breaks(value: Any) -> bool:
        try:
            return not limit.holds(value)
        except TypeError:
            return False

    value = next(value for value in BAD if breaks(value))
    kind = KINDS[token]
    inputs = spoilt(token, limit.path, value)
    codes = [e.code for e in value_refusals(Resource(kind, kind.id("s", inputs), inputs))]
    assert limit.code in codes
    assert limit.source.startswith("https://")
    good = payload(token.removeprefix("azure-native:"))
    assert not list(value_refusals(Resource(kind, kind.id("s", good), good)))


@pytest.mark.parametrize(("token", "limit"), EACH_CHECKED, ids=[f"{t}-{x.path}" for t, x in EACH_CHECKED])
def test_azure_native_refuses_by_itself(token: str, limit: Checked) -> None:
    number = not limit.path.lower().endswith("name")
    values = [0, 10**6] if number else ["", "x" * 500]
    for value in values:
        found = dict(failures(KINDS[token], spoilt(token, limit.path, value)))
        assert limit.path in found
    assert not list(failures(KINDS[token], payload(token.removeprefix("azure-native:"))))


def test_a_cidr_that_is_none() -> None:
    assert not addresses.is_cidr("10.0.0.0/33")
    assert not addresses.is_cidr("10.0.0.0")
    assert not addresses.is_cidr("10.0.0.0/255.255.0.0")
    assert not addresses.is_cidr("10.0.0.0/016")
    assert addresses.is_cidr("fd00::/64")
    assert not addresses.starts_a_network("10.0.0.1/24")


@pytest.mark.parametrize(
    "source", ["*", "Internet", "VirtualNetwork", "Storage.WestEurope", "192.0.2.1", "192.0.2.0/24"]
)
def test_sources_that_a_security_rule_takes(source: str) -> None:
    assert addresses.is_source(source)


@pytest.mark.parametrize(
    "source", ["any", "Any", "Internett", "192.0.2.1/24", "192.0.2.0/255.255.255.0", "example.org", ""]
)
def test_sources_that_it_does_not_take(source: str) -> None:
    assert not addresses.is_source(source)
