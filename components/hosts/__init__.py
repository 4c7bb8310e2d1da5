"""Docker hosts: where containers run. Each kind is a file; all of them are a `DockerHost`."""

from components.hosts.host import DockerHost
from components.hosts.local import LocalHost, LocalHostArgs, Server
from components.hosts.ssh import SSHHost, SSHHostArgs

# the one on Azure is components.hosts.azure: to import its SDK takes a second that only it is worth
__all__ = ["DockerHost", "LocalHost", "LocalHostArgs", "SSHHost", "SSHHostArgs", "Server"]
