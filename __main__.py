"""Reads the settings of the selected stack and builds the one composition that they name."""

from components.custom import start_provider

# it starts while the rest is being loaded
start_provider()

from stacks.build import build  # noqa: E402
from stacks.settings import read_settings  # noqa: E402

build(read_settings())
