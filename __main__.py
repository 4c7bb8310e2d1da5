"""Reads the settings of the selected stack and builds the one composition that they name."""

import asyncio
import gc
import importlib
import sys
from pathlib import Path
from typing import Any

import pulumi

from components.custom import start_provider

# Pulumi's own host takes it off the path again before `program` is awaited
sys.path.insert(0, str(Path(__file__).resolve().parent))
# what is loaded stays, so there is nothing to look for in it
gc.disable()
# it starts while the rest is being loaded
start_provider()


async def program() -> None:
    """Loads each step while the engine is at work on the one before."""
    settings = (await _load("stacks.config")).read_settings()
    host, labels = (await _load("stacks.hosts")).docker_host(settings)
    (await _load("stacks.build")).build(settings, host, labels)
    gc.freeze()
    gc.enable()


async def _load(module: str) -> Any:
    return await asyncio.to_thread(importlib.import_module, module)


pulumi.run(program)
