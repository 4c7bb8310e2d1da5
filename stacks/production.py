"""What must not be in production, and why."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pulumi

from stacks.azure import AzureHostSettings
from stacks.azure_names import INTERNET
from stacks.complaints import Complaint, Places
from stacks.settings import DatabaseSettings, Settings
from stacks.stack_file import StackFile

NOT = "not in production"
# README.md publishes it
PUBLISHED = "datadocker"
# what azure-native logs in with, and the variable that it reads instead
LOGIN_SECRETS = {
    "azure-native:clientSecret": "ARM_CLIENT_SECRET",
    "azure-native:clientCertificatePassword": "ARM_CLIENT_CERTIFICATE_PASSWORD",
    "azure-native:oidcToken": "ARM_OIDC_TOKEN",
    "azure-native:oidcRequestToken": "ARM_OIDC_REQUEST_TOKEN",
}


def check_production(settings: Settings, at: Places, encrypted: frozenset[str], file: str) -> Iterable[Complaint]:
    """Yields what would be right in a trial, and is not in production.

    `at` says where in `file` each volume and database stands; `encrypted` names the settings with a secret in them.
    """
    if not settings.production:
        yield Complaint(
            "production", f"false: {NOT}: a stack named prod is production; give this one another name", ("production",)
        )
    as_written = StackFile(file)
    # what a salt belongs to can be exchanged, and not just left out
    another = (
        f"set another (./pulumiw stack change-secrets-provider passphrase --stack {pulumi.get_stack()} asks for it)"
    )
    variable = _published_passphrase()
    if variable and not as_written.has_secrets_provider():
        yield Complaint(
            "encryptionsalt",
            f"{NOT}: {variable} is the passphrase that this project publishes for dev; "
            f"{another if as_written.has_salt() else 'unset it'}, or have a key vault encrypt the secrets",
        )
    if os.environ.get("PULUMI_CONFIG_PASSPHRASE") == "" and as_written.has_salt():
        yield Complaint(
            "encryptionsalt",
            f"{NOT}: PULUMI_CONFIG_PASSPHRASE is set to nothing, which encrypts nothing; {another}, or have a key "
            "vault encrypt the secrets",
        )
    if isinstance(settings.host, AzureHostSettings) and INTERNET in settings.host.ssh_from:
        yield Complaint(
            "host.sshFrom", f"{INTERNET}: {NOT}: the whole world could try to log in; name your own networks"
        )
    if not settings.shares.retain:
        yield Complaint(
            "shares.retain", f"false: {NOT}: destroy would delete the data; leave it out, and delete data by hand"
        )
    for i, volume in enumerate(settings.volumes):
        here = f"{at['volumes'][i]}.options"
        options = {name.lower(): value for name, value in volume.options.items()}
        if str(options.get("seal")).lower() == "false":
            yield Complaint(f"{here}.seal", f"false: {NOT}: files would cross the network unencrypted; leave it out")
        if str(options.get("vers")) == "2.1":
            yield Complaint(f"{here}.vers", f"2.1: {NOT}: that dialect has no encryption; leave it out")
    image = settings.images.mysql
    if image and "@sha256:" not in image:
        yield Complaint(
            "images.mysql", f"{image!r}: {NOT}: a tag alone may be another image tomorrow; add its @sha256:… digest"
        )
    for i, database in enumerate(settings.databases):
        here = at["databases"][i]
        if INTERNET in database.allow_from:
            yield Complaint(
                f"{here}.allowFrom", f"{INTERNET}: {NOT}: the whole world could try passwords; name your own networks"
            )
    for setting in readable_passwords(settings.databases, at["databases"], encrypted, file):
        yield Complaint(setting, f"{NOT}: it is readable in the file; {encrypt_password(setting)}")
    for setting, variable in LOGIN_SECRETS.items():
        # of a setting without parts Pulumi tells it, whatever file is in use
        if setting in pulumi.runtime.config.CONFIG.get() and not pulumi.runtime.is_config_secret(setting):
            yield Complaint(
                setting,
                f"{NOT}: it is readable in the file; {_encrypt(setting)}, or leave it out and set {variable}",
            )


def encrypt_password(setting: str) -> str:
    """What to do about a password of this project's that is readable."""
    return f"{_encrypt(f'{pulumi.get_project()}:{setting}')}, or leave it out and one is made"


def _encrypt(key: str) -> str:
    return f"set it by ./pulumiw config set --path --secret '{key}' --stack {pulumi.get_stack()}"


def _published_passphrase() -> str:
    """The variable by which the published passphrase is in use, or nothing."""
    if os.environ.get("PULUMI_CONFIG_PASSPHRASE") == PUBLISHED:
        return "PULUMI_CONFIG_PASSPHRASE"
    try:
        text = Path(os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", "")).read_text()
    except (OSError, ValueError):
        return ""
    return "PULUMI_CONFIG_PASSPHRASE_FILE" if text.strip() == PUBLISHED else ""


def readable_passwords(
    databases: Iterable[DatabaseSettings], at: Iterable[str], encrypted: frozenset[str], file: str
) -> Iterator[str]:
    """Yields the settings of passwords that stand in `file` as they are; `at` says where each database stands."""
    as_written = StackFile(file)
    for here, database in zip(at, databases, strict=True):
        setting, _, place = here.rstrip("]").partition("[")
        given: list[tuple[str | int, ...]] = [("rootPassword",)] if database.root_password else []
        given += [("users", k, "password") for k, user in enumerate(database.users) if user.password]
        for steps in given:
            # Pulumi calls all of a setting secret where any part of it is
            if setting not in encrypted or not as_written.is_encrypted([setting, int(place), *steps]):
                yield here + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
