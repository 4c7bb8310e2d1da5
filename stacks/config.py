"""The selected stack's configuration, checked whole. Nothing else reads `pulumi.Config`.

Before the first resource exists all that is wrong in `Pulumi.<stack>.yaml` is reported together, a line each.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pydantic import ValidationError

from stacks.azure_relations import check_azure
from stacks.complaints import SettingsError, closest, complain
from stacks.owner import default_base
from stacks.production import ENCRYPT, check_production, readable_passwords
from stacks.relations import Places, check_together
from stacks.settings import Settings

LISTS = ("volumes", "databases")
PRODUCTION_FILE = "Pulumi.prod.yaml"
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
