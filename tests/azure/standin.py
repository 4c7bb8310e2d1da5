"""The stand-in as a test uses it: `with StandIn() as azure:`, and run Pulumi with `azure.env`."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from tests.azure.cloud import Cloud
from tests.azure.faults import Faults
from tests.azure.machines import MachineRoom
from tests.azure.server import serve
from tests.azure.shares import ShareRoom


class StandIn:
    """A cloud, and the provider that answers for azure-native in it, in this process."""

    def __init__(
        self,
        state: Path | None = None,
        *,
        machines: MachineRoom | None = None,
        shares: ShareRoom | None = None,
        port: int = 0,
    ) -> None:
        """Serves until `close`. With a file `state` the cloud is the one that was there before."""
        self.cloud = Cloud(state, machines=machines, shares=shares)
        self._server, self.port = serve(self.cloud, port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def env(self) -> dict[str, str]:
        """What makes Pulumi's CLI talk to this one, and a login that it takes."""
        return {
            "PULUMI_DEBUG_PROVIDERS": f"azure-native:{self.port}",
            "ARM_CLIENT_ID": "00000000-1111-2222-3333-444444444444",
            "ARM_CLIENT_SECRET": "stand-in",
            "ARM_TENANT_ID": self.cloud.tenant,
            "ARM_SUBSCRIPTION_ID": self.cloud.subscription,
        }

    @property
    def faults(self) -> Faults:
        return self.cloud.faults

    def close(self) -> None:
        self._server.stop(None).wait()
