"""Pulumi runs this as `pulumi-resource-datadocker`."""

from provider.server import serve

serve()
