"""Stack staging against the stand-in for Azure: its preview, and the way from a booted machine to the running demo."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.machine import BenchError, Stopwatch, load, say
from bench.measured import Comparison, Series
from bench.project import CHECKOUT
from tests.azure.clone import Clone
from tests.azure.prebuilt import ACCOUNT, CONTEXTS, PLUGIN, ROOT, STACK
from tests.azure.staging import Staging
from tests.azure.standin import StandIn
from toolchain import clis, virtualenv

# the SDK loads a module when it is asked for something of it
EMPTY = """
from pulumi_azure_native import compute, network, resources, storage
compute.VirtualMachine, network.VirtualNetwork, resources.ResourceGroup, storage.StorageAccount
"""
BOOTED = "VirtualMachineRunCommandByVirtualMachine"
WRITERS = ("docker1", "docker2", "docker3")
SECONDS = 300

# all that Azure makes, and what waits for the machine's bootstrap
TYPES = f"urn:pulumi:{STACK}::datadocker::datadocker:index:"
PARTS = ("::", "$azure-native", "$datadocker:", "$datadocker-engine:index:GracefulStop", "$pulumi:providers")
MACHINE = [
    word
    for component, parts in (("AzureHost", PARTS), ("AzureFileShares", PARTS[:2]), ("AzureShare", PARTS[:2]))
    for part in parts
    for word in ("--target", f"{TYPES}{component}{part}**")
]
LABEL = f"io.datadocker.stack=datadocker/{STACK}"
IMAGES = "docker image ls --format '{{.Repository}}:{{.Tag}}' | grep ^datadocker/"
BUILT = CONTEXTS | {PLUGIN: "bookworm"}
UNPACK = "mkdir build && tar -x -C build"
# the builder that the Docker provider uses, or it would find no layers of earlier builds
BUILD = """DOCKER_BUILDKIT=1 docker build -q --label {label} --build-arg BASE={base} -t {image} build/{context}"""
KEY = f"sudo sh -c 'umask 077; mkdir -p {ROOT}/credentials; cat >{ROOT}/credentials/{ACCOUNT}'"
HAND = f"""
set -eu
{{builds}}
docker plugin enable --timeout 120 {PLUGIN}
for name in logs config simpledb; do docker volume create -d {PLUGIN} -o share=$name -o for=files $name; done
docker volume create -d {PLUGIN} -o share=dbs -o exclusive=true -o for=database dbs
docker run -d --name mydb --restart always -v dbs:/var/lib/mysql -p 127.0.0.1:6603:3306 \\
  -e MYSQL_ROOT_PASSWORD=mypassword {{mysql}}
for name in {" ".join(WRITERS)}; do
  docker run -d --name $name --hostname $name --restart always -v logs:/logs -v config:/config {{writer}}
done
docker run -d --name reader --restart always -v logs:/logs:ro {{reader}}
until [ "$(docker inspect -f '{{{{{{{{.State.Health.Status}}}}}}}}' mydb)" = healthy ]; do sleep 0.1; done
"""


def measure_azure(rounds: int) -> Iterator[Comparison]:
    """The preview beside that of an empty program, and `up` on a booted machine beside the same steps by hand."""
    # clones, and who fills the machines' disk, use what this checkout has
    clis.ensure(CHECKOUT, virtualenv.ensure(CHECKOUT))
    with tempfile.TemporaryDirectory() as folder:
        yield _preview(Path(folder), rounds)
        yield _booted(Path(folder), rounds)


def _preview(folder: Path, rounds: int) -> Comparison:
    ours, peer = Series("pulumi preview"), Series("an empty program with the same imports")
    began = load()
    with StandIn() as azure:
        clones = {series.name: Clone(folder / str(n), azure, "staging") for n, series in enumerate((ours, peer))}
        (clones[peer.name].checkout / "__main__.py").write_text(EMPTY)
        for clone in clones.values():
            # makes the stack, and compiles what is imported
            clone.pulumi("preview")
        for number in range(rounds):
            say(f"preview of staging, round {number + 1} of {rounds}")
            for series in (ours, peer) if number % 2 else (peer, ours):
                clock = Stopwatch()
                clones[series.name].pulumi("preview")
                series.values.append(clock.seconds)
        if azure.cloud.resources:
            raise BenchError("a preview made something")
    return Comparison("Preview of staging, nothing made yet", "s", ours, peer, 1.5, load=began)


def _booted(folder: Path, rounds: int) -> Comparison:
    ours, peer = Series("pulumi up, from the machine's bootstrap on"), Series("the same by hand over ssh")
    began = load()
    staging = Staging(folder / "booted")
    try:
        # accounts and shares are there, and the machines' disk
        staging.change("up")
        for number in range(rounds):
            say(f"staging, round {number + 1} of {rounds}")
            staging.change("destroy")
            before = staging.written()
            with _Seen(staging.log, BOOTED) as seen:
                staging.change("up")
                _wait_until_written(staging, before)
                ours.values.append(time.monotonic() - seen.at)
            images = _tags(_ssh(_login(staging, folder), IMAGES))
            # by hand begins where ours began: on a machine that has just booted
            staging.change("destroy")
            staging.change("up", *MACHINE)
            before = staging.written()
            login = _login(staging, folder)
            clock = Stopwatch()
            _by_hand(login, staging, images)
            _wait_until_written(staging, before)
            peer.values.append(clock.seconds)
    finally:
        staging.close()
    return Comparison("From a booted machine to the running demo, SMB", "s", ours, peer, 1.3, load=began)


class _Seen:
    """When a resource of a type was made, as the CLI says it."""

    def __init__(self, log: Path, kind: str) -> None:
        self.at = 0.0
        self._log, self._kind = log, kind
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> _Seen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _follow(self) -> None:
        with self._log.open() as log:
            log.seek(0, os.SEEK_END)
            while not self._end.is_set() and not self.at:
                line = log.readline()
                if self._kind in line and " created" in line:
                    self.at = time.monotonic()
                elif not line:
                    time.sleep(0.02)


def _wait_until_written(staging: Staging, before: dict[str, int]) -> None:
    end = time.monotonic() + SECONDS
    while any(staging.written().get(writer, 0) <= before.get(writer, 0) for writer in WRITERS):
        if time.monotonic() > end:
            raise BenchError(f"the writers do not write: {before}, {staging.written()}")
        time.sleep(0.05)


def _login(staging: Staging, folder: Path) -> list[str]:
    return [*staging.login(), "-o", "ControlMaster=auto", "-o", f"ControlPath={folder}/%C", "-o", "ControlPersist=60"]


def _tags(listed: str) -> dict[str, str]:
    return {tag.split("/")[1].split(":")[0]: tag for tag in listed.split()}


def _by_hand(login: list[str], staging: Staging, images: dict[str, str]) -> None:
    contexts = subprocess.run(["tar", "-c", *BUILT], cwd=CHECKOUT, capture_output=True, check=True).stdout
    _ssh(login, UNPACK, contexts)
    builds = [
        BUILD.format(label=LABEL, base=images[f"base-{suite}"], image=images[Path(context).name], context=context)
        for context, suite in BUILT.items()
    ]
    _ssh(login, KEY, f"key={staging.server.key}\n".encode())
    _ssh(login, HAND.format(builds="\n".join(builds), **images))


def _ssh(login: list[str], line: str, sent: bytes = b"") -> str:
    done = subprocess.run([*login, line], input=sent, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        raise BenchError(f"{line.strip().splitlines()[0]}: {done.stdout.decode()}{done.stderr.decode()}")
    return done.stdout.decode()
