"""One volume's work after the other, and what nobody waits for any more."""

import asyncio
import threading
import time

import pytest

from azurefile.errors import ShareSilent
from azurefile.lanes import Lanes


@pytest.mark.parametrize("hung_up", [False, True])
def test_what_succeeds_after_its_caller_gave_up_is_undone_before_the_next(hung_up: bool) -> None:
    done: list[str] = []
    go = threading.Event()

    def work() -> None:
        go.wait(10)
        done.append("work")

    def late() -> ShareSilent:
        return ShareSilent("too late")

    async def calls() -> None:
        lanes, gone = Lanes(), asyncio.Event()
        if hung_up:
            asyncio.get_running_loop().call_later(0.1, gone.set)
        deadline = time.monotonic() + (60 if hung_up else 0.1)
        given_up = lanes.bounded("dbs", deadline, gone, work, lambda: done.append("undone"), late)
        with pytest.raises(ShareSilent, match="too late"):
            await asyncio.wait_for(given_up, 8)
        assert done == []
        go.set()
        async with lanes.lock("dbs"):
            assert done == ["work", "undone"]
        await lanes.bounded("dbs", time.monotonic() + 10, asyncio.Event(), work, lambda: done.append("undone"), late)

    asyncio.run(calls())
    assert done == ["work", "undone", "work"]
