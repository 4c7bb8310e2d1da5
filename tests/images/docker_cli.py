"""The plain docker command line, with names of the tests' own that are removed afterwards."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.machines.command import Ran

PREFIX = "ddtest-img-"
HEALTH = "/usr/local/bin/datadocker-mysql-health"


def run(*command: str, limit: float = 120, stdin: str | None = None) -> Ran:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit,
        input=stdin,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def docker(*arguments: str, limit: float = 120, stdin: str | None = None) -> Ran:
    return run("docker", *arguments, limit=limit, stdin=stdin)


def must(*arguments: str, limit: float = 120, stdin: str | None = None) -> str:
    result = docker(*arguments, limit=limit, stdin=stdin)
    assert result.code == 0, f"docker {arguments}: {result.text}"
    return result.out.strip()


def wait_until(condition: Callable[[], bool], what: str, limit: float = 60) -> None:
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, f"waited {limit} s in vain: {what}"
        time.sleep(0.05)


@dataclass
class Container:
    """A container by its name."""

    name: str

    def exec(self, *command: str, user: str = "0", stdin: str | None = None) -> Ran:
        flags = ("-i",) if stdin is not None else ()
        return docker("exec", *flags, "-u", user, self.name, *command, stdin=stdin)

    def shell(self, script: str) -> Ran:
        return self.exec("sh", "-c", script)

    def logs(self) -> str:
        return docker("logs", self.name).text

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(must("inspect", "-f", "{{json .State}}", self.name))
        return state

    def running(self) -> bool:
        return bool(self.state()["Running"])

    def exit_code(self, limit: float = 60) -> int:
        wait_until(lambda: not self.running(), f"{self.name} ends", limit)
        return int(self.state()["ExitCode"])

    def accepts_logins(self) -> bool:
        return self.exec(HEALTH, "--now").code == 0

    def wait_ready(self, limit: float = 90) -> None:
        def ready() -> bool:
            assert self.running(), self.logs()
            return self.accepts_logins()

        wait_until(ready, f"{self.name} accepts logins", limit)

    def sql(self, statement: str, password: str, user: str = "root", tcp: bool = False) -> Ran:
        """One statement, with the password handed over in an option file made of stdin."""
        escaped = password
        for plain, code in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t")):
            escaped = escaped.replace(plain, code)
        where = "--host=127.0.0.1" if tcp else "--socket=/var/run/mysqld/mysqld.sock"
        return self.exec(
            "mysql",
            "--defaults-file=/dev/stdin",
            f"--user={user}",
            where,
            "--batch",
            "--skip-column-names",
            f"--execute={statement}",
            stdin=f'[client]\npassword="{escaped}"\n',
        )


@dataclass
class Engine:
    """Makes containers and volumes and remembers them."""

    containers: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def volume(self) -> str:
        name = f"{PREFIX}{uuid.uuid4().hex[:8]}"
        must("volume", "create", name)
        self.volumes.append(name)
        return name

    def create(self, image: str, *command: str, flags: Sequence[str] = (), kind: str = "c") -> Container:
        name = f"{PREFIX}{kind}-{uuid.uuid4().hex[:8]}"
        self.containers.append(name)
        must("create", "--name", name, *flags, image, *command)
        return Container(name)

    def start(
        self,
        image: str,
        *command: str,
        flags: Sequence[str] = (),
        secrets: Mapping[str, str] | None = None,
        scratch: Path | None = None,
    ) -> Container:
        container = self.create(image, *command, flags=flags)
        if secrets is not None:
            assert scratch is not None
            upload_secrets(container, secrets, scratch)
        must("start", container.name)
        return container

    def remove(self, container: Container) -> None:
        docker("rm", "-f", container.name)

    def clean(self) -> None:
        # one at a time: an engine of 20.10 may lock up when several leave a network at once (moby#46661)
        for container in self.containers:
            docker("rm", "-f", "-v", container)
        if self.volumes:
            docker("volume", "rm", "-f", *self.volumes)


def upload_secrets(container: Container, secrets: Mapping[str, str], scratch: Path) -> None:
    folder = scratch / container.name / "secrets" / "datadocker"
    folder.mkdir(parents=True)
    for name, text in secrets.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o400)
    must("cp", str(folder.parent), f"{container.name}:/run/")


@contextmanager
def built(folder: Path, tag: str, **arguments: str) -> Iterator[str]:
    """An image of the folder's Dockerfile for as long as it is needed, by the legacy builder."""
    flags = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    done = run(
        *("env", "DOCKER_BUILDKIT=0", "docker", "build", "--quiet", *flags, "--tag", tag),
        str(folder),
        limit=900,
    )
    assert done.code == 0, done.text
    try:
        yield tag
    finally:
        docker("rmi", tag)


def child(pid: int) -> int:
    """The only child of a container's init."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
