"""Azure's services as networks name them: in service tags and in service endpoints."""

from __future__ import annotations

# https://learn.microsoft.com/azure/virtual-network/service-tags-overview
_TAGS = """
ActionGroup ApiManagement ApplicationInsightsAvailability AppConfiguration AppService AppServiceManagement
AutonomousDevelopmentPlatform AzureActiveDirectory AzureActiveDirectoryDomainServices AzureAdvancedThreatProtection
AzureArcInfrastructure AzureAttestation AzureBackup AzureBotService AzureCloud AzureCognitiveSearch AzureConnectors
AzureContainerAppsService AzureContainerRegistry AzureCosmosDB AzureDatabricks AzureDataExplorerManagement
AzureDeviceUpdate AzureDevOps AzureDigitalTwins AzureEventGrid AzureFrontDoor AzureHealthcareAPIs
AzureInformationProtection AzureIoTHub AzureKeyVault AzureLoadBalancer AzureMachineLearning AzureManagedGrafana
AzureMonitor AzureOpenDatasets AzurePlatformDNS AzurePlatformIMDS AzurePlatformLKM AzureResourceManager AzureSentinel
AzureSignalR AzureSiteRecovery AzureSphere AzureSpringCloud AzureStack AzureTrafficManager AzureUpdateDelivery
AzureVideoIndexer AzureWebPubSub BatchNodeManagement ChaosStudio CognitiveServicesFrontend
CognitiveServicesManagement DataFactory DataFactoryManagement Dynamics365BusinessCentral EOPExternalPublishedIPs
EventHub GatewayManager GenevaActions GuestAndHybridManagement HDInsight Internet KustoAnalytics LogicApps
LogicAppsManagement M365ManagementActivityApi Marketplace MicrosoftAzureFluidRelay MicrosoftCloudAppSecurity
MicrosoftContainerRegistry MicrosoftDefenderForEndpoint OneDsCollector PowerBI PowerPlatformInfra PowerQueryOnline
ScubaServices SCOMManagedInstance ServiceBus ServiceFabric Sql SqlManagement Storage StorageMover StorageSyncService
TrafficManager VideoIndexer VirtualNetwork WindowsAdminCenter WindowsVirtualDesktop
"""
TAGS = frozenset(_TAGS.lower().split())
# https://learn.microsoft.com/azure/virtual-network/virtual-network-service-endpoints-overview
_ENDPOINTS = """
AzureActiveDirectory AzureCosmosDB CognitiveServices ContainerRegistry EventHub KeyVault ServiceBus Sql Storage
Storage.Global Web
"""
ENDPOINT_SERVICES = frozenset(f"Microsoft.{name}" for name in _ENDPOINTS.split())


def is_service_tag(text: str) -> bool:
    """Whether it is one, of all regions or of one, such as Storage.WestEurope."""
    return text.split(".")[0].lower() in TAGS
