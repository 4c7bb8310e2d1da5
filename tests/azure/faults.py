"""What can go wrong, switched on by a test or with `python -m tests.azure --fault`."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from tests.azure.errors import AzureError, NotLoggedIn
from tests.azure.machines import Ran

LOGIN = "ERROR: Please run 'az login' to setup account."
EXPIRED = (
    "AzureCLICredential: ERROR: AADSTS700082: The refresh token has expired due to inactivity. The token was issued on "
    "2026-08-01T08:00:00.0000000Z and was inactive for 90.00:00:00. Interactive authentication is needed. Please run: "
    "az login --scope https://management.core.windows.net//.default"
)
UNTHROTTLED = 3
"""How often azure-native tries again what was throttled, and waits for what Azure says."""


@dataclass
class Fault:
    """Something that happens to some requests."""

    what: str
    """throttle, conflict or slow."""
    kind: str
    """The last part of a type token, such as VirtualMachine; empty for all."""
    times: int
    seconds: float = 0.0
    """How long one is told to wait, or how long it takes."""


@dataclass
class Faults:
    """Set the fields, or call the methods."""

    logged_in: bool = True
    login_expired: bool = False
    cores: int = 100
    """The region's quota."""
    sizes_unavailable: set[tuple[str, str]] = field(default_factory=set)
    """Size and region."""
    taken_names: set[str] = field(default_factory=set)
    """Names of storage accounts, or of hosts under cloudapp.azure.com, that somebody else in the world has."""
    lag: int = 0
    """Eventual consistency: this many reads after a creation find nothing."""
    never_ready: bool = False
    """New machines boot and are never done with it."""
    deallocated: bool = False
    """All machines were stopped: what their disks are is not said, and they take no run command."""
    agentless: set[str] = field(default_factory=set)
    """Machines that hang, by their ids in lower case: their run commands come to nothing, and do not go."""
    bootstrap: Ran | None = None
    """What every run command comes to, instead of being run."""
    queue: list[Fault] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    def throttle(self, times: int = 1, *, kind: str = "", retry_after: float = 0.1) -> None:
        """Answers the next writes with 429: try again after that many seconds."""
        self.queue.append(Fault("throttle", kind, times, retry_after))

    def conflict(self, times: int = 1, *, kind: str = "") -> None:
        """Answers the next writes with 409: another operation is in progress."""
        self.queue.append(Fault("conflict", kind, times))

    def slow(self, seconds: float, *, kind: str = "", times: int = 10**6) -> None:
        """Lets creations take longer."""
        self.queue.append(Fault("slow", kind, times, seconds))

    def delay(self, token: str) -> float:
        """Returns how long a creation is to take, in seconds."""
        found = self._next("slow", token)
        return found.seconds if found else 0.0

    def login(self) -> None:
        """Asks whether somebody is logged in.

        Raises:
            NotLoggedIn: if nobody is.
        """
        if not self.logged_in:
            raise NotLoggedIn(LOGIN)

    def request(self) -> None:
        """Every request to Azure passes here.

        Raises:
            NotLoggedIn: if the login has expired.
        """
        if self.login_expired:
            raise NotLoggedIn(EXPIRED)

    def write(self, token: str, resource_id: str, subscription: str) -> None:
        """Every write passes here.

        Raises:
            AzureError: if this one is refused.
        """
        if found := self._next("throttle", token):
            operation = f"PUT{resource_id.upper()}"
            raise AzureError(
                429,
                "SubscriptionRequestsThrottled",
                f"Number of requests for subscription '{subscription}' and operation '{operation}' exceeded the "
                f"backend storage limit. Please try again after '{found.seconds:g}' seconds.",
                retry_after=found.seconds,
            )
        if self.deallocated and token.endswith(":VirtualMachineRunCommandByVirtualMachine"):
            words = "Cannot modify extensions in the VM when the VM is not running."
            raise AzureError(409, "OperationNotAllowed", words)
        machine, _, command = resource_id.lower().partition("/runcommands/")
        if command and machine in self.agentless:
            # https://github.com/Azure/azure-powershell/issues/5741
            raise AzureError(
                409,
                "VMAgentStatusCommunicationError",
                f"VM '{machine.rsplit('/', 1)[-1]}' has not reported status for VM agent or extensions. Please verify "
                "the VM has a running VM agent, and can establish outbound connections to Azure storage.",
            )
        if self._next("conflict", token):
            raise AzureError(
                409,
                "AnotherOperationInProgress",
                "Another operation on this or dependent resource is in progress. To retrieve status of the operation "
                f"use uri: https://management.azure.com/subscriptions/{subscription}/operations.",
                retry_after=0.05,
            )

    def _next(self, what: str, token: str) -> Fault | None:
        with self._lock:
            for fault in self.queue:
                if fault.what == what and fault.times > 0 and (not fault.kind or token.endswith(f":{fault.kind}")):
                    fault.times -= 1
                    return fault
        return None
