"""What Azure answers for a resource that exists, in the shapes of the SDK."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.azure import schema
from tests.azure.compute_rules import platform_image
from tests.azure.interface_rules import is_primary
from tests.azure.limits import region
from tests.azure.sizes import IMAGES
from tests.azure.storage_rules import quotas
from tests.azure.values import one

if TYPE_CHECKING:
    from tests.azure.cloud import Cloud
    from tests.azure.resource import Resource

Outputs = dict[str, Any]
# what goes in and never comes out
WRITE_ONLY = {
    "azure-native:compute:VirtualMachine": ["osProfile.adminPassword", "osProfile.customData", "userData"],
    "azure-native:compute:VirtualMachineRunCommandByVirtualMachine": ["protectedParameters", "runAsPassword"],
}
MORE: dict[str, Callable[[Cloud, Resource, Outputs], None]] = {}


def outputs(cloud: Cloud, resource: Resource) -> Outputs:
    """Returns all outputs of a resource, as a read of it gives them."""
    kind = resource.kind
    known = schema.outputs(kind.token)
    out = {name: copy.deepcopy(value) for name, value in resource.inputs.items() if name in known}
    for path in WRITE_ONLY.get(kind.token, []):
        *way, last = path.split(".")
        holder = one(out, ".".join(way), {}) if way else out
        holder.pop(last, None)
    out |= {"id": resource.id, "name": resource.name, "type": kind.azure_type}
    out["azureApiVersion"] = schema.api_version(kind.token)
    if "location" in out:
        out["location"] = region(out["location"])
    for name in ("etag", "resourceGuid", "provisioningState"):
        if name in known:
            out[name] = resource.facts.get(name) or {"provisioningState": "Succeeded"}.get(name, "")
    if kind.token in MORE:
        MORE[kind.token](cloud, resource, out)
    return {name: value for name, value in out.items() if value is not None}


def _of(name: str) -> Callable[[Callable[[Cloud, Resource, Outputs], None]], None]:
    def mark(function: Callable[[Cloud, Resource, Outputs], None]) -> None:
        MORE[f"azure-native:{name}"] = function

    return mark


@_of("resources:ResourceGroup")
def _(cloud: Cloud, group: Resource, out: Outputs) -> None:
    out["properties"] = {"provisioningState": "Succeeded"}


@_of("network:VirtualNetwork")
def _(cloud: Cloud, network: Resource, out: Outputs) -> None:
    out["subnets"] = [outputs(cloud, child) for child in cloud.children(network.id, "azure-native:network:Subnet")]
    out.setdefault("enableDdosProtection", False)
    out.setdefault("virtualNetworkPeerings", [])
    out["flowLogs"] = []


@_of("network:Subnet")
def _(cloud: Cloud, subnet: Resource, out: Outputs) -> None:
    out.setdefault("privateEndpointNetworkPolicies", "Disabled")
    out.setdefault("privateLinkServiceNetworkPolicies", "Enabled")
    out.setdefault("delegations", [])
    out["ipConfigurations"] = [{"id": cloud.inner_id(user, path)} for user, path in cloud.users(subnet.id)]


@_of("network:NetworkSecurityGroup")
def _(cloud: Cloud, group: Resource, out: Outputs) -> None:
    children = cloud.children(group.id, "azure-native:network:SecurityRule")
    out["securityRules"] = [outputs(cloud, child) for child in children]
    users = [user for user, _ in cloud.users(group.id)]
    out["subnets"] = [{"id": u.id} for u in users if u.kind.token.endswith(":Subnet")]
    out["networkInterfaces"] = [{"id": u.id} for u in users if u.kind.token.endswith(":NetworkInterface")]
    out["flowLogs"], out["defaultSecurityRules"] = [], []


@_of("network:PublicIPAddress")
def _(cloud: Cloud, address: Resource, out: Outputs) -> None:
    out["ipAddress"] = address.facts.get("ipAddress")
    out.setdefault("idleTimeoutInMinutes", 4)
    out.setdefault("publicIPAddressVersion", "IPv4")
    out["sku"] = {"tier": "Regional", **out.get("sku", {})}
    out.setdefault("ipTags", [])
    if label := one(out, "dnsSettings.domainNameLabel"):
        out["dnsSettings"]["fqdn"] = f"{label}.{address.location}.cloudapp.azure.com"
    for user, path in cloud.users(address.id):
        out["ipConfiguration"] = {"id": cloud.inner_id(user, path)}


@_of("network:NetworkInterface")
def _(cloud: Cloud, interface: Resource, out: Outputs) -> None:
    for configuration in out["ipConfigurations"]:
        configuration["id"] = f"{interface.id}/ipConfigurations/{configuration.get('name')}"
        configuration.setdefault("privateIPAddress", interface.facts.get("addresses", {}).get(configuration["name"]))
        configuration.setdefault("privateIPAllocationMethod", "Dynamic")
        configuration.setdefault("privateIPAddressVersion", "IPv4")
        configuration["primary"] = is_primary(configuration, out["ipConfigurations"])
        configuration["provisioningState"] = "Succeeded"
        configuration["etag"] = out["etag"]
    out.setdefault("enableAcceleratedNetworking", False)
    out.setdefault("enableIPForwarding", False)
    out.setdefault("disableTcpStateTracking", False)
    out["macAddress"] = interface.facts.get("macAddress", "")
    out["defaultOutboundConnectivityEnabled"] = False
    out["vnetEncryptionSupported"] = False
    out["hostedWorkloads"], out["tapConfigurations"] = [], []
    for user, _ in cloud.users(interface.id):
        cards = user.inputs_at("networkProfile.networkInterfaces[]")
        used = next(card for card in cards if card.get("id", "").lower() == interface.key)
        out["virtualMachine"], out["primary"] = {"id": user.id}, is_primary(used, cards)


@_of("network:NatGateway")
def _(cloud: Cloud, gateway: Resource, out: Outputs) -> None:
    out.setdefault("idleTimeoutInMinutes", 4)
    out["subnets"] = [{"id": user.id} for user, _ in cloud.users(gateway.id)]


@_of("compute:VirtualMachine")
def _(cloud: Cloud, machine: Resource, out: Outputs) -> None:
    out["vmId"] = machine.facts["vmId"]
    out["timeCreated"] = machine.facts["timeCreated"]
    out.pop("instanceView", None)
    if profile := out.get("osProfile"):
        profile.setdefault("computerName", machine.name)
        profile.setdefault("allowExtensionOperations", True)
        profile.setdefault("requireGuestProvisionSignal", True)
        profile.setdefault("secrets", [])
    disk = out.setdefault("storageProfile", {}).setdefault("osDisk", {})
    disk["name"] = cloud.os_disk_name(machine)
    disk.setdefault("osType", "Linux")
    disk.setdefault("deleteOption", "Detach")
    disk.setdefault("caching", "None")
    kept = cloud.lookup(cloud.os_disk_id(machine))
    kind = one(kept.inputs, "sku.name") if kept else None
    disk["managedDisk"] = {"storageAccountType": kind or "Standard_LRS"} | disk.get("managedDisk", {})
    disk["managedDisk"]["id"] = cloud.os_disk_id(machine)
    if kept and "diskSizeGB" in kept.inputs:
        disk["diskSizeGB"] = kept.inputs["diskSizeGB"]
    image = out["storageProfile"].get("imageReference")
    if image and not image.get("id"):
        image["exactVersion"] = "12.20260901.1" if image.get("version") == "latest" else image.get("version")
        disk.setdefault("diskSizeGB", IMAGES[platform_image(machine)])
    if cloud.faults.deallocated:
        # by design: https://github.com/Azure/azure-powershell/issues/13213
        del disk["managedDisk"]["storageAccountType"]
        disk.pop("diskSizeGB", None)
    out["storageProfile"].setdefault("dataDisks", [])
    if out.get("identity", {}).get("type") == "None":
        del out["identity"]
    if identity := out.get("identity"):
        if "SystemAssigned" in identity.get("type", ""):
            identity["principalId"], identity["tenantId"] = machine.facts["principalId"], cloud.tenant
        if given := identity.get("userAssignedIdentities"):
            # Azure knows them as a map, which the SDK takes as a list of its keys
            identity["userAssignedIdentities"] = {i: _user_assigned(i) for i in given}


def _user_assigned(identity: str) -> dict[str, str]:
    made = {name: str(uuid.uuid5(uuid.NAMESPACE_URL, f"{name}{identity.lower()}")) for name in ("client", "principal")}
    return {f"{name}Id": value for name, value in made.items()}


@_of("compute:VirtualMachineRunCommandByVirtualMachine")
def _(cloud: Cloud, command: Resource, out: Outputs) -> None:
    # azure-native reads without $expand=instanceView, so that what the script printed is never there
    out.pop("instanceView", None)
    out.setdefault("asyncExecution", False)
    out.setdefault("timeoutInSeconds", 0)
    out.setdefault("treatFailureAsDeploymentFailure", False)


@_of("compute:AvailabilitySet")
def _(cloud: Cloud, group: Resource, out: Outputs) -> None:
    out.setdefault("platformFaultDomainCount", 2)
    out.setdefault("platformUpdateDomainCount", 5)
    out.setdefault("sku", {"name": "Classic"})
    out["virtualMachines"] = [{"id": user.id} for user, _ in cloud.users(group.id)]


@_of("compute:Disk")
def _(cloud: Cloud, disk: Resource, out: Outputs) -> None:
    out["diskState"] = "Attached" if disk.facts.get("managedBy") else "Unattached"
    out["managedBy"] = disk.facts.get("managedBy")
    out["timeCreated"] = disk.facts.get("timeCreated", "")
    out["uniqueId"] = disk.facts.get("resourceGuid", "")


@_of("storage:StorageAccount")
def _(cloud: Cloud, account: Resource, out: Outputs) -> None:
    services = ["file"] if account.inputs["kind"] == "FileStorage" else ["blob", "dfs", "file", "queue", "table", "web"]
    out["primaryEndpoints"] = {s: f"https://{account.name}.{s}.core.windows.net/" for s in services}
    out["primaryLocation"], out["statusOfPrimary"] = account.location, "available"
    out["creationTime"] = account.facts["creationTime"]
    out["keyCreationTime"] = {"key1": out["creationTime"], "key2": out["creationTime"]}
    out["sku"]["tier"] = out["sku"]["name"].split("_")[0].removesuffix("V2")
    out["privateEndpointConnections"] = []
    out.setdefault("enableHttpsTrafficOnly", True)
    out.setdefault("minimumTlsVersion", "TLS1_0")
    out.setdefault("allowBlobPublicAccess", False)
    out.setdefault("allowSharedKeyAccess", True)
    out.setdefault("accessTier", None if account.inputs["kind"] == "FileStorage" else "Hot")
    out.setdefault("publicNetworkAccess", "Enabled")
    if account.facts["large"]:
        out["largeFileSharesState"] = "Enabled"
    rules = out.setdefault("networkRuleSet", {})
    for name, value in {
        "bypass": "AzureServices",
        "defaultAction": "Allow",
        "ipRules": [],
        "virtualNetworkRules": [],
    }.items():
        rules.setdefault(name, value)
    for allowed in rules["virtualNetworkRules"]:
        allowed.setdefault("state", "Succeeded")
    out["encryption"] = {
        "keySource": "Microsoft.Storage",
        "services": {s: {"enabled": True, "keyType": "Account"} for s in ("blob", "file")},
    } | out.get("encryption", {})


@_of("storage:FileShare")
def _(cloud: Cloud, share: Resource, out: Outputs) -> None:
    account = cloud.parent(share)
    _, most = quotas(account)
    # a standard one starts small, however large it may become
    out.setdefault("shareQuota", most if account.inputs["kind"] == "FileStorage" else 5120)
    out.setdefault("accessTier", "Premium" if account.inputs["kind"] == "FileStorage" else "TransactionOptimized")
    if account.inputs["kind"] == "FileStorage":
        out.setdefault("enabledProtocols", "SMB")
    else:
        # said of accounts that know another one alone (github.com/pulumi/pulumi-azure-native/issues/1751)
        out.pop("enabledProtocols", None)
    if out.get("enabledProtocols") == "NFS":
        out.setdefault("rootSquash", "NoRootSquash")
    out["lastModifiedTime"] = share.facts["lastModifiedTime"]
    out["accessTierChangeTime"] = share.facts["lastModifiedTime"]
    out["leaseState"], out["leaseStatus"] = "available", "unlocked"


@_of("storage:FileServiceProperties")
def _(cloud: Cloud, service: Resource, out: Outputs) -> None:
    account = cloud.parent(service)
    out["sku"] = {"name": one(account.inputs, "sku.name"), "tier": one(account.inputs, "sku.name").split("_")[0]}
    out.setdefault("shareDeleteRetentionPolicy", {"enabled": True, "days": 7})
    out.setdefault("cors", {"corsRules": []})
