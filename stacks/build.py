"""The compositions by the name that the setting `datadocker:stack` gives them."""

import pulumi

from components.custom import ShareGuard, VolumeGuard
from components.hosts import DockerHost
from stacks.azure import AzureHostSettings
from stacks.databases import databases
from stacks.demo import demo
from stacks.owner import Labels
from stacks.settings import LocalSharesSettings, Settings

COMPOSITIONS = {"demo": demo, "databases": databases}


def build(settings: Settings, host: DockerHost, labels: Labels) -> None:
    """Registers every resource of the composition that `settings.stack` names on a host, with the stack's labels."""
    stack = COMPOSITIONS[settings.stack](settings, host, labels)
    # the guards depend on all that uses the volumes: they are the first to be deleted, and nothing is if one refuses
    used = [*stack.volumes.values(), *stack.users]
    # their order in the file means nothing
    volumes = sorted(settings.prefix + name for name in stack.volumes)
    # a machine on Azure goes with all that is on it
    if not isinstance(settings.host, AzureHostSettings):
        # of others than local shares the data is not on the host
        local = isinstance(settings.shares, LocalSharesSettings)
        shares = settings.local_shares() if local else set()
        data = ShareGuard(
            "shares",
            {
                "engine": stack.host.engine,
                "driver": settings.plugin.name,
                "volumes": volumes,
                "labels": stack.labels,
                "shares": sorted(shares),
                "retain": settings.shares.retain,
            },
            stack.host.resident(stack.host, depends_on=used),
        )
        used = [*used, data]
    VolumeGuard(
        "volumes",
        {
            "engine": stack.host.engine,
            "volumes": volumes,
            "labels": stack.labels,
            "made": pulumi.Output.all(*(volume.volume for volume in stack.volumes.values())).apply(lambda _: True),
        },
        stack.host.resident(stack.host, depends_on=used),
    )
