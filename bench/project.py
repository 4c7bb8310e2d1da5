"""A copy of the checkout with a backend and stacks of its own, on names that no running demo uses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from bench.machine import DRIVER, PREFIX, ROOT, call, free_port
from toolchain import cache, clis, virtualenv
from toolchain.wrapper import environment

CHECKOUT = Path(__file__).resolve().parent.parent
KEEP = f"{PREFIX}keep"
DEMO = f"{PREFIX}demo"
CONTAINER = "docker:index/container:Container"
# by the ends of their types: the stack's own mark is kept in a Stash too, and stays with the images that have it
MADE_EACH_TIME = (
    CONTAINER,
    "docker:index/volume:Volume",
    "datadocker-engine:index:ShareFolder",
    "Password$pulumi:index:Stash",
)


class Project:
    """Two stacks: `keep` holds the plugin with a volume of its own, `demo` is measured."""

    def __init__(self) -> None:
        """Copies what is tracked, or would be."""
        self.folder = cache.root() / "bench"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        venv = virtualenv.ensure(CHECKOUT)
        toolchain = clis.ensure(CHECKOUT, venv).resolve()
        for name in _tracked():
            if not name.startswith(("tests/", "bench/", "docs/", ".")) and (CHECKOUT / name).is_file():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(CHECKOUT / name, target)
        (self.folder / ".venv").symlink_to(venv.resolve())
        (self.folder / ".toolchain").symlink_to(toolchain)
        (self.folder / "backend").mkdir()
        home = self.folder / "home"
        home.mkdir()
        (home / "plugins").symlink_to((toolchain / "plugins").resolve())
        self._cli = str(toolchain / "bin/pulumi")
        self._env = environment(toolchain) | {
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'backend'}",
            "PULUMI_HOME": str(home),
            "PULUMI_CONFIG_PASSPHRASE": "bench",
        }
        self.port = free_port()
        self._configure(KEEP, composition="databases", volumes=["keep"])
        self._configure(
            DEMO,
            composition="demo",
            volumes=["logs", "dbs", "config", "simpledb"],
            databases=[{"name": "mydb", "volume": "dbs", "port": self.port}],
        )

    def _configure(self, stack: str, composition: str, **config: Any) -> None:
        config |= {"stack": composition, "prefix": PREFIX, "plugin": {"name": DRIVER, "root": str(ROOT)}}
        values = {"config": {f"datadocker:{k}": v for k, v in config.items()}}
        (self.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(values))
        self.pulumi("stack", "init", stack, "--no-select")

    def pulumi(self, *arguments: str) -> str:
        """Runs the CLI, as somebody at a terminal would, and returns what it printed."""
        return self._run(self._cli, *arguments)

    def wrapped(self, *arguments: str) -> str:
        """Runs the wrapper in place of the CLI."""
        return self._run("./pulumiw", *arguments)

    def _run(self, *command: str) -> str:
        return call([*command, "--non-interactive"], cwd=self.folder, env=self._env, timeout=900)

    def up(self, stack: str, *, preview: bool = False) -> str:
        """`pulumi up`."""
        return self.pulumi("up", "--stack", stack, "--yes", *([] if preview else ["--skip-preview"]))

    def destroy(self) -> None:
        """Destroys the demo; the plugin stays, for the other stack's volume."""
        self.pulumi("destroy", "--stack", DEMO, "--yes", "--skip-preview")

    def destroy_all_but_images(self) -> None:
        """Destroys what a later `up` is to make again, and leaves host, images and plugin in the state."""
        if any(resource["type"] == CONTAINER for resource in self._resources()):
            chosen = [part for kind in MADE_EACH_TIME for part in ("--target", f"**{kind}::**")]
            self.pulumi("destroy", "--stack", DEMO, "--yes", "--skip-preview", "--target-dependents", *chosen)

    def password(self) -> str:
        """The password of the demo's root."""
        databases = self.pulumi("stack", "output", "databases", "--show-secrets", "--json", "--stack", DEMO)
        url: str = json.loads(databases)["mydb"]["url"]
        return url.split(":", 2)[2].rsplit("@", 1)[0]

    def image(self, name: str) -> str:
        """The demo's image of the folder `images/<name>`."""
        for resource in self._resources():
            tag = resource.get("inputs", {}).get("name")
            if isinstance(tag, str) and tag.startswith(f"datadocker/{name}:"):
                return tag
        raise LookupError(f"the demo has no image {name}")

    def _resources(self) -> list[dict[str, Any]]:
        state = json.loads(self.pulumi("stack", "export", "--stack", DEMO))
        return list(state["deployment"].get("resources") or [])


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()
