"""Docker hosts: where containers run. Each kind is a file; all of them are a `DockerHost`."""

from components.hosts.claims import Claims, Plugin
from components.hosts.holders import Server
from components.hosts.host import DockerHost
from components.hosts.local import LocalHost, LocalHostArgs
from components.hosts.ssh import SSHHost, SSHHostArgs

# the one on Azure is components.hosts.azure: to import its SDK takes a second that only it is worth
__all__ = [
    "Claims",
    "DockerHost",
    "LocalHost",
    "LocalHostArgs",
    "Plugin",
    "SSHHost",
    "SSHHostArgs",
    "Server",
]
