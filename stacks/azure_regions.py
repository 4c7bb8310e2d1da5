"""Regions of Azure, by which a mistyped one is found out before the host that stands is gone.

Of `az account list-locations`; one that is too new to be here is taken where nothing stands yet.
"""

from __future__ import annotations

_NAMES = """
australiacentral australiacentral2 australiaeast australiasoutheast austriaeast belgiumcentral brazilsouth
brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral denmarkeast eastasia eastus eastus2
francecentral francesouth germanynorth germanywestcentral indonesiacentral israelcentral israelnorthwest italynorth
japaneast japanwest jioindiacentral jioindiawest koreacentral koreasouth malaysiasouth malaysiawest mexicocentral
newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral qatarcentral southafricanorth
southafricawest southcentralus southcentralus2 southeastasia southeastus southeastus3 southeastus5 southindia
southwestus spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest taiwannorth taiwannorthwest
uaecentral uaenorth uksouth ukwest westcentralus westeurope westindia westus westus2 westus3
chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3
usdodcentral usdodeast usgovarizona usgoviowa usgovtexas usgovvirginia
"""
REGIONS = frozenset(_NAMES.split())
