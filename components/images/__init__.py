"""Images on the host: those that the stack builds, tagged by the hash of what they are built from, and others'."""

from components.images.base import BaseImage, BaseImageArgs
from components.images.context import ContextImage, ContextImageArgs
from components.images.pulled import PulledImage, PulledImageArgs

__all__ = ["BaseImage", "BaseImageArgs", "ContextImage", "ContextImageArgs", "PulledImage", "PulledImageArgs"]
