"""Payloads that Azure is known to refuse, from published error reports, are refused in its words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure import (
    published_compute,
    published_interfaces,
    published_machines,
    published_network,
    published_security,
    published_storage,
    published_tags,
)
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError
from tests.azure.kinds import KINDS
from tests.azure.samples import furnish, payload, put

PARTS = (
    published_network,
    published_interfaces,
    published_security,
    published_compute,
    published_machines,
    published_storage,
    published_tags,
)
PAYLOADS = [one for part in PARTS for one in part.PAYLOADS]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.mark.parametrize(
    ("token", "change", "code", "message", "source"),
    PAYLOADS,
    ids=[f"{token.split(':')[1]}-{code}-{number}" for number, (token, _, code, *_) in enumerate(PAYLOADS)],
)
def test_a_payload_is_refused_in_azures_words(
    cloud: Cloud, token: str, change: dict[str, Any], code: str, message: str, source: str
) -> None:
    assert source.startswith("https://")
    furnish(cloud, before=token)
    kind = KINDS[f"azure-native:{token}"]
    if kind.names_in(kind.id("any", payload(token))) != kind.names_in(kind.id("any", payload(token, **change))):
        # another one of the type is there
        put(cloud, token)
    with pytest.raises(AzureError) as caught:
        put(cloud, token, **change)
    assert caught.value.code == code
    assert message in caught.value.message
    assert str(caught.value) == f'Status={caught.value.status} Code="{code}" Message="{caught.value.message}"'


def test_the_samples_themselves_are_taken(cloud: Cloud) -> None:
    furnish(cloud)
    assert {r.kind.token for r in cloud.resources.values()} >= {"azure-native:storage:FileShare"}
