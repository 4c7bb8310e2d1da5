"""The Docker provider that we build must offer what Pulumi's SDK for Docker asks for."""

import inspect
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

docker = pytest.importorskip("pulumi_docker")

VARIABLE = "DATADOCKER_TEST_DOCKER_SCHEMA"
# It builds images with the docker-build library, which is no part of the Terraform provider.
NOT_BUILT = {"docker:index/image:Image"}
# What belongs to it, and to no other resource.
NOT_BUILT_TYPES = {"Image", "DockerBuild", "Registry", "CacheFrom"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    path = os.environ.get(VARIABLE, "")
    if not Path(path).is_file():
        pytest.skip(f"no built provider: {VARIABLE} names no schema.json")
    loaded: dict[str, Any] = json.loads(Path(path).read_text())
    return loaded


def sdk_resources() -> Iterator[type[Any]]:
    for member in vars(docker).values():
        if inspect.isclass(member) and issubclass(member, pulumi.CustomResource) and member is not docker.Provider:
            yield member


def inputs(arguments: type[Any]) -> dict[str, bool]:
    """Gives the names in an SDK's input type, as the schema spells them, and which are required."""
    getters = {name: member.fget for name, member in vars(arguments).items() if isinstance(member, property)}
    spelling = {
        name: getter._pulumi_name for name, getter in getters.items() if getter and hasattr(getter, "_pulumi_name")
    }
    parameters = inspect.signature(arguments.__init__).parameters
    return {name: parameters[python_name].default is inspect.Parameter.empty for python_name, name in spelling.items()}


def test_the_provider_has_the_version_that_the_sdk_asks_for(schema: dict[str, Any]) -> None:
    package = Path(docker.__file__).parent / "pulumi-plugin.json"
    assert schema["version"] == json.loads(package.read_text())["version"]


def test_every_resource_of_the_sdk_but_one_is_there_and_no_other(schema: dict[str, Any]) -> None:
    asked_for = {resource.pulumi_type for resource in sdk_resources()}
    assert len(asked_for) > 10
    assert set(schema["resources"]) == asked_for - NOT_BUILT


def test_every_resource_takes_the_sdks_inputs(schema: dict[str, Any]) -> None:
    compared = 0
    for resource in sdk_resources():
        if resource.pulumi_type in NOT_BUILT:
            continue
        offered = schema["resources"][resource.pulumi_type]
        asked_for = inputs(getattr(docker, f"{resource.__name__}Args"))
        assert set(offered["inputProperties"]) == set(asked_for), resource.__name__
        required = {name for name, is_required in asked_for.items() if is_required}
        assert set(offered.get("requiredInputs", [])) == required, resource.__name__
        compared += len(asked_for)
    assert compared == 145


def test_every_nested_input_is_the_sdks(schema: dict[str, Any]) -> None:
    offered = {token.rsplit(":", 1)[-1]: set(type_.get("properties", {})) for token, type_ in schema["types"].items()}
    resources = {resource.__name__ for resource in sdk_resources()} | {"Provider"}
    # The provider's own nested type is the one that the schema names after the property.
    offered["ProviderRegistryAuth"] = offered["registryAuth"]
    compared = 0
    for name, member in vars(docker).items():
        nested = name.removesuffix("Args")
        if not name.endswith("Args") or nested in resources | NOT_BUILT_TYPES:
            continue
        # An argument of a function: its type starts in lower case.
        found = offered.get(nested) or offered[nested[0].lower() + nested[1:]]
        assert found == set(inputs(member)), name
        compared += 1
    assert compared > 50


def test_the_provider_takes_the_sdks_configuration(schema: dict[str, Any]) -> None:
    assert set(schema["provider"]["inputProperties"]) == set(inputs(docker.ProviderArgs))


def test_the_functions_of_the_sdk_are_there(schema: dict[str, Any]) -> None:
    names = [name for name in vars(docker) if name.startswith("get_") and hasattr(docker, name)]
    functions = [
        name.title().replace("_", "").replace("Get", "get", 1)
        for name in names
        if callable(getattr(docker, name)) and not name.endswith("_output")
    ]
    assert len(functions) == 6
    for function in functions:
        assert f"docker:index/{function}:{function}" in schema["functions"]
