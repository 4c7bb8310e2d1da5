"""200 mounts over a real share: none refused after its holder was killed or let go, and nothing grows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.nfs import GaneshaServer
from tests.machines.plugin import MachinePlugin
from tests.machines.samba import SambaServer
from tests.plugin.cycles import ENGINE
from tests.plugin.harness import REPOSITORY
from tests.plugin.site import Site, create, wait_until

pytestmark = [pytest.mark.machines, pytest.mark.root]

COUNT = 200
SPARE_DESCRIPTORS = 3
# Python takes memory by the megabyte, some of it late (seen flat to 1 MB over 460). A client that kept a connection, or
# a session's keys, for each mount would take more.
SPARE_KILOBYTES = 2048


@pytest.fixture(params=["smb", "nfs"])
def site(machine_plugin: MachinePlugin, request: pytest.FixtureRequest) -> Iterator[Site]:
    with SambaServer() if request.param == "smb" else GaneshaServer("dbs") as server:
        if isinstance(server, SambaServer):
            server.add_share("dbs")
        yield Site(machine_plugin, server)


def test_200_mounts_none_refused_nothing_grows(site: Site, tmp_path: Path) -> None:
    for name in ("azurefile", "tests/plugin"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    with site.machines("one", ENGINE=f"/run/engine/{ENGINE.name}") as (one,):
        one.copy(tmp_path, "/opt/cycles")
        for volume in ("dbs", "same"):
            create(one, volume, "share=dbs", "exclusive=true")
        ran = one.run(f"cd /opt/cycles && python3 -m tests.plugin.cycles {COUNT} dbs same", timeout=900)
        seen = json.loads(ran.out)
        assert seen["refusals"] == []
        assert seen["killed"] >= COUNT / 2
        assert seen["unmounted"] >= COUNT / 2
        assert max(seen["descriptors"]) <= seen["descriptors"][0] + SPARE_DESCRIPTORS, seen
        assert seen["kilobytes"][-1] <= seen["kilobytes"][0] + SPARE_KILOBYTES, seen
        # the last killed holder's mount is cleared by the plugin's own round
        wait_until(lambda: "/dbs " not in one.run("cat /proc/mounts").out, 60)
