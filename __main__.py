"""Reads the settings of the selected stack and builds the one composition that they name."""

from stacks.build import build
from stacks.settings import read_settings

build(read_settings())
