"""The selected stack's configuration, checked whole.

stacks/production.py looks up what is a secret in the file, and stacks/login.py who is logged in by azure-native's.
Before the first resource exists all that is wrong in `Pulumi.<stack>.yaml` is reported together, a line each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pydantic import ValidationError

from stacks.azure_relations import check_azure
from stacks.complaints import Complaint, SettingsError, closest, complain
from stacks.owner import default_base
from stacks.production import check_production, encrypt_password, readable_passwords
from stacks.relations import check_together
from stacks.remainder import remainder
from stacks.settings import Settings
from stacks.volume_options import check_options

PRODUCTION_FILE = "Pulumi.prod.yaml"


def parse(raw: Mapping[str, Any], *, file: str, secret: Iterable[str] = (), base: str = "datadocker") -> Settings:
    """Checks `raw` (setting name without the project's prefix → value) whole; `base` is what names on Azure begin with.

    Raises:
        SettingsError: with a line for each thing that is wrong; values of keys in `secret` are not shown.
    """
    found: list[Complaint] = []
    encrypted = frozenset(secret)
    if file == PRODUCTION_FILE:
        raw = {"production": True, **raw}
    try:
        Settings.model_validate(raw)
    except ValidationError as error:
        found += complain(error, Settings, encrypted)
    # what is right by itself is compared even so: all that is wrong is said at once
    rest = remainder(raw)
    settings, at = rest.settings, rest.at
    related = [*check_together(settings, at), *check_azure(settings, at, base), *check_options(settings, at)]
    if file == PRODUCTION_FILE or settings.production:
        related += check_production(settings, at, encrypted, file)
    found += filter(rest.sustains, related)
    if found:
        raise SettingsError([f"{file}: {c.setting}: {c.what}" for c in found])
    return settings


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
        pulumi.log.warn(
            f"{file}: {setting} is readable there and in the history of the state; {encrypt_password(setting)}"
        )
    return settings


def _plain(text: str) -> object:
    # Pulumi hands every value over as text: objects and lists as JSON, scalars as they are
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
