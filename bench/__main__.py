"""Runs the measurements that are named, all if none; only a run of all rewrites the results."""

from __future__ import annotations

