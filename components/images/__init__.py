"""Images that the stack builds on its host, tagged by the hash of what they are built from."""

from components.images.base import BaseImage, BaseImageArgs
from components.images.context import ContextImage, ContextImageArgs

__all__ = ["BaseImage", "BaseImageArgs", "ContextImage", "ContextImageArgs"]
