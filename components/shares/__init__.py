"""File shares: where data lives. Each kind is a file."""

from components.shares.local import LocalShare, LocalShareArgs

__all__ = ["LocalShare", "LocalShareArgs"]
