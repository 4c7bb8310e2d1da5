"""Regions of Azure, by which one that can't be had is found out before the host that stands is gone.

Names are those of `az account list-locations`, and one that is too new to be here has to be added.
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

# learn.microsoft.com and docs.azure.cn, list of regions, "availability zones"; regions that are in doubt, or are to get
# zones, are not in it: what Azure refuses itself need not be refused here
_WITHOUT_ZONES = """
australiacentral australiacentral2 australiasoutheast brazilsoutheast canadaeast francesouth germanynorth
jioindiacentral jioindiawest koreasouth norwaywest southafricawest southindia swedensouth switzerlandwest uaecentral
ukwest westindia westus
chinaeast chinaeast2 chinanorth chinanorth2
"""
WITHOUT_ZONES = frozenset(_WITHOUT_ZONES.split())

# learn.microsoft.com: region pairs and nonpaired regions
_WITHOUT_PAIR = """
austriaeast belgiumcentral chilecentral indonesiacentral israelcentral italynorth malaysiawest mexicocentral
newzealandnorth polandcentral qatarcentral spaincentral
"""
WITHOUT_PAIR = frozenset(_WITHOUT_PAIR.split())
