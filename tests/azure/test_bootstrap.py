"""What cloud-init installs on a machine, and what `up` says where it fails: one story, in machines that boot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.azure.conftest import HOST
from tests.azure.staging import Staging

# the tests' own machines come with them; their NFS server, which they have too, can't do without nfs-common
BARE = "DEBIAN_FRONTEND=noninteractive apt-get -qqy remove docker.io cifs-utils || exit"
CUSTOM = "#!/bin/sh\necho no way on from here >&2\nexit 1\n"

pytestmark = [pytest.mark.machines, pytest.mark.incremental]


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    made = Staging(tmp_path_factory.mktemp("bootstrap"))
    (made.checkout / "__main__.py").write_text(HOST)
    yield made
    made.close()


def test_the_engine_and_the_clients_of_shares_come_with_cloud_init(staging: Staging) -> None:
    staging.machines.before = BARE
    staging.change("up")
    staging.machines.before = ""
    staging.machine.run("docker version && test -x /sbin/mount.cifs")


def test_a_bootstrap_that_fails_ends_the_up_with_its_log(staging: Staging) -> None:
    file = staging.folder / "custom-data"
    file.write_text(CUSTOM)
    staging.pulumi("config", "set", "--path", "datadocker:host.customData", str(file))
    code, said = staging.run("up", "--yes", "--skip-preview")
    assert code
    assert "cloud-init failed: " in said
    # what its script said
    assert "no way on from here" in said
