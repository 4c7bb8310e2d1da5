"""What Azure answers when it refuses: a status, a code and a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.azure.kinds import Kind


class AzureError(Exception):
    """A refusal; its text is the one that azure-native prints for it."""

    def __init__(self, status: int, code: str, message: str, *, retry_after: float | None = None) -> None:
        """Takes the HTTP status; `retry_after` is in seconds."""
        super().__init__(f'Status={status} Code="{code}" Message="{message}"')
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


class PartialError(Exception):
    """What a resource that exists all the same did not get done."""

    def __init__(self, error: AzureError) -> None:
        super().__init__(str(error))
        self.error = error


class NotLoggedIn(Exception):
    """There is no login, or it has expired; the text is the Azure CLI's."""


def bad_request(code: str, message: str) -> AzureError:
    return AzureError(400, code, message)


def conflict(code: str, message: str) -> AzureError:
    return AzureError(409, code, message)


def invalid_parameter(message: str) -> AzureError:
    return bad_request("InvalidParameter", message)


def not_parsed(kind: Kind, path: str, value: object) -> AzureError:
    """What is no value of a property: each of Azure's services has words of its own for it.

    Network: https://github.com/Azure/azure-cli/issues?q=InvalidRequestFormat; compute:
    https://learn.microsoft.com/azure/virtual-machines/error-messages; storage:
    https://github.com/kubernetes-sigs/azurefile-csi-driver/issues/1057
    """
    if kind.token.startswith("azure-native:network:"):
        return bad_request("InvalidRequestFormat", "Cannot parse the request.")
    if kind.token.startswith("azure-native:compute:"):
        return bad_request("InvalidParameter", f"The value of parameter {path} is invalid.")
    return bad_request("InvalidRequestPropertyValue", f"The value '{value}' is not allowed for property {path}.")


def group_not_found(name: str) -> AzureError:
    return AzureError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def not_found(kind: str, name: str, group: str) -> AzureError:
    """`kind` is Azure's, such as Microsoft.Network/virtualNetworks/subnets, and `name` goes down to it by slashes."""
    return AzureError(
        404,
        "ResourceNotFound",
        f"The Resource '{kind.split('/')[0]}/{_interleaved(kind, name)}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def parent_not_found(kind: str, parent: str, action: str = "write") -> AzureError:
    return AzureError(
        404,
        "ParentResourceNotFound",
        f"Failed to perform '{action}' on resource(s) of type '{kind.split('/', 1)[1]}', because the parent resource "
        f"'{parent}' could not be found.",
    )


def reference_not_found(referenced: str, by: str) -> AzureError:
    return bad_request(
        "InvalidResourceReference",
        f"Resource {referenced} referenced by resource {by} was not found. Please make sure that the referenced "
        "resource exists, and that both resources are in the same region.",
    )


def _interleaved(kind: str, name: str) -> str:
    types, names = kind.split("/")[1:], name.split("/")
    return "/".join(part for pair in zip(types, names, strict=True) for part in pair)
