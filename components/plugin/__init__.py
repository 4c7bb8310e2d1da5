"""The azurefile volume plugin on a host."""

from components.plugin.component import AzureFilePlugin, AzureFilePluginArgs

__all__ = ["AzureFilePlugin", "AzureFilePluginArgs"]
