"""Serves a stand-in for Pulumi commands typed by hand: `python -m tests.azure STATE [--fault NAME=VALUE …]`.

It prints the line to put before them; the cloud is kept in the file STATE.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
from pathlib import Path
from typing import Any

from tests.azure.standin import StandIn

PORT = 7878
ENDS = {signal.SIGINT, signal.SIGTERM}


def main() -> None:
    """Serves until it is interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure", description=__doc__)
    parser.add_argument("state", type=Path, help="the file that holds the cloud")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a field of tests/azure/faults.py, such as cores=1, lag=3, never_ready=1 or taken_names=a,b",
    )
    parser.add_argument("--machines", action="store_true", help="boot machines and serve shares, not only note them")
    arguments = parser.parse_args()
    # before any thread is there that could get them
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    with contextlib.ExitStack() as stack:
        rooms = _rooms(stack) if arguments.machines else {}
        azure = stack.enter_context(StandIn(arguments.state, port=arguments.port, **rooms))
        for fault in arguments.fault:
            name, _, value = fault.partition("=")
            setattr(azure.faults, name, _as(getattr(azure.faults, name), value))
        print(*(f"{name}={value}" for name, value in azure.env.items()), "./pulumiw up --stack staging", flush=True)
        signal.sigwait(ENDS)


def _rooms(stack: contextlib.ExitStack) -> dict[str, Any]:
    # only here: they want QEMU and samba
    from tests.azure.qemu import QemuRoom
    from tests.azure.served import ServedShares

    machines = QemuRoom()
    stack.callback(machines.close)
    shares = ServedShares(machines)
    stack.callback(shares.close)
    return {"machines": machines, "shares": shares}


def _as(old: Any, value: str) -> Any:
    if isinstance(old, bool):
        return value not in ("0", "false", "")
    if isinstance(old, set):
        return set(value.split(","))
    return int(value)


if __name__ == "__main__":
    main()
