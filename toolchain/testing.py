"""Makes ready what the tests need and runs them, part by part."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from toolchain import clis, engine, packages, virtualenv
from toolchain.progress import ToolchainError, run, say
from toolchain.wrapper import environment

CHECKOUT = Path(__file__).resolve().parent.parent
TEST_IMAGE = "datadocker-test/base"
# what is checked without running the product; each is one command of a kept tool
CHECKS = (
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    ["lint-imports"],
)
# in the order of what fails soonest
PARTS = {
    "unit": ["tests/unit"],
    "plugin": ["tests/plugin", "-m", "not machines"],
    "images": ["tests/images"],
    "toolchain": ["tests/toolchain"],
    "standin": ["tests/azure", "-m", "not machines"],
    "engine": ["tests/engine"],
}
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
    (CHECKOUT / ".coverage").unlink(missing_ok=True)
    failed = []
    if "unit" in parts:
        for name, *arguments in CHECKS:
            if not _passes(" ".join([name, *arguments]), [test_venv / "bin" / name, *arguments], env):
                failed.append(name)
    for part in parts:
        command: list[str | Path] = [
            test_venv / "bin/python",
            "-m",
            "pytest",
            *(PARTS | NAMED)[part],
            *rest,
            "--cov",
            "--cov-append",
        ]
        if not _passes(part, [*command, "--cov-report="], env):
            failed.append(part)
    _call([test_venv / "bin/coverage", "report", "--skip-covered"], env)
    say(f"failed: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def _passes(what: str, command: list[str | Path], env: dict[str, str]) -> bool:
    started = time.monotonic()
    say(f"— {what}")
    code = _call(command, env)
    say(f"— {what}: {'passed' if code == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s")
    return code == 0


def _call(command: list[str | Path], env: dict[str, str]) -> int:
    return subprocess.run([str(c) for c in command], cwd=CHECKOUT, env=env, check=False).returncode


def _import_bases(toolchain: Path) -> dict[str, str]:
    """Gives the tests of images and plugin a base each, under a name that no stack uses."""
    docker = shutil.which("docker") or "docker"
    names = {}
    for suite in ("bookworm", "sid"):
        names[f"DATADOCKER_TEST_BASE_{suite.upper()}"] = reference = f"{TEST_IMAGE}:{suite}"
        archive = toolchain / "bases" / f"{suite}.tar"
        if archive.exists():
            run([docker, "import", archive.resolve(), reference], f"importing {reference}")
        else:
            run([docker, "pull", f"debian:{suite}-slim"], f"pulling Debian {suite}")
            run([docker, "tag", f"debian:{suite}-slim", reference], f"tagging {reference}")
    return names
