"""The Docker provider of a host, as Pulumi sees it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pulumi

# what is not said here the provider takes from DOCKER_CONTEXT, DOCKER_CERT_PATH and their like, and a context comes
# before the host
UNSET = ("context", "certPath", "caMaterial", "certMaterial", "keyMaterial")


class DockerProvider(pulumi.ProviderResource):
    """What `pulumi_docker.Provider` is, without that package's models, as in `components/docker.py`."""

    def __init__(
        self,
        name: str,
        host: pulumi.Input[str],
        ssh_opts: pulumi.Input[list[str]] | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Registers the provider for the engine at `host`, a URL, which `ssh_opts` lead to, and for no other."""
        props: dict[str, pulumi.Input[str]] = {"host": host, **dict.fromkeys(UNSET, "")}
        if ssh_opts is not None:
            # the values of a provider are text
            props["sshOpts"] = pulumi.Output.json_dumps(ssh_opts)
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=_version()))
        super().__init__("docker", name, props, opts)


def _version() -> str:
    """The version of the provider that the package's models are made for."""
    spec = importlib.util.find_spec("pulumi_docker")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package pulumi_docker is not installed: run pulumi install")
    said = json.loads(Path(spec.origin).with_name("pulumi-plugin.json").read_text())
    return str(said["version"])
