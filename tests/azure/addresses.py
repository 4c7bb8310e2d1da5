"""Addresses and networks as text: which of them Azure takes where."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from tests.azure.services import is_service_tag


def is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def is_cidr(value: Any) -> bool:
    """Whether it is written as a network, such as 10.0.0.0/24; bits of the host may be set."""
    try:
        network(str(value))
    except ValueError:
        return False
    return "/" in str(value)


def is_range(value: Any) -> bool:
    """Whether it is an address, or a network."""
    return is_address(value) or is_cidr(value)


def network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Returns what `value` says, an address or address/prefix: Azure takes no mask.

    Raises:
        ValueError: if it is neither.
    """
    if "/" in value and not re.search(r"/(0|[1-9][0-9]{0,2})$", value):
        raise ValueError(f"{value}: no prefix")
    return ipaddress.ip_network(value, strict=False)


def starts_a_network(value: Any) -> bool:
    """Whether no bit of the host is set. What is no network at all is another rule's business."""
    return not is_cidr(value) or ipaddress.ip_interface(value).ip == network(value).network_address


def is_source(value: Any) -> bool:
    """Whether a security rule can name it: *, an address, a network, or a service tag."""
    if value == "*" or is_service_tag(str(value)):
        return True
    return is_range(value) and starts_a_network(value)
