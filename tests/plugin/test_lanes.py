"""One volume's work after the other, and what nobody waits for any more."""

import asyncio
import threading
import time

import pytest

from azurefile.errors import ShareError
from azurefile.lanes import Lanes


def test_what_succeeds_after_its_caller_gave_up_is_undone_before_the_next() -> None:
    done: list[str] = []
    go = threading.Event()

    def work() -> None:
        go.wait(10)
        done.append("work")

    async def calls() -> None:
        lanes = Lanes()
        with pytest.raises(ShareError, match="does not answer"):
            await lanes.bounded("dbs", time.monotonic() + 0.1, work, lambda: done.append("undone"))
        go.set()
        async with lanes.lock("dbs"):
            assert done == ["work", "undone"]
        await lanes.bounded("dbs", time.monotonic() + 10, work, lambda: done.append("undone"))

    asyncio.run(calls())
    assert done == ["work", "undone", "work"]
