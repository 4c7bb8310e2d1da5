"""Payloads about storage accounts and shares that Azure is known to refuse.

Each has its type, what is wrong, the code, words of the message, and where they were published.
"""

from __future__ import annotations

from typing import Any

KIND_AND_SKU = "https://github.com/hashicorp/terraform-provider-azurerm/issues/8089"

PAYLOADS: list[tuple[str, dict[str, Any], str, str, str]] = [
    (
        "storage:StorageAccount",
        {"accountName": "TestStore"},
        "AccountNameInvalid",
        "TestStore is not a valid storage account name. Storage account name must be between 3 and 24 characters in",
        "https://github.com/Azure/azure-xplat-cli/issues/1970",
    ),
    (
        "storage:StorageAccount",
        {"accountName": "my-azure-blobstore1113"},
        "AccountNameInvalid",
        "use numbers and lower-case letters only.",
        "https://github.com/banzaicloud/pipeline/issues/1194",
    ),
    (
        "storage:StorageAccount",
        {"accountName": "windowsalgo"},
        "ReservedResourceName",
        "The resource name 'windowsalgo' or a part of the name is a trademarked or reserved word.",
        "https://github.com/trailofbits/algo/issues/617",
    ),
    (
        "storage:StorageAccount",
        {"accountName": "loginstorage"},
        "ReservedResourceName",
        "The resource name 'loginstorage' or a part of the name is a trademarked or reserved word.",
        "https://github.com/MicrosoftDocs/architecture-center/issues/285",
    ),
    (
        "storage:StorageAccount",
        {"kind": "Files"},
        "InvalidRequestPropertyValue",
        "The value 'Files' is not allowed for property kind.",
        "https://github.com/kubernetes-sigs/azurefile-csi-driver/issues/1057",
    ),
    (
        "storage:FileShare",
        {"enabledProtocols": "NFS", "shareQuota": 5},
        "FeatureNotSupportedForAccount",
        "NfsFileShares is not supported for the account.",
        "https://github.com/Azure/azure-cli/issues/32510",
    ),
    *[
        (
            "storage:StorageAccount",
            {"accountName": "other1", "kind": kind, "sku": {"name": sku}, "accessTier": tier},
            "InvalidValuesForRequestParameters",
            "Values for request parameters are invalid: kind, sku.",
            source,
        )
        for kind, sku, tier, source in (
            (
                "FileStorage",
                "Standard_LRS",
                None,
                "https://github.com/hashicorp/terraform-provider-azurerm/issues/4842",
            ),
            ("BlockBlobStorage", "Standard_LRS", None, KIND_AND_SKU),
            ("StorageV2", "PremiumV2_LRS", None, KIND_AND_SKU),
            ("StorageV2", "StandardV2_LRS", None, KIND_AND_SKU),
            ("StorageV2", "Premium_ZRS", None, KIND_AND_SKU),
            ("BlobStorage", "Standard_ZRS", "Hot", KIND_AND_SKU),
            ("Storage", "Standard_GZRS", None, KIND_AND_SKU),
        )
    ],
    (
        "storage:StorageAccount",
        {"accountName": "other1", "kind": "BlobStorage"},
        "AccountPropertyIsRequired",
        "Account property accessTier is required for the request.",
        "https://github.com/Azure/azure-cli/issues/5115",
    ),
    (
        "storage:FileShare",
        {"accessTier": "Premium"},
        "InvalidHeaderValue",
        "The value for one of the HTTP headers is not in the correct format.",
        "https://github.com/pulumi/pulumi-azure-native/issues/786",
    ),
    (
        "storage:FileShare",
        {"rootSquash": "RootSquash"},
        "InvalidHeaderValue",
        "The value for one of the HTTP headers is not in the correct format.",
        "https://learn.microsoft.com/rest/api/storagerp/file-shares/create",
    ),
    (
        "storage:FileShare",
        {"shareName": "Logs"},
        "InvalidResourceName",
        "The specifed resource name contains invalid characters.",
        "https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes",
    ),
    (
        "storage:FileShare",
        {"shareQuota": 5121},
        "InvalidHeaderValue",
        "The value for one of the HTTP headers is not in the correct format.",
        "https://github.com/Azure/azure-powershell/issues/6812",
    ),
    *[
        (
            "storage:StorageAccount",
            {"networkRuleSet__ipRules": [{"iPAddressOrRange": address} for address in addresses]},
            "InvalidValuesForRequestParameters",
            "Values for request parameters are invalid: networkAcls.ipRule[*].value.",
            source,
        )
        for addresses, source in (
            (["10.0.0.0/8"], "https://github.com/Azure/azure-cli/issues/7417"),
            (["192.168.1.0/24"], "https://github.com/Azure/azure-cli/issues/13828"),
            (["198.51.100.8/31"], "https://github.com/hashicorp/terraform-provider-azurerm/pull/20870"),
            (["198.51.100.8/32"], "https://github.com/hashicorp/terraform-provider-azurerm/issues/5444"),
            (["198.51.100.8"] * 2, "https://learn.microsoft.com/azure/storage/common/storage-network-security"),
            (
                [f"198.51.{100 + i // 256}.{i % 256}" for i in range(401)],
                "https://learn.microsoft.com/azure/storage/common/storage-network-security",
            ),
        )
    ],
    (
        "storage:StorageAccount",
        {"location": "westus", "sku": {"name": "Standard_ZRS"}},
        "RedundancyConfigurationNotAvailableInRegion",
        "Sku: Standard_ZRS, Kind: StorageV2 - not available in selected Region - westus.",
        "https://github.com/Esri/arcgis-gitops/issues/160",
    ),
    (
        "storage:StorageAccount",
        {"location": "polandcentral", "sku": {"name": "Standard_GRS"}},
        "RedundancyConfigurationNotAvailableInRegion",
        "Sku: Standard_GRS, Kind: StorageV2 - not available in selected Region - polandcentral.",
        "https://learn.microsoft.com/azure/reliability/regions-paired",
    ),
    (
        "storage:StorageAccount",
        {"networkRuleSet__bypass": "Logging, Everything"},
        "InvalidRequestPropertyValue",
        "The value 'Logging, Everything' is not allowed for property networkRuleSet.bypass.",
        "https://github.com/kubernetes-sigs/azurefile-csi-driver/issues/1057",
    ),
    (
        "storage:FileServiceProperties",
        {"fileServicesName": "other"},
        "InvalidRequestPropertyValue",
        "The value 'other' is not allowed for property fileServicesName.",
        "https://learn.microsoft.com/rest/api/storagerp/file-services/set-service-properties",
    ),
]
