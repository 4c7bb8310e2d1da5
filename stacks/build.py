"""The compositions by the name that the setting `datadocker:stack` gives them."""

import pulumi

from components.custom import ShareGuard, VolumeGuard
from components.hosts import DockerHost
from stacks.databases import databases
from stacks.demo import demo
from stacks.owner import Labels
from stacks.settings import LocalSharesSettings, Settings

COMPOSITIONS = {"demo": demo, "databases": databases}


def build(settings: Settings, host: DockerHost, labels: Labels) -> None:
    """Registers every resource of the composition that `settings.stack` names on a host, with the stack's labels."""
    stack = COMPOSITIONS[settings.stack](settings, host, labels)
    # they depend on all that uses the volumes, so that they are the first to be deleted and nothing is if one refuses
    first = stack.host.resident(stack.host, depends_on=[*stack.volumes.values(), *stack.users])
    VolumeGuard(
        "volumes",
        {
            "engine": stack.host.engine,
            # their order in the file means nothing
            "volumes": sorted(settings.prefix + name for name in stack.volumes),
            "labels": stack.labels,
            "made": pulumi.Output.all(*(volume.volume for volume in stack.volumes.values())).apply(lambda _: True),
        },
        first,
    )
    if isinstance(settings.shares, LocalSharesSettings):
        ShareGuard(
            "shares",
            {
                "engine": stack.host.engine,
                "driver": settings.plugin.name,
                "volumes": sorted(settings.prefix + name for name in stack.volumes),
                "shares": sorted({settings.share_of(volume) for volume in settings.volumes}),
                "retain": settings.shares.retain,
            },
            first,
        )
