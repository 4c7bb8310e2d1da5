"""The compositions by the name that the setting `datadocker:stack` gives them."""

from stacks.databases import databases
from stacks.demo import demo
from stacks.settings import Settings

COMPOSITIONS = {"demo": demo, "databases": databases}


def build(settings: Settings) -> None:
    """Registers every resource of the composition that `settings.stack` names."""
    COMPOSITIONS[settings.stack](settings)
