"""The compositions by the name that the setting `datadocker:stack` gives them."""

import pulumi

from components.custom import VolumeGuard
from components.hosts import DockerHost
from stacks.databases import databases
from stacks.demo import demo
from stacks.owner import Labels
from stacks.settings import Settings

COMPOSITIONS = {"demo": demo, "databases": databases}


def build(settings: Settings, host: DockerHost, labels: Labels) -> None:
    """Registers every resource of the composition that `settings.stack` names on a host, with the stack's labels."""
    stack = COMPOSITIONS[settings.stack](settings, host, labels)
    # it depends on all that uses the volumes, so that it is the first to be deleted and nothing is if it refuses
    VolumeGuard(
        "volumes",
        {
            "engine": stack.host.engine,
            # their order in the file means nothing
            "volumes": sorted(settings.prefix + name for name in stack.volumes),
            "labels": stack.labels,
            "made": pulumi.Output.all(*(volume.volume for volume in stack.volumes.values())).apply(lambda _: True),
        },
        stack.host.resident(stack.host, depends_on=[*stack.volumes.values(), *stack.users]),
    )
