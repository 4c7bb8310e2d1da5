"""Every setting of a stack, as pydantic models. Nothing else reads `pulumi.Config`.

`read_settings()` checks the whole of `Pulumi.<stack>.yaml` before the first resource exists and reports
all that is wrong together, a line each. Values are plain: no Outputs, no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import pulumi
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from stacks.azure import AzureHostSettings, AzureSharesSettings
from stacks.azure_names import Sources
from stacks.azure_relations import check_azure
from stacks.complaints import SettingsError, closest, complain
from stacks.names import (
    IMAGE,
    OPTION_FORMS,
    AccountName,
    ContainerName,
    DriverOption,
    Folder,
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
from stacks.owner import default_base
from stacks.production import ENCRYPT, check_production, readable_passwords
from stacks.relations import Places, check_together
from stacks.section import Section

LISTS = ("volumes", "databases")
PRODUCTION_FILE = "Pulumi.prod.yaml"


class LocalHostSettings(Section):
    """The Docker engine on this machine."""

    kind: Literal["local"]
    socket: Annotated[str, Field(pattern="^/.")] | None = Field(
        default=None,
        description="The engine's socket. Default: DOCKER_HOST if it names one, else /var/run/docker.sock.",
    )


class SSHHostSettings(Section):
    """A Docker engine on any machine that SSH reaches (docker-machine's generic driver)."""

    kind: Literal["ssh"]
    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$")] = Field(
        description="Host name or IP address."
    )
    user: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]*$")] = Field(
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

    kind: Literal["local"]
    retain: bool = Field(
        default=True,
        description="Keep the shares' data when the stack is destroyed, or no volume is on a share any more.",
    )


class VolumeSettings(Section):
    """A Docker volume mapped onto a share. Writing only its name is enough."""

    name: VolumeName = Field(description="Name on the engine.")
    share: ShareName | None = Field(default=None, description="Default: the volume's name.")
    folder: Folder | None = Field(default=None, description="Folder inside the share. Default: the share's root.")
    exclusive: bool | None = Field(
        default=None,
        description="One writing container at a time. Default: true for a database's volume.",
    )
    options: dict[DriverOption, str | int | float | bool] = Field(
        default={}, description="Further driver options of azurefile, such as uid or dirmode."
    )

    @model_validator(mode="after")
    def _options_are_further_ones(self) -> VolumeSettings:
        for own in {"share", "folder", "remotepath", "exclusive"} & {k.lower() for k in self.options}:
            setting = "folder" if own == "remotepath" else own
            raise ValueError(f"options.{own} is not taken here: write {setting} beside options")
        for key, value in self.options.items():
            form = OPTION_FORMS.get(key.lower())
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if form and not re.fullmatch(form[0], text):
                raise ValueError(f"options.{key}: {text!r}: should be {form[1]}")
        return self


class UserSettings(Section):
    """A MySQL account with all privileges on the schemas it names."""

    name: AccountName
    password: Secret | None = Field(
        default=None, description="Set it with --secret. Default: generated and kept in the state."
    )
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:%/-]{1,255}$")] = Field(
        default="%", description="Where the account may log in from, in MySQL's own form."
    )
    schemas: list[SchemaName] = Field(default=[], description="Schemas it may use.")


class DatabaseSettings(Section):
    """A MySQL server on a volume."""

    name: ContainerName = Field(description="Name of the container.")
    volume: str = Field(description="Name of one of the volumes; a database has it alone.")
    port: Port = Field(description="Port on 127.0.0.1 of the host.")
    allow_from: Sources = Field(
        default=[], description="Networks that reach the port at the host's own address; on Azure hosts only."
    )
    root_password: Secret | None = Field(
        default=None, description="Set it with --secret. Default: generated and kept in the state."
    )
    schemas: list[SchemaName] = Field(default=[], description="Schemas made if missing.")
    users: list[UserSettings] = Field(default=[], description="Accounts made and kept as written.")
    memory: Annotated[int, Field(ge=256)] | None = Field(
        default=None, description="Memory limit of the container in MiB."
    )
    options: dict[ServerOption, str | int | float | bool] = Field(
        default={}, description="Options of mysqld, such as innodb_buffer_pool_size: 256M."
    )


