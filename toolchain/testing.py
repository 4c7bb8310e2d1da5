"""Makes ready what the tests need and runs them, part by part."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

from toolchain import clis, engine, packages, virtualenv
from toolchain.lanes import Command, Lane, Lanes
from toolchain.progress import ToolchainError, run, say
from toolchain.wrapper import environment

CHECKOUT = Path(__file__).resolve().parent.parent
TEST_IMAGE = "datadocker-test/base"
CONTENT_LABEL = "io.datadocker.test-base"
# what is checked without running the product; each is one command of a kept tool
CHECKS = (
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    ["lint-imports"],
)
PARTS = {
    "unit": ["tests/unit"],
    "toolchain": ["tests/toolchain"],
    "standin": ["tests/azure", "-m", "not machines"],
    "images": ["tests/images"],
    "engine": ["tests/engine"],
    "plugin": ["tests/plugin", "-m", "not machines"],
}
# what runs beside each other, each lane about as long as the others: the first hardly asks the engine, and most of the
# plugin's tests wait
LANES = (("unit", "toolchain", "standin"), ("engine",), ("images", "plugin"))
SHARES = ("between_hosts", "cycles", "faults", "nfs", "refusals", "smb")
# run when named: they boot machines; azure is standin and the story that is told in them
NAMED = {
    "machines": ["tests/machines", *(f"tests/plugin/test_{name}.py" for name in SHARES)],
    "azure": ["tests/azure"],
}


def main(arguments: list[str]) -> None:
    """Runs the parts that `arguments` name, those of PARTS if none; the rest goes to pytest. Does not return."""
    known = PARTS | NAMED
    # the first words alone: later ones may be values of pytest's options
    named = list(itertools.takewhile(known.__contains__, arguments))
    parts, rest = named or list(PARTS), arguments[len(named) :]
    try:
        sys.exit(_run(parts, rest))
    except ToolchainError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _run(parts: list[str], rest: list[str]) -> int:
    venv = virtualenv.ensure(CHECKOUT)
    test_venv = virtualenv.ensure(CHECKOUT, "tests/requirements.txt", ".venv-test")
    toolchain = clis.ensure(CHECKOUT, venv)
    env = environment(toolchain)
    env["PATH"] = f"{test_venv / 'bin'}{os.pathsep}{env['PATH']}"
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    if set(parts) - {"unit"}:
        packages.require(["ssh", "sshd"], ["openssh-client", "openssh-server"], "the tests")
        engine.ensure()
        env |= _import_bases(toolchain)
    env["DATADOCKER_TEST_TOOLCHAIN"] = str((toolchain / "bin").resolve())
    env["DATADOCKER_TEST_DOCKER_SCHEMA"] = str((toolchain / "bin/schema.json").resolve())
    for old in CHECKOUT.glob(".coverage*"):
        old.unlink()
    lanes = LANES if set(parts) <= PARTS.keys() else (parts,)
    named = [[part for part in lane if part in parts] for lane in lanes]
    runs = [_commands(lane, test_venv / "bin", rest, env) for lane in named if lane]
    failed = Lanes(CHECKOUT).run(runs)
    for command in ("combine", "-q"), ("report", "--skip-covered"):
        subprocess.run([test_venv / "bin/coverage", *command], cwd=CHECKOUT, env=env, check=False)
    say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def _commands(parts: list[str], programs: Path, rest: list[str], env: dict[str, str]) -> Lane:
    """What the parts of a lane run; each measures its coverage for itself."""
    checks = [Command(" ".join(check), [str(programs / check[0]), *check[1:]], env) for check in CHECKS]
    pytest = [str(programs / "python"), "-m", "pytest"]
    return [
        *(checks if "unit" in parts else []),
        *(
            Command(
                part,
                [*pytest, *(PARTS | NAMED)[part], *rest, "--cov", "--cov-report="],
                env | {"COVERAGE_FILE": f".coverage.{part}"},
            )
            for part in parts
        ),
    ]


def _import_bases(toolchain: Path) -> dict[str, str]:
    """Gives the tests of images and plugin a base each, under a name that no stack uses.

    One that is there already stays, so that what was built on it need not be built again.
    """
    docker = shutil.which("docker") or "docker"
    names = {}
    for suite in ("bookworm", "sid"):
        names[f"DATADOCKER_TEST_BASE_{suite.upper()}"] = reference = f"{TEST_IMAGE}:{suite}"
        archive = toolchain / "bases" / f"{suite}.tar"
        if not archive.exists():
            run([docker, "pull", f"debian:{suite}-slim"], f"pulling Debian {suite}")
            run([docker, "tag", f"debian:{suite}-slim", reference], f"tagging {reference}")
            continue
        # the folder's name is the key of what is in it
        label = f"{CONTENT_LABEL}={archive.resolve().parent.name}"
        listed = [docker, "images", "-q", "--filter", f"reference={reference}", "--filter", f"label={label}"]
        if not subprocess.run(listed, capture_output=True, text=True, check=False).stdout.strip():
            # an older one would stay, without its name
            subprocess.run([docker, "rmi", reference], capture_output=True, check=False)
            run(
                [docker, "import", "--change", f"LABEL {label}", archive.resolve(), reference], f"importing {reference}"
            )
    return names
