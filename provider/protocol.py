"""Pulumi's provider protocol: the generated messages and the service, without the SDK around them.

`import pulumi` runs the whole SDK, 0.1 s of every command; the messages need nothing of it. So the two packages that
hold them are entered into `sys.modules` by their paths alone. This process never uses the SDK itself.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _enter_bare(*names: str) -> None:
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("pulumi is not installed beside the provider")
    site = Path(found.submodule_search_locations[0]).parent
    for name in names:
        module = ModuleType(name)
        module.__path__ = [str(site.joinpath(*name.split(".")))]
        sys.modules[name] = module


if "pulumi" not in sys.modules:
    _enter_bare("pulumi", "pulumi.runtime")

from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2  # noqa: E402

__all__ = ["plugin_pb2", "provider_pb2", "provider_pb2_grpc", "status_pb2"]