class ImagesSettings(Section):
    """Images to use instead of the ones that the stack builds."""

    mysql: Annotated[str, Field(pattern=IMAGE)] | None = Field(
        default=None, description="An official MySQL image, such as mysql:9.7.0."
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
    return {"name": value} if isinstance(value, str) else value


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
    images: ImagesSettings = ImagesSettings()
    plugin: PluginSettings = PluginSettings()
    prefix: Prefix = Field(
        default="",
        description="Put before every name on the engine, so that two stacks can share one.",
    )
    production: bool = Field(
        default=False, description="Refuse what must not be in production. A stack named prod always is."
    )

    def share_of(self, volume: VolumeSettings) -> str:
        """Name of the share that `volume` maps."""
        return volume.share or f"{self.prefix}{volume.name}"

    def is_exclusive(self, volume: VolumeSettings) -> bool:
        """Whether one container at a time may write to `volume`."""
        if volume.exclusive is not None:
            return volume.exclusive
        return any(d.volume == volume.name for d in self.databases)


SETTINGS = [field.alias or name for name, field in Settings.model_fields.items()]


def parse(raw: Mapping[str, Any], *, file: str, secret: Iterable[str] = (), base: str = "datadocker") -> Settings:
    """Checks `raw` (setting name without the project's prefix → value) whole; `base` is what names on Azure begin with.

    Raises:
        SettingsError: with a line for each thing that is wrong; values of keys in `secret` are not shown.
    """
    lines: list[str] = []
    encrypted = frozenset(secret)
    if file == PRODUCTION_FILE:
        raw = {"production": True, **raw}
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        lines = complain(error, Settings, file, encrypted)
    # what is right by itself is compared even so: all that is wrong is said at once
    settings, at = (settings, None) if not lines else _right_part(raw)
    at = at or {k: [f"{k}[{i}]" for i in range(len(getattr(settings, k)))] for k in LISTS}
    found = [*check_together(settings, at)]
    # a broken host is no reason to say what only another kind of host would need
    if not lines or all(_right({key: raw[key]}) for key in ("host", "shares") if key in raw):
        found += check_azure(settings, at, base)
    if file == PRODUCTION_FILE or settings.production:
        found += check_production(settings, at, encrypted, file)
    lines += [f"{file}: {setting}: {what}" for setting, what in found]
    if lines:
        raise SettingsError(lines)
    return settings


def _right_part(raw: Mapping[str, Any]) -> tuple[Settings, Places]:
    """The settings that are right by themselves, and where in the file its volumes and databases stand."""
    right: dict[str, Any] = {}
    at: Places = {k: [] for k in LISTS}
    # what is merely misspelt is no reason to say that it is missing
    given = {_meant(key, raw): key for key in raw}
    raw = {key: raw[name] for key, name in given.items()}
    for key, value in raw.items():
        if key not in LISTS:
            if _right({key: value}):
                right[key] = value
            continue
        right[key] = []
        for i, item in enumerate(value if isinstance(value, list) else []):
            if _right({key: [item]}):
                right[key].append(item)
                at[key].append(f"{given[key]}[{i}]")
    if right.get("volumes") != raw.get("volumes"):
        # a broken volume is no reason to say that others miss it
        right["stack"] = "databases"
        known = [v if isinstance(v, str) else v["name"] for v in right.get("volumes", [])]
        kept = [i for i, d in enumerate(right.get("databases", [])) if d["volume"] in known]
        right["databases"] = [right["databases"][i] for i in kept]
        at["databases"] = [at["databases"][i] for i in kept]
    return Settings.model_validate(right), at


def _meant(key: str, raw: Mapping[str, Any]) -> str:
    near = key if key in SETTINGS else closest(key.rsplit(":", 1)[-1], SETTINGS)
    return near if near and near not in raw else key


def _right(raw: dict[str, Any]) -> bool:
    try:
        Settings.model_validate(raw)
    except ValidationError:
        return False
    return True


def read_settings() -> Settings:
    """Reads the selected stack's configuration.

    Raises:
        SettingsError: if anything in it is wrong.
    """
    prefix = f"{pulumi.get_project()}:"
    config = pulumi.runtime.config.CONFIG.get()
    raw: dict[str, Any] = {}
    for key, text in config.items():
        namespace, name = key.split(":", 1)
        if namespace != pulumi.get_project():
            # those of others are not ours, such as docker:host, unless ours is meant
            if closest(namespace, [pulumi.get_project()], cutoff=0.85):
                raw[key] = _plain(text)
        # a key with nothing behind it says nothing
        elif text != "":
            raw[name] = _plain(text)
    secret = {k for k in raw if pulumi.runtime.is_config_secret(prefix + k)}
    file = f"Pulumi.{pulumi.get_stack()}.yaml"
    settings = parse(raw, file=file, secret=secret, base=default_base())
    at = [f"databases[{i}]" for i in range(len(settings.databases))]
    for setting in readable_passwords(settings.databases, at, frozenset(secret), file):
        pulumi.log.warn(f"{file}: {setting} is readable there and in the history of the state; {ENCRYPT}")
    return settings


def _plain(text: str) -> object:
    # Pulumi hands every value over as text: objects and lists as JSON, scalars as they are
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
