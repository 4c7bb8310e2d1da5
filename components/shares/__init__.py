"""File shares: where data lives. Each kind is a file."""

from components.shares.local import LocalShare, LocalShareArgs
from components.shares.share import FileShare

# those on Azure are in components.shares.azure: to import its SDK takes a second that only they are worth
__all__ = ["FileShare", "LocalShare", "LocalShareArgs"]
