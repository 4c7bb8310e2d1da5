"""Each thing that can go wrong, switched on: what the provider makes of it, and that what exists stays usable."""

from __future__ import annotations

import time

import pytest

from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError, NotLoggedIn
from tests.azure.kinds import KINDS
from tests.azure.machines import BootFailed, Order, RecordingRoom
from tests.azure.programs import GROUP, machine
from tests.azure.project import Project
from tests.azure.provider import AlreadyExists, InitFailed, Provider, RequestFailed
from tests.azure.samples import furnish, payload, put
from tests.azure.standin import StandIn

GROUP_KIND = KINDS["azure-native:resources:ResourceGroup"]
VM = "compute:VirtualMachine"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def provider(cloud: Cloud) -> Provider:
    return Provider(cloud)


def test_what_is_throttled_is_tried_again_after_the_time_that_azure_says(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.throttle(2, retry_after=0.1)
    started = time.monotonic()
    provider.create(GROUP_KIND, payload("resources:ResourceGroup"))
    assert time.monotonic() - started >= 0.2


def test_what_stays_throttled_fails(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.throttle(10, retry_after=0.01)
    with pytest.raises(AzureError, match=r"Status=429 .* Please try again after '0.01' seconds"):
        provider.create(GROUP_KIND, payload("resources:ResourceGroup"))
    assert not cloud.resources


def test_a_conflict_is_tried_again_and_fails_if_it_stays(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.conflict(2)
    provider.create(GROUP_KIND, payload("resources:ResourceGroup"))
    cloud.faults.conflict(10)
    with pytest.raises(AzureError, match="Another operation on this or dependent resource is in progress"):
        provider.delete(GROUP_KIND, cloud.only("resources:ResourceGroup").id)


def test_faults_are_for_one_type_if_they_say_so(cloud: Cloud) -> None:
    cloud.faults.throttle(10, kind="StorageAccount")
    furnish(cloud, before="storage:StorageAccount")
    with pytest.raises(AzureError, match="429"):
        put(cloud, "storage:StorageAccount")


def test_a_slow_creation_takes_its_time(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.slow(0.2, kind="ResourceGroup")
    started = time.monotonic()
    provider.create(GROUP_KIND, payload("resources:ResourceGroup"))
    assert time.monotonic() - started >= 0.2


def test_a_read_right_after_a_creation_may_find_nothing(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.lag = 2
    # azure-native then takes what the creation gave
    resource_id, found = provider.create(GROUP_KIND, payload("resources:ResourceGroup"))
    assert found["name"] == "demo"
    with pytest.raises(RequestFailed, match="ResourceGroupNotFound"):
        provider.invoke("azure-native:resources:getResourceGroup", {"resourceGroupName": "demo"})
    assert provider.read(resource_id)


def test_what_exists_is_not_created_again(cloud: Cloud, provider: Provider) -> None:
    put(cloud, "resources:ResourceGroup")
    with pytest.raises(AlreadyExists, match="cannot create already existing resource '/subscriptions/"):
        provider.create(GROUP_KIND, payload("resources:ResourceGroup"))


def test_the_quota_is_exceeded(cloud: Cloud) -> None:
    cloud.faults.cores = 1
    furnish(cloud, before=VM)
    with pytest.raises(AzureError, match="exceeding approved Total Regional Cores quota") as caught:
        put(cloud, VM)
    assert "Current Limit: 1, Current Usage: 0, Additional Required: 2, (Minimum) New Limit Required: 2" in str(
        caught.value
    )
    assert (caught.value.status, caught.value.code) == (409, "OperationNotAllowed")
    put(cloud, VM, hardwareProfile__vmSize="Standard_B1s")


def test_a_size_is_not_to_be_had_in_the_region(cloud: Cloud) -> None:
    cloud.faults.sizes_unavailable = {("Standard_B2s_v2", "westeurope")}
    furnish(cloud, before=VM)
    with pytest.raises(AzureError, match="is currently not available in location 'westeurope' zones ''") as caught:
        put(cloud, VM)
    assert caught.value.code == "SkuNotAvailable"


def test_a_name_is_taken_in_the_world(cloud: Cloud) -> None:
    cloud.faults.taken_names = {"demodata1", "demo-host.westeurope.cloudapp.azure.com"}
    furnish(cloud, before="network:PublicIPAddress")
    with pytest.raises(AzureError, match=r"DNS record demo-host\.westeurope\.cloudapp\.azure\.com is already used by"):
        put(cloud, "network:PublicIPAddress")
    with pytest.raises(AzureError, match="The storage account named demodata1 is already taken") as caught:
        put(cloud, "storage:StorageAccount")
    assert caught.value.code == "StorageAccountAlreadyTaken"


def test_a_machine_that_never_gets_ready_exists_and_is_not_what_it_should_be(cloud: Cloud, provider: Provider) -> None:
    cloud.faults.never_ready = True
    furnish(cloud, before=VM)
    with pytest.raises(InitFailed, match="OSProvisioningTimedOut") as caught:
        provider.create(KINDS[f"azure-native:{VM}"], payload(VM))
    assert cloud.get(caught.value.id)["provisioningState"] == "Failed"
    provider.delete(KINDS[f"azure-native:{VM}"], caught.value.id)
    assert not cloud.of_type(VM)


def test_a_machine_that_does_not_boot_says_why() -> None:
    class Broken(RecordingRoom):
        def start(self, order: Order) -> None:
            raise BootFailed("kernel panic")

    cloud = Cloud(machines=Broken())
    furnish(cloud, before=VM)
    with pytest.raises(InitFailed, match=r"OS provisioning for VM 'vm' failed\. kernel panic"):
        Provider(cloud).create(KINDS[f"azure-native:{VM}"], payload(VM))


def test_without_a_login_nothing_starts(provider: Provider, cloud: Cloud) -> None:
    cloud.faults.logged_in = False
    with pytest.raises(NotLoggedIn, match="Please run 'az login' to setup account"):
        provider.configure({})


def test_a_login_that_expires_on_the_way_leaves_what_is_there(provider: Provider, cloud: Cloud) -> None:
    put(cloud, "resources:ResourceGroup")
    cloud.faults.login_expired = True
    for request in (
        lambda: provider.read(cloud.only("resources:ResourceGroup").id),
        lambda: put(cloud, "network:VirtualNetwork"),
        lambda: provider.delete(GROUP_KIND, cloud.only("resources:ResourceGroup").id),
    ):
        with pytest.raises(NotLoggedIn, match="The refresh token has expired due to inactivity"):
            request()
    assert cloud.of_type("resources:ResourceGroup")


def test_the_cli_says_so_in_one_line(project: Project, azure: StandIn) -> None:
    azure.faults.logged_in = False
    text = project.fails(GROUP)
    assert "ERROR: Please run 'az login' to setup account." in text
    azure.faults.logged_in = True
    azure.faults.cores = 1
    assert 'error: Status=409 Code="OperationNotAllowed" Message="Operation could not be completed' in project.fails(
        machine()
    )
    azure.faults.cores = 4
    azure.faults.throttle(2, retry_after=0.05)
    project.up()
    assert azure.cloud.of_type(VM)


def test_a_machine_that_hangs_lets_no_run_command_go_and_goes_itself(cloud: Cloud, provider: Provider) -> None:
    kind = KINDS["azure-native:compute:VirtualMachineRunCommandByVirtualMachine"]
    furnish(cloud, "compute:VirtualMachineRunCommandByVirtualMachine")
    command = put(cloud, "compute:VirtualMachineRunCommandByVirtualMachine")
    cloud.faults.agentless = {cloud.parent(command).key}
    with pytest.raises(AzureError, match=r"VM '.*' has not reported status for VM agent or extensions"):
        provider.delete(kind, command.id)
    assert cloud.lookup(command.id)
    provider.delete(KINDS["azure-native:compute:VirtualMachine"], cloud.parent(command).id)
    assert not cloud.lookup(command.id)
    assert not cloud.faults.agentless
