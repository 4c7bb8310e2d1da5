"""azure-native's side of Pulumi's protocol on plain values, after provider/pkg/provider/provider.go of its own."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from tests.azure import diff, schema
from tests.azure.check import failures
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError, PartialError
from tests.azure.faults import UNTHROTTLED
from tests.azure.kinds import KINDS, Kind
from tests.azure.outputs import outputs
from tests.azure.preview import preview
from tests.azure.values import UNKNOWN, has_unknown

Props = dict[str, Any]
T = TypeVar("T")
STABLE = ("name", "location")


class InitFailed(Exception):
    """A resource that exists now and is not what it should be."""

    def __init__(self, resource_id: str, found: Props, reason: str) -> None:
        super().__init__(reason)
        self.id = resource_id
        self.outputs = found
        self.reason = reason


class RequestFailed(Exception):
    """One of the SDK's functions did not work."""


class AlreadyExists(Exception):
    """azure-native does not create what exists."""


class Provider:
    """Does for one Pulumi command after the other what azure-native does."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.config: dict[str, str] = {}

    def configure(self, variables: Mapping[str, str]) -> None:
        """Takes the stack's configuration.

        Raises:
            NotLoggedIn: if nobody is.
        """
        self.config = {name.removeprefix("azure-native:config:"): value for name, value in variables.items()}
        self.cloud.faults.login()

    def check(
        self, kind: Kind, urn: str, old: Props, new: Props, seed: bytes, proposed: str | None = None
    ) -> tuple[Props, list[tuple[str, str]]]:
        """Returns the inputs with what azure-native adds, and what is wrong with them."""
        inputs = dict(new)
        if inputs.get(kind.own_name) is None:
            self._name(kind, urn, old, inputs, seed, proposed)
        if kind.located and inputs.get("location") is None:
            location = self._location(old, inputs)
            if location is not None:
                inputs["location"] = location
        inputs.setdefault("azureApiVersion", schema.api_version(kind.token))
        return inputs, list(failures(kind, inputs))

    def create(self, kind: Kind, inputs: Props) -> tuple[str, Props]:
        """Returns the id and the outputs.

        Raises:
            AlreadyExists: if it does.
            InitFailed: if it exists now and something else did not work.
            AzureError: if Azure refuses.
        """
        resource_id = kind.id(self.cloud.subscription, inputs)
        if not kind.singleton and self.read(resource_id) is not None:
            raise AlreadyExists(f"cannot create already existing resource '{resource_id}'")
        return self._put(kind, inputs)

    def update(self, kind: Kind, inputs: Props) -> Props:
        """Returns the outputs; raises what `create` does."""
        return self._put(kind, inputs)[1]

    def preview(self, kind: Kind, inputs: Props, state: Props | None = None) -> Props:
        """Returns what outputs will be: of an update, some are known to stay."""
        found = preview(kind, inputs)
        for name in STABLE if state else ():
            if state and name in state:
                found[name] = state[name]
        return found

    def read(self, resource_id: str) -> Props | None:
        """Returns the outputs, or None if it does not exist."""
        try:
            return self._try(lambda: self.cloud.get(resource_id))
        except AzureError as error:
            if error.status == 404:
                return None
            raise

    def refresh(self, kind: Kind, resource_id: str, inputs: Props, state: Props) -> tuple[Props, Props] | None:
        """Returns outputs and inputs as they are now: the inputs follow what somebody else has changed."""
        found = self.read(resource_id)
        if found is None:
            return None
        if not inputs:
            names = kind.names_in(resource_id)
            body = {name: _without_empty(value) for name, value in self._as_inputs(kind, found).items()}
            return found, names | {name: value for name, value in body.items() if value is not None}
        before, after = self._as_inputs(kind, state), self._as_inputs(kind, found)
        # children that the program does not hold inline are none of its business
        for name in (*kind.inline, *kind.maintained):
            if name not in inputs:
                before.pop(name, None)
                after.pop(name, None)
        return found, diff.applied(inputs, before, after)

    def delete(self, kind: Kind, resource_id: str) -> None:
        if kind.singleton:
            if self.cloud.lookup(resource_id):
                self.cloud.remove(resource_id)
            return
        self._try(lambda: self.cloud.delete(resource_id))

    def invoke(self, token: str, arguments: Props) -> Props:
        """Calls one of the SDK's functions.

        Raises:
            RequestFailed: if Azure refuses.
            KeyError: if the stand-in does not have it.
        """
        if token == "azure-native:authorization:getClientConfig":
            self.cloud.faults.request()
            return {
                "clientId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
                "objectId": "00000000-1111-2222-3333-444444444444",
                "subscriptionId": self.cloud.subscription,
                "tenantId": self.cloud.tenant,
            }
        module, function = token.split(":")[1:]
        name = "StorageAccount" if function == "listStorageAccountKeys" else function.removeprefix("get")
        kind = KINDS[f"azure-native:{module}:{name}"]
        resource_id = kind.id(self.cloud.subscription, arguments)
        try:
            # $expand and the like never reach Azure: azure-native reads without them
            found = self._try(lambda: self.cloud.get(resource_id))
        except AzureError as error:
            raise RequestFailed(f"request failed {resource_id}: {error}") from error
        if function == "listStorageAccountKeys":
            account = self.cloud.resources[resource_id.lower()]
            keys = zip(("key1", "key2"), account.facts["keys"], strict=True)
            created = account.facts["creationTime"]
            return {
                "keys": [
                    {"keyName": name, "value": value, "permissions": "FULL", "creationTime": created}
                    for name, value in keys
                ]
            }
        return found

    def _put(self, kind: Kind, inputs: Props) -> tuple[str, Props]:
        body = {name: value for name, value in inputs.items() if name in kind.inputs}
        try:
            resource = self._try(lambda: self.cloud.put(kind, body))
        except PartialError as error:
            resource = self.cloud.resources[kind.id(self.cloud.subscription, body).lower()]
            raise InitFailed(resource.id, outputs(self.cloud, resource), str(error)) from error
        # a read right after a write may find nothing; then azure-native takes what the write gave
        return resource.id, self.read(resource.id) or outputs(self.cloud, resource)

    def _try(self, request: Callable[[], T]) -> T:
        """Tries again what was throttled or found another operation under way, as often as azure-native does."""
        for attempt in range(UNTHROTTLED + 1):
            try:
                return request()
            except AzureError as error:
                if attempt == UNTHROTTLED or not (error.status == 429 or error.code == "AnotherOperationInProgress"):
                    raise
                time.sleep(error.retry_after or 0)
        raise AssertionError

    def _name(self, kind: Kind, urn: str, old: Props, inputs: Props, seed: bytes, proposed: str | None) -> None:
        name = urn.rsplit("::", 1)[1]
        if kind.own_name in old:
            inputs[kind.own_name] = old[kind.own_name]
            if diff.CREATE_BEFORE_DELETE in old:
                inputs[diff.CREATE_BEFORE_DELETE] = old[diff.CREATE_BEFORE_DELETE]
        elif proposed is not None:
            inputs |= {kind.own_name: proposed, diff.CREATE_BEFORE_DELETE: True}
        elif kind.randomly_named:
            inputs[kind.own_name] = name + hashlib.sha256(seed + urn.encode()).hexdigest()[:8]
            inputs[diff.CREATE_BEFORE_DELETE] = True
        else:
            inputs[kind.own_name] = name

    def _location(self, old: Props, inputs: Props) -> str | None:
        if "location" in old:
            return str(old["location"])
        if "location" in self.config:
            return self.config["location"]
        group = inputs.get("resourceGroupName")
        if has_unknown(group):
            return UNKNOWN
        found = self.cloud.lookup(f"/subscriptions/{self.cloud.subscription}/resourceGroups/{group}")
        return found.location if found else None

    @staticmethod
    def _as_inputs(kind: Kind, found: Mapping[str, Any]) -> Props:
        """Returns those of a resource's outputs that one can put in."""
        return {name: _only(property.type, found[name]) for name, property in kind.inputs.items() if name in found}


def _without_empty(value: Any) -> Any:
    """Leaves out empty collections, as azure-native does where it imports: removeEmptyCollections."""
    if isinstance(value, dict):
        kept = {name: _without_empty(v) for name, v in value.items()}
        return {name: v for name, v in kept.items() if v is not None} or None
    if isinstance(value, list):
        return [v for v in map(_without_empty, value) if v is not None] or None
    return value


def _only(type: schema.Type, value: Any) -> Any:
    if type.name == "object" and isinstance(value, dict):
        known = schema.properties(type.properties)
        return {name: _only(known[name].type, v) for name, v in value.items() if name in known}
    if type.name == "array" and isinstance(value, dict):
        # a set, of whose members more is known than their ids (isStringSet, provider/pkg/convert)
        return list(value)
    if type.name == "array" and isinstance(value, list) and type.items:
        return [_only(type.items, item) for item in value]
    return value
