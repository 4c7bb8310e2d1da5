"""What every share offers to the volumes that are mapped onto it."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi


class FileShare(pulumi.ComponentResource):
    """Where files are. Its kinds differ in who serves them, not in what they offer."""

    share: pulumi.Output[str]
    """Its name, known once it can be mounted."""
    options: Mapping[str, pulumi.Input[str]]
    """What a volume on it has to tell the driver."""
