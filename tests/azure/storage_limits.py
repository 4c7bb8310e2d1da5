"""Limits of single values of resource groups, storage accounts and file shares."""

from __future__ import annotations

from tests.azure.limits import NAMES, REGIONS, Refused, is_unreserved, matches, region

ACCOUNT_NAME = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-storage-account-name"
GROUP_REGIONS = "https://github.com/Azure/azure-cli/issues/7602"

REFUSED: dict[str, list[Refused]] = {
    "azure-native:resources:ResourceGroup": [
        Refused(
            "resourceGroupName",
            NAMES,
            matches(r"[-\w._()]{0,89}[-\w_()]"),
            "InvalidResourceGroup",
            "The provided resource group name '{value}' has these invalid characters: '.'. The name can only be a "
            "letter, digit, '-', '.', '(', ')' or '_'.",
        ),
        Refused(
            "location",
            GROUP_REGIONS,
            lambda value: region(value) in REGIONS,
            "LocationNotAvailableForResourceGroup",
            "The provided location '{value}' is not available for resource group. List of available regions is "
            "'{regions}'.",
        ),
    ],
    "azure-native:storage:StorageAccount": [
        Refused(
            "accountName",
            ACCOUNT_NAME,
            matches(r"[a-z0-9]{3,24}"),
            "AccountNameInvalid",
            "{value} is not a valid storage account name. Storage account name must be between 3 and 24 characters in "
            "length and use numbers and lower-case letters only.",
        ),
        Refused(
            "accountName",
            "https://github.com/trailofbits/algo/issues/617",
            is_unreserved,
            "ReservedResourceName",
            "The resource name '{value}' or a part of the name is a trademarked or reserved word.",
        ),
    ],
    "azure-native:storage:FileServiceProperties": [
        Refused(
            "fileServicesName",
            "https://learn.microsoft.com/rest/api/storagerp/file-services/set-service-properties",
            matches("(?i:default)"),
            "InvalidRequestPropertyValue",
            "The value '{value}' is not allowed for property fileServicesName.",
        ),
    ],
    "azure-native:storage:FileShare": [
        Refused(
            "shareName",
            "https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-shares--directories--files--and-metadata",
            lambda value: matches(r"[a-z0-9](-?[a-z0-9])*")(value) and 3 <= len(value) <= 63,
            "InvalidResourceName",
            "The specifed resource name contains invalid characters.",
        ),
    ],
}
