"""Who a stack is to the engines that it shares with others."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping

import pulumi

from provider.owner import CHECKOUT_LABEL, IMAGE_LABEL, STACK_LABEL


def stack_label() -> str:
    """project/stack, by which containers and data know whose they are."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


# label → value, some known only when Pulumi has made them
Labels = Mapping[str, pulumi.Input[str]]


def owner_labels() -> Labels:
    """Labels of the stack's containers and volumes, which nothing else on an engine has."""
    kept = pulumi.Stash(
        "checkout",
        input=f"{socket.gethostname()}:{os.getcwd()}#{secrets.token_hex(4)}",
        # the first value stays, whoever runs the stack from wherever
        opts=pulumi.ResourceOptions(ignore_changes=["input"]),
    )
    return {STACK_LABEL: stack_label(), CHECKOUT_LABEL: kept.output.apply(str)}


def image_labels(labels: Labels) -> Labels:
    """Labels of the images of the stack that has `labels`."""
    return {STACK_LABEL: labels[STACK_LABEL], IMAGE_LABEL: labels[CHECKOUT_LABEL]}
