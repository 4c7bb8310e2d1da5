"""Programs that the tests run, as text, and the key that their machines get."""

from __future__ import annotations

import base64


def key_line(*fields: bytes) -> str:
    """Returns a public key as a line, of its type and of what it is made of."""
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return f"{fields[0].decode()} {base64.b64encode(blob).decode()} test"


KEY = key_line(b"ssh-ed25519", bytes(32))

GROUP = """
group = resources.ResourceGroup("group", resource_group_name="demo", location="West Europe")
"""

NETWORK = (
    GROUP
    + """
security = network.NetworkSecurityGroup("security", resource_group_name=group.name)
network.SecurityRule(
    "ssh", resource_group_name=group.name, network_security_group_name=security.name, priority=100,
    direction="Inbound", access="Allow", protocol="Tcp", source_port_range="*", source_address_prefix="203.0.113.0/24",
    destination_address_prefix="*", destination_port_range="22",
)
net = network.VirtualNetwork(
    "net", resource_group_name=group.name, address_space={"address_prefixes": ["10.1.0.0/16"]},
)
subnet = network.Subnet(
    "subnet", resource_group_name=group.name, virtual_network_name=net.name, address_prefix="10.1.0.0/24",
    network_security_group={"id": security.id},
    service_endpoints=[{"service": "Microsoft.Storage"}],
)
address = network.PublicIPAddress(
    "address", resource_group_name=group.name, sku={"name": "Standard"}, public_ip_allocation_method="Static",
    dns_settings={"domain_name_label": "demo-host"},
)
nic = network.NetworkInterface(
    "nic", resource_group_name=group.name,
    ip_configurations=[{"name": "main", "subnet": {"id": subnet.id}, "public_ip_address": {"id": address.id}}],
)
"""
)


def machine(
    size: str = "Standard_B2s_v2", custom_data: str = "#cloud-config\n", more: str = "", name: str = "demo-vm"
) -> str:
    """Returns a program with one virtual machine in the network."""
    encoded = base64.b64encode(custom_data.encode()).decode()
    return (
        NETWORK
        + f"""
vm = compute.VirtualMachine(
    "vm", resource_group_name=group.name, vm_name={name!r}, hardware_profile={{"vm_size": {size!r}}},
    network_profile={{"network_interfaces": [{{"id": nic.id, "primary": True}}]}},
    os_profile={{
        "computer_name": "demo-vm", "admin_username": "datadocker", "custom_data": {encoded!r},
        "linux_configuration": {{
            "disable_password_authentication": True,
            "ssh": {{"public_keys": [
                {{"path": "/home/datadocker/.ssh/authorized_keys", "key_data": {KEY!r}}},
            ]}},
        }},
    }},
    storage_profile={{
        "image_reference": {{
            "publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "latest",
        }},
        "os_disk": {{
            "create_option": "FromImage", "delete_option": "Delete", "disk_size_gb": 32,
            "managed_disk": {{"storage_account_type": "StandardSSD_LRS"}},
        }},
    }},
    {more}
)
pulumi.export("ip", address.ip_address)
pulumi.export("vmId", vm.vm_id)
"""
    )


def shares(**options: str) -> str:
    """Returns a program with an account and a share; each of group, account and logs may get resource options."""

    def opts(name: str) -> str:
        return f"opts=pulumi.ResourceOptions({options.get(name, '')})"

    return f"""
group = resources.ResourceGroup("group", resource_group_name="demo", location="West Europe", {opts("group")})
account = storage.StorageAccount(
    "account", resource_group_name=group.name, account_name="demodata1", kind="StorageV2",
    sku={{"name": "Standard_LRS"}}, minimum_tls_version="TLS1_2", allow_blob_public_access=False, {opts("account")}
)
share = storage.FileShare(
    "logs", resource_group_name=group.name, account_name=account.name, share_name="logs", share_quota=100,
    {opts("logs")}
)
keys = storage.list_storage_account_keys_output(account_name=account.name, resource_group_name=group.name)
pulumi.export("key", pulumi.Output.secret(keys.keys[0].value))
pulumi.export("endpoint", account.primary_endpoints.file)
"""


SHARES = shares()
