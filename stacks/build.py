"""The compositions by the name that the setting `datadocker:stack` gives them."""

import pulumi

from components.custom import VolumeGuard
from components.hosts import DockerHost
from stacks.databases import databases
from stacks.demo import demo
from stacks.owner import Labels
from stacks.settings import LocalSharesSettings, Settings

COMPOSITIONS = {"demo": demo, "databases": databases}


def _data_of(settings: Settings) -> dict[str, object]:
    """The stack's shares on the host itself, and whether they are kept when it goes."""
    local = isinstance(settings.shares, LocalSharesSettings)
    shares = {settings.share_of(volume) for volume in settings.volumes if local}
    return {"driver": settings.plugin.name, "shares": sorted(shares), "retain": settings.shares.retain}


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
            **_data_of(settings),
            "made": pulumi.Output.all(*(volume.volume for volume in stack.volumes.values())).apply(lambda _: True),
        },
        stack.host.resident(stack.host, depends_on=[*stack.volumes.values(), *stack.users]),
    )
