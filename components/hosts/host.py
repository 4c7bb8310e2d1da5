"""What every Docker host offers to the components that stand on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.hosts.claims import Claims, checked
from components.hosts.docker_provider import DockerProvider
from components.hosts.holders import LettingGo
from provider.connection import Engine


class DockerHost(pulumi.ComponentResource):
    """A machine with a Docker engine. Its kinds differ in how they come to be, not in what they offer."""

    docker_host: pulumi.Output[str]
    """What DOCKER_HOST would be: `unix:///…` or `ssh://…`."""
    address: pulumi.Output[str]
    """Where ports that containers publish on 127.0.0.1 of the host are reached from here."""
    engine: pulumi.Output[Engine]
    """How to reach the engine, for providers of our own."""
    provider: DockerProvider
    """The Docker provider of this host."""
    public_address: pulumi.Output[str]
    """Where ports that containers publish on every address of the host are reached."""
    ssh: pulumi.Output[str] | None = None
    """The start of a command line that logs in to the machine; None where it is this one."""
    ssh_config: pulumi.Output[str] | None = None
    """A block for ~/.ssh/config by which other programs find a machine that nobody set up by hand."""
    alias: str = ""
    """The host's name in that block."""
    letting_go: LettingGo | None = None
    """What happens before a container is made here: others of the stack let go of what it gets."""
    fate: Mapping[str, object] = {}
    """Options that tie what is on the host to its life: where it is replaced, they are made anew."""

    def claim(self, claims: Claims) -> Mapping[str, pulumi.Input[str]]:
        """Returns the labels of `claims`, known once what has them can be made here."""
        engine = self.standing()
        self.letting_go = LettingGo.if_needed(engine, claims, claims["labels"])
        return checked(engine, claims)

    def standing(self) -> pulumi.Output[Engine]:
        """How to reach the engine, once it is the one that containers are going to be on."""
        return self.engine

    def container(
        self, parent: pulumi.Resource, replace_on_changes: Sequence[str] = (), **more: object
    ) -> pulumi.ResourceOptions:
        """Options of a container on this host whose parent is `parent`."""
        # one whose start failed may lack what would have been copied into it
        again = ["#initerror", *replace_on_changes]
        return self.child(parent, hooks=self.letting_go and self.letting_go.hook, replace_on_changes=again, **more)

    def child(self, parent: pulumi.Resource, **more: object) -> pulumi.ResourceOptions:
        """Options of a Docker resource on this host whose parent is `parent`."""
        return self.resident(parent, provider=self.provider, **more)

    def resident(self, parent: pulumi.Resource, **more: object) -> pulumi.ResourceOptions:
        """Options of a resource of our own provider on this host whose parent is `parent`."""
        return pulumi.ResourceOptions(parent=parent, **{**self.fate, **more})  # type: ignore[arg-type]
