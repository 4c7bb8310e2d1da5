"""Every setting of a stack, as pydantic models. Values are plain: no Outputs, no network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from components import folders
from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import Sources
from stacks.driver_options import DriverOption, option_value
from stacks.names import (
    IMAGE,
    AccountHost,
    AccountName,
    ContainerName,
    Folder,
    HostName,
    PluginName,
    PluginRoot,
    Port,
    Prefix,
    SchemaName,
    Secret,
    ServerOption,
    ShareName,
    VolumeName,
)
from stacks.section import Section

# MiB: with 256 a server with the settings of our image was killed by its first large INSERT … SELECT; what is given in
# bytes is more than any machine has
LEAST_MEMORY, MOST_MEMORY = 384, 16 << 20


class LocalHostSettings(Section):
    """The Docker engine on this machine."""

    kind: Literal["local"] = Field(description="The engine on this machine.")
    socket: Annotated[str, Field(pattern="^/.")] | None = Field(
        default=None,
        description="The engine's socket. Default: DOCKER_HOST if it names one, else /var/run/docker.sock.",
    )


class SSHHostSettings(Section):
    """A Docker engine on any machine that SSH reaches (docker-machine's generic driver)."""

    kind: Literal["ssh"] = Field(description="A machine that is there.")
    address: HostName = Field(description="Host name or IPv4 address; an IPv6 address needs a name.")
    user: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")] = Field(
        default="root", description="A user who may talk to the engine there."
    )
    port: Port = Field(default=22, description="The SSH server's port.")
    identity_file: str | None = Field(default=None, description="Private key file. Default: what ssh itself finds.")
    host_key: Annotated[str, Field(pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$")] | None = Field(
        default=None,
        description="The server's public host key, as 'ssh-ed25519 AAAA…'. Default: it must be in known_hosts already.",
    )


class LocalSharesSettings(Section):
    """Shares as folders on the host."""

    kind: Literal["local"] = Field(description="Folders on the host, below plugin.root.")
    retain: bool = Field(
        default=True,
        description="Keep the shares' data when the stack is destroyed, or no volume is on a share any more.",
    )


class VolumeSettings(Section):
    """A Docker volume mapped onto a share. Writing only its name is enough."""

    name: VolumeName = Field(description="Name on the engine, after prefix.")
    share: ShareName | None = Field(default=None, description="Default: the volume's name.")
    folder: Folder | None = Field(default=None, description="Folder inside the share. Default: the share's root.")
    exclusive: bool | None = Field(
        default=None,
        description="One container at a time, reading or writing. Default: true for a database's volume.",
    )
    options: dict[DriverOption, str | int | float | bool] = Field(
        default={}, description="Further driver options of azurefile, such as uid or dirmode."
    )

    @model_validator(mode="after")
    def _options_are_further_ones(self) -> VolumeSettings:
        for own in {"share", "folder", "remotepath", "exclusive"} & {k.lower() for k in self.options}:
            setting = "folder" if own == "remotepath" else own
            raise ValueError(f"options.{own} is not taken here: write {setting} beside options")
        _check_spelling({key: key.lower() for key in self.options})
        for key, value in self.options.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            try:
                option_value(key.lower(), text)
            except ValueError as error:
                raise ValueError(f"options.{key}: {text!r}: {error}") from error
        return self


def _check_spelling(plain: dict[str, str]) -> None:
    spelled: dict[str, str] = {}
    for key, same in plain.items():
        if (other := spelled.setdefault(same, key)) != key:
            raise ValueError(f"options.{key} is options.{other}, in another spelling: leave one out")


class UserSettings(Section):
    """A MySQL account with all privileges on the schemas it names."""

    name: AccountName = Field(description="User name of the account.")
    password: Secret | None = Field(
        default=None, description="Set it with --secret. Default: generated and kept in the state."
    )
    host: AccountHost = Field(
        default="%",
        description="Addresses that the account may log in from, in MySQL's own form. Who uses the port on 127.0.0.1 "
        "comes from the gateway of Docker's bridge. An account that is not listed any more stays.",
    )
    schemas: list[SchemaName] = Field(default=[], description="Schemas it may use.")


class DatabaseSettings(Section):
    """A MySQL server on a volume."""

    name: ContainerName = Field(description="Name of the container, after prefix.")
    volume: str = Field(description="Name of one of the volumes; a database has it alone.")
    port: Port = Field(description="Port on 127.0.0.1 of the host.")
    allow_from: Sources = Field(
        default=[], description="Networks that reach the port at the host's own address; on Azure hosts only."
    )
    root_password: Secret | None = Field(
        default=None, description="Set it with --secret. Default: generated and kept in the state."
    )
    schemas: list[SchemaName] = Field(
        default=[], description="Schemas made if missing, in no binary log: a replica is given the same ones."
    )
    users: list[UserSettings] = Field(default=[], description="Accounts made and kept as written.")
    memory: Annotated[int, Field(ge=LEAST_MEMORY, le=MOST_MEMORY)] | None = Field(
        default=None,
        description="Memory limit of the container in MiB. An idle server takes 240, or 540 with performance_schema, "
        "and a larger innodb_buffer_pool_size than 128M comes on top; one that needs more is killed and starts again.",
    )
    options: dict[ServerOption, str | int | float | bool] = Field(
        default={}, description="Options of mysqld, such as innodb_buffer_pool_size: 256M."
    )

    @model_validator(mode="after")
    def _options_are_given_once(self) -> DatabaseSettings:
        # mysqld takes all of these for one
        _check_spelling({key: key.replace("-", "_").removeprefix("loose_") for key in self.options})
        return self


class ImagesSettings(Section):
    """Images to use instead of the ones that the stack builds."""

    mysql: Annotated[str, Field(pattern=IMAGE)] | None = Field(
        default=None,
        description="An official MySQL image, such as mysql:9.7.0, of the data's series or newer: an older one is "
        "refused when the server before it is gone; the data stays.",
    )


class PluginSettings(Section):
    """The azurefile volume plugin on the engine."""

    name: PluginName = Field(default="azurefile", description="The driver's name in docker volume create -d.")
    root: PluginRoot = Field(
        default="/var/lib/datadocker",
        description="Folder on the host for the plugin's state and local shares.",
    )


HostSettings = Annotated[LocalHostSettings | SSHHostSettings | AzureHostSettings, Field(discriminator="kind")]
SharesSettings = Annotated[LocalSharesSettings | AzureSharesSettings, Field(discriminator="kind")]


def _from_name(value: object) -> object:
    return {"name": value} if isinstance(value, str | int | float) else value


Volume = Annotated[VolumeSettings, BeforeValidator(_from_name, json_schema_input_type=str | VolumeSettings)]


class Settings(Section):
    """The configuration of one stack."""

    stack: Literal["demo", "databases"] = Field(
        default="demo",
        description="demo: the whole talk. databases: host, volumes and databases only.",
    )
    host: HostSettings = Field(default=LocalHostSettings(kind="local"), description="Where containers run.")
    shares: SharesSettings = Field(default=LocalSharesSettings(kind="local"), description="Where data lives.")
    volumes: list[Volume] = Field(
        default=[], description="A name, or an object with name, share, folder, exclusive, options."
    )
    databases: list[DatabaseSettings] = Field(default=[], description="MySQL servers.")
    images: ImagesSettings = Field(
        default=ImagesSettings(), description="Images to run instead of those that the stack builds."
    )
    plugin: PluginSettings = Field(default=PluginSettings(), description="Name and folder of the volume driver.")
    prefix: Prefix = Field(
        default="",
        description="Put before names of containers and volumes, so that two stacks can share an engine, and before "
        "those of shares that no `share` names: another one maps other shares.",
    )
    production: bool = Field(
        default=False, description="Refuse what must not be in production. A stack named prod always is."
    )

    def share_of(self, volume: VolumeSettings) -> str:
        """Name of the share that `volume` maps."""
        return volume.share or f"{self.prefix}{volume.name}"

    def protocol_of(self, volume: VolumeSettings) -> str:
        """What `volume` is reached by: smb, nfs or local."""
        if isinstance(self.shares, AzureSharesSettings):
            return self.shares.protocol
        return next((str(value).lower() for key, value in volume.options.items() if key.lower() == "protocol"), "local")

    def folder_of(self, volume: VolumeSettings) -> folders.Folder:
        """What `volume` maps, as far as the settings say it."""
        named = {"protocol": self.protocol_of(volume), "share": self.share_of(volume), "folder": volume.folder or ""}
        return folders.Folder.of({**volume.options, **named})

    def local_shares(self) -> set[str]:
        """Names of the shares that are folders of the host."""
        return {self.share_of(volume) for volume in self.volumes if self.protocol_of(volume) == "local"}

    def is_exclusive(self, volume: VolumeSettings) -> bool:
        """Whether one container at a time may write to `volume`."""
        if volume.exclusive is not None:
            return volume.exclusive
        return any(d.volume == volume.name for d in self.databases)
