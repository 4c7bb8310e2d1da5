"""The Docker provider's resources are spelt as its own package spells them, for all that they take."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pulumi_docker
import pytest
from pulumi import _types

from components import docker

ARGS = {
    docker.Container: pulumi_docker.ContainerArgs,
    docker.RemoteImage: pulumi_docker.RemoteImageArgs,
    docker.Volume: pulumi_docker.VolumeArgs,
}


def inside(args: type) -> Iterator[type]:
    """The class of a resource's arguments, and those of what is in them."""
    yield args
    for _, _, value in _types._py_properties(args):
        for name in re.findall(r"'(\w+Args)'", str(value.fget.__annotations__["return"])):
            yield from inside(getattr(pulumi_docker, name))


@pytest.mark.parametrize("resource", ARGS, ids=lambda resource: resource.__name__)
def test_every_argument_is_spelt_as_the_package_spells_it(resource: type) -> None:
    seen = 0
    for args in inside(ARGS[resource]):
        for name, spelt, value in _types._py_properties(args):
            seen += 1
            assert docker.camel(name) == spelt
            is_map = "Mapping[str" in str(value.fget.__annotations__["return"])
            assert not is_map or name in docker.MAPS, f"{args.__name__}.{name} has keys of the user's own"
    assert seen > 5


def test_names_are_spelt_at_any_depth_and_keys_of_the_user_are_not() -> None:
    given = {"build_args": {"MY_ARG": "a_b"}, "use_legacy_builder": True, "secrets": [{"src_path": "a_b"}]}
    assert docker.spelt("build", given) == {
        "buildArgs": {"MY_ARG": "a_b"},
        "useLegacyBuilder": True,
        "secrets": [{"srcPath": "a_b"}],
    }
