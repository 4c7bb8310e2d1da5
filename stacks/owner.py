"""Who a stack is to the engines that it shares with others, and where it stands."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from typing import Any, TypedDict

import pulumi

from components.azure_lookup import STACK_TAG
from components.state import FILES_ACCOUNT, FILES_GROUP, HOST_GROUP, recorded
from provider.owner import CHECKOUT_LABEL, IMAGE_LABEL, STACK_LABEL

# the Stash of the first run
KEPT = "checkout"
# what says by its tag whose it is
TAGGED = (HOST_GROUP, FILES_GROUP, FILES_ACCOUNT)


def stack_label() -> str:
    """project/stack, by which containers and data know whose they are."""
    return f"{pulumi.get_project()}/{pulumi.get_stack()}"


def default_base() -> str:
    """What names on Azure begin with."""
    return f"{pulumi.get_project()}-{pulumi.get_stack()}".lower()


# label → value, some known only when Pulumi has made them
Labels = Mapping[str, pulumi.Input[str]]


class Place(TypedDict):
    """Where a stack stands."""

    place: str
    """The host, whoever logs in there and how."""
    subscription: str
    """Of what is on Azure; nothing if nothing is."""


def owner_labels(place: Place) -> Labels:
    """Labels of the stack's containers and volumes, which nothing else on an engine has.

    The checkout's is known once it is sure that the stack stands at `place`, or nowhere yet. What waits
    for it is not made anywhere else: it fails with a `pulumi.RunError` that says what to do.
    """
    kept = pulumi.Stash(
        KEPT,
        input={"owner": f"{socket.gethostname()}:{os.getcwd()}#{secrets.token_hex(4)}", **place},
        # the first value stays, whoever runs the stack from wherever
        opts=pulumi.ResourceOptions(ignore_changes=["input"]),
    )
    return {STACK_LABEL: stack_label(), CHECKOUT_LABEL: kept.output.apply(lambda first: _owner(first, place))}


def insist_on(place: Place) -> None:
    """Checks at once what the labels of `owner_labels` check later. It reads the whole state, which takes time.

    Raises:
        pulumi.RunError: if the stack stands elsewhere.
    """
    if kept := recorded().get(("pulumi:index:Stash", KEPT)):
        _owner(kept["output"], place)


def insist_on_name() -> None:
    """Checks that what the stack has on Azure was made under its present name.

    Raises:
        pulumi.RunError: if the stack was renamed: under the names that come of it now there is neither host nor data.
    """
    for known in TAGGED:
        was = str((recorded().get(known, {}).get("tags") or {}).get(STACK_TAG) or stack_label())
        if was != stack_label():
            name = was.partition("/")[2]
            # the wrapper renames none to dev, whose passphrase is published
            program = "pulumi" if name == "dev" else "./pulumiw"
            raise pulumi.RunError(
                f"this stack's part on Azure was made when it was {was}, and Azure renames nothing: the host would be "
                f"made anew beside empty shares. Go back by {program} stack rename {name} --stack {pulumi.get_stack()}"
            )


def _owner(first: Any, place: Place) -> str:
    # where a stack of an older state stands is not known
    if isinstance(first, str):
        return first
    # on another engine all would be made anew, and what is on this one would be in no state
    if first["place"] != place["place"]:
        raise pulumi.RunError(
            f"this stack stands on {first['place']}: to move it to {place['place']} destroy it first (what shares keep "
            "stays there: copy local ones before the first up on the other), or set datadocker:host or DOCKER_HOST back"
            f"{_way_to_a_moved_port(str(first['place']), place['place'])}"
        )
    # in another subscription its data is not there, and the state would forget what is in this one
    there = str(first.get("subscription") or _recorded_subscription() or place["subscription"])
    if place["subscription"] and there.lower() != place["subscription"].lower():
        raise pulumi.RunError(
            f"this stack stands in the subscription {there}: to move it to {place['subscription']} destroy it first "
            f"(what shares keep stays there), or go back: az account set --subscription {there} (or by "
            "ARM_SUBSCRIPTION_ID or azure-native:subscriptionId)"
        )
    return str(first["owner"])


def _way_to_a_moved_port(stands: str, wanted: str) -> str:
    # by an address alone nobody knows the machine: a gateway has another one behind each port
    address, _, port = wanted.removeprefix("ssh://").rpartition(":")
    if stands.rpartition(":")[0] != f"ssh://{address}":
        return ""
    return (
        f"; if it is the same machine, whose sshd moved: set host.port back, and write ProxyCommand nc %h {port} under "
        f"Host {address} in ~/.ssh/config"
    )


def _recorded_subscription() -> str:
    """The subscription of the data, of a stack that began without any."""
    ids = (str(recorded().get(known, {}).get("id") or "") for known in TAGGED)
    return next((parts[2] for parts in (i.split("/") for i in ids) if parts[1:2] == ["subscriptions"]), "")


def image_labels(labels: Labels) -> Labels:
    """Labels of the images of the stack that has `labels`."""
    return {STACK_LABEL: labels[STACK_LABEL], IMAGE_LABEL: labels[CHECKOUT_LABEL]}
