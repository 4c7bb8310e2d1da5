"""The cloud: what exists in one subscription, who refers to whom, and the four things that one can ask of it."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.azure import deletion, effects
from tests.azure.absence import missing
from tests.azure.admission import GROUP, admit
from tests.azure.body import read
from tests.azure.children import inline, left_out
from tests.azure.compute_rules import made_as
from tests.azure.faults import Faults
from tests.azure.kinds import KINDS, Kind, kind_of
from tests.azure.links import named
from tests.azure.machines import MachineRoom, RecordingRoom
from tests.azure.outputs import outputs
from tests.azure.resource import Resource
from tests.azure.shares import RecordingShares, ShareRoom
from tests.azure.values import merged, one

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "66666666-7777-8888-9999-000000000000"


class Cloud:
    """One subscription. Its methods may be called from several threads."""

    def __init__(
        self,
        state: Path | None = None,
        *,
        machines: MachineRoom | None = None,
        shares: ShareRoom | None = None,
    ) -> None:
        """Goes on from the file `state` if it exists, and keeps it up to date."""
        self.subscription = SUBSCRIPTION
        self.tenant = TENANT
        self.faults = Faults()
        self.machines: MachineRoom = machines or RecordingRoom()
        self.shares: ShareRoom = shares or RecordingShares()
        self.client: str | None = None
        """Where security groups see their clients come from; None is an address that every rule's range holds."""
        self.resources: dict[str, Resource] = {}
        self.making: set[str] = set()
        """Keys of those whose creation takes its time."""
        self._lag: dict[str, int] = {}
        self._file = state
        self._lock = threading.RLock()
        if state and state.exists():
            stored = (Resource.from_json(entry) for entry in json.loads(state.read_text()))
            self.resources = {resource.key: resource for resource in stored}

    # what one can ask

    def put(self, kind: Kind, inputs: dict[str, Any]) -> Resource:
        """Creates or changes a resource, and waits until that is done.

        Raises:
            AzureError: if Azure refuses; nothing has changed.
            PartialError: if it exists now and something else did not work.
        """
        self.faults.request()
        body = read(kind, inputs)
        new = Resource(kind, kind.id(self.subscription, body), body)
        self.faults.write(kind.token, new.id, self.subscription)
        with self._lock:
            old = self.lookup(new.id)
            if old:
                new.id, new.facts = old.id, copy.deepcopy(old.facts)
                # what is maintained azure-native writes back as it reads it: maintainSubResourcePropertiesIfNotSet
                whole = kind.maintained | kind.kept_whole
                new.inputs = {k: v for k, v in old.inputs.items() if k in whole} | new.inputs
                new.inputs = merged({k: v for k, v in old.inputs.items() if k in kind.kept}, new.inputs)
            admit(self, new, old)
            children = inline(self.subscription, new)
            gone = left_out(self, new, children)
            for child in children:
                with self._as_if(new, *(c for c in children if c.key != child.key), without=gone):
                    admit(self, child, self.lookup(child.id))
            for child in gone:
                if error := deletion.refusal(self, child):
                    raise error
            new.facts["etag"] = f'W/"{uuid.uuid4()}"'
            new.facts.setdefault("resourceGuid", str(uuid.uuid4()))
            # it may find no address: the last that can be refused
            effects.settle(self, new)
            self.resources[new.key] = new
            if old is None:
                self._lag[new.key] = self.faults.lag
                self.making.add(new.key)
            for child in gone:
                del self.resources[child.key]
                effects.shut_out(self, child)
            for child in children:
                child.facts["etag"] = new.facts["etag"]
                self.resources[child.key] = child
            for name in new.kind.inline:
                new.inputs.pop(name, None)
            self._save()
        if old is None:
            time.sleep(self.faults.delay(kind.token))
            self.making.discard(new.key)
        try:
            effects.carry_out(self, new, old)
        finally:
            self.save()
        return new

    def get(self, resource_id: str) -> dict[str, Any]:
        """Returns a resource's outputs.

        Raises:
            AzureError: 404 if it does not exist.
        """
        self.faults.request()
        with self._lock:
            found = self.lookup(resource_id) or self._singleton(resource_id)
            if found and self._lag.get(found.key, 0) > 0:
                self._lag[found.key] -= 1
                found = None
            if found is None:
                raise missing(self, resource_id)
            return outputs(self, found)

    def delete(self, resource_id: str) -> None:
        """Deletes a resource with what is inside it. Nothing happens if it does not exist.

        Raises:
            AzureError: if Azure refuses.
        """
        self.faults.request()
        with self._lock:
            found = self.lookup(resource_id)
            if found is None:
                return
            self.faults.write(found.kind.token, found.id, self.subscription)
            error = deletion.group_refusal(self, found) if found.kind.token == GROUP else deletion.refusal(self, found)
            if error:
                raise error
        self.remove(found.id)

    def remove(self, resource_id: str) -> None:
        """Takes a resource away with what is inside it, whoever uses it: damage, done behind Pulumi's back."""
        with self._lock:
            going = [*self.inside(resource_id), self.resources[resource_id.lower()]]
            for resource in going:
                self.resources.pop(resource.key, None)
            self._save()
        for resource in going:
            effects.take_away(self, resource)
        self.save()

    # what exists

    def lookup(self, resource_id: str) -> Resource | None:
        return self.resources.get(resource_id.lower())

    def of_type(self, token: str) -> list[Resource]:
        """Returns all resources of a type; a token may go without its azure-native:."""
        wanted = token if token.startswith("azure-native:") else f"azure-native:{token}"
        return [r for r in list(self.resources.values()) if r.kind.token == wanted]

    def only(self, token: str) -> Resource:
        """Returns the one resource of a type."""
        (found,) = self.of_type(token)
        return found

    def inside(self, resource_id: str) -> list[Resource]:
        """Returns what is inside a resource or a resource group, the innermost first."""
        found = [r for r in list(self.resources.values()) if r.key.startswith(f"{resource_id.lower()}/")]
        return sorted(found, key=lambda r: (-r.id.count("/"), "/virtualmachines/" not in r.key))

    def children(self, parent_id: str, token: str) -> list[Resource]:
        return [r for r in self.inside(parent_id) if r.kind.token == token]

    def parent(self, resource: Resource) -> Resource:
        """Returns what a resource is part of."""
        parent = resource.kind.parent_id(self.subscription, resource.inputs)
        assert parent
        return self.resources[parent.lower()]

    def place(self, resource: Resource) -> str:
        """Returns a resource's region, or that of what it is part of."""
        return resource.location or (self.parent(resource).location if resource.kind.parent_path else "")

    def users(self, resource_id: str) -> Iterator[tuple[Resource, str]]:
        """Yields the resources that refer to this one, each with the path of the property that does."""
        target = self.lookup(resource_id)
        for other in list(self.resources.values()):
            # an account's network rules hold nothing back
            if other.kind.token.startswith("azure-native:storage:"):
                continue
            for path, reference in other.references():
                # a script that begins with an id uses nothing
                if named(path) and reference.lower() == resource_id.lower():
                    yield other, path
        owner = target and target.facts.get("managedBy")
        if owner and (found := self.lookup(owner)):
            yield found, "storageProfile.osDisk"

    def inner_id(self, resource: Resource, path: str) -> str:
        """Returns the id of that part of a resource which a property is in, such as a NIC's IP configuration."""
        found = re.match(r"ipConfigurations\[(\d+)\]", path)
        if not found:
            return resource.id
        return f"{resource.id}/ipConfigurations/{resource.inputs['ipConfigurations'][int(found[1])].get('name')}"

    def os_disk_name(self, machine: Resource) -> str:
        if made_as(machine) == "Attach":
            return str(one(machine.inputs, "storageProfile.osDisk.managedDisk.id")).rsplit("/", 1)[1]
        name = one(machine.inputs, "storageProfile.osDisk.name")
        number = machine.facts.get("vmId", "0" * 32).replace("-", "")
        return str(name or f"{machine.name}_OsDisk_1_{number}")

    def os_disk_id(self, machine: Resource) -> str:
        if made_as(machine) == "Attach":
            return str(one(machine.inputs, "storageProfile.osDisk.managedDisk.id"))
        names = {"resourceGroupName": machine.group, "diskName": self.os_disk_name(machine)}
        return KINDS["azure-native:compute:Disk"].id(self.subscription, names)

    # how it is kept

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Holds off everybody else; what has changed is stored afterwards."""
        with self._lock:
            yield
            self._save()

    def save(self) -> None:
        with self._lock:
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        aside = self._file.with_suffix(".part")
        # it holds the accounts' keys
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([r.to_json() for r in self.resources.values()], file, indent=1)
        aside.rename(self._file)

    @contextlib.contextmanager
    def _as_if(self, *there: Resource, without: Iterable[Resource]) -> Iterator[None]:
        """Lets rules see a resource among those that come with it, and not those that go."""
        before = self.resources
        going = {resource.key for resource in without}
        self.resources = {k: r for k, r in before.items() if k not in going} | {r.key: r for r in there}
        try:
            yield
        finally:
            self.resources = before

    def _singleton(self, resource_id: str) -> Resource | None:
        """Returns what comes with its parent and has never been set."""
        kind = kind_of(resource_id)
        if kind is None or not kind.singleton:
            return None
        names: dict[str, Any] = kind.names_in(resource_id)
        parent = kind.parent_id(self.subscription, names) or ""
        return Resource(kind, resource_id, names) if self.lookup(parent) else None
