"""The language host runs programs as Pulumi's own does; tried with the real CLI."""

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.plugin.harness import Standstill

VARIABLE = "DATADOCKER_TEST_TOOLCHAIN"
TIMEOUT = 60


class Project:
    """A project with one program and one stack, in a backend of its own."""

    def __init__(self, root: Path, toolchain: Path) -> None:
        self.root = root / "project"
        self.app = self.root / "app"
        self.app.mkdir(parents=True)
        (root / "state").mkdir()
        self.environment = {
            **os.environ,
            "PATH": f"{toolchain}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(root / "home"),
            "PULUMI_BACKEND_URL": f"file://{root / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
        # Relative to the folder of Pulumi.yaml, and not to the program's.
        self.choose_virtualenv(os.path.relpath(sys.prefix, self.root))

    def choose_virtualenv(self, path: str) -> None:
        (self.root / "Pulumi.yaml").write_text(
            f"name: hosted\nmain: app\nruntime: {{name: python, options: {{virtualenv: '{path}'}}}}\n"
        )

    def pulumi(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=cwd or self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def up(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (self.app / "__main__.py").write_text(program)
        return self.pulumi("up", "--yes", "--skip-preview", *arguments)

    def start(self, program: str, *arguments: str) -> tuple[subprocess.Popen[str], list[int]]:
        """Starts a program that sleeps; gives the CLI and the ids of the program and its host."""
        started = self.root / "started"
        (self.app / "__main__.py").write_text(
            f"import os, pathlib, time\n{program}\n"
            f"pathlib.Path({str(started)!r}).write_text(f'{{os.getpid()}} {{os.getppid()}}')\n"
            "time.sleep(300)\n"
        )
        cli = subprocess.Popen(
            ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", *arguments],
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        deadline = time.monotonic() + TIMEOUT
        while not (started.exists() and started.read_text()):
            assert time.monotonic() < deadline, "the program did not start"
            time.sleep(0.05)
        return cli, [int(process) for process in started.read_text().split()]


def diagnostics(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout.partition("Diagnostics:")[2]


def are_gone(processes: list[int], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ps = ["ps", "-o", "stat=", "-p", ",".join(map(str, processes))]
        states = subprocess.run(ps, stdout=subprocess.PIPE, text=True, check=False).stdout.split()
        # One that has ended may wait for a parent to take note.
        if all(state.startswith("Z") for state in states):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def toolchain() -> Path:
    toolchain = Path(os.environ.get(VARIABLE, "none"))
    # Pulumi's own host has a second program beside it
    if not (toolchain / "pulumi-language-python").is_file() or (toolchain / "pulumi-language-python-exec").exists():
        pytest.skip(f"no built toolchain: {VARIABLE} names no folder with one")
    return toolchain


@pytest.fixture
def project(tmp_path: Path, toolchain: Path) -> Project:
    project = Project(tmp_path, toolchain)
    created = project.pulumi("stack", "init", "test")
    assert created.returncode == 0, created.stdout
    return project


def test_a_program_runs_as_python_would_run_it(project: Project) -> None:
    (project.app / "beside.py").write_text("value = 'found'")
    (project.app / "late.py").write_text("value = 'found late'")
    program = """
import os, sys, pulumi, beside
print(f"{__name__} {os.path.relpath(__file__)} {sys.argv[1:]} {beside.value}")
def later(_):
    os.chdir("/")
    import late
    return late.value
pulumi.export("late", pulumi.Output.from_input(1).apply(later))
pulumi.export("config", pulumi.Config().require("key"))
pulumi.export("kept", pulumi.Stash("kept", input=pulumi.Output.secret("x")).output)
"""
    project.pulumi("config", "set", "key", "from config")
    first = project.up(program)
    assert first.returncode == 0, first.stdout
    assert "__main__ __main__.py [] found" in diagnostics(first)
    assert '"found late"' in first.stdout
    assert '"from config"' in first.stdout
    second = project.up(program, "--expect-no-changes")
    assert second.returncode == 0, second.stdout


def test_an_unhandled_error_is_told_once_and_from_the_program_on(project: Project) -> None:
    failed = project.up("def inner():\n    raise ValueError('boom')\nprint('before')\ninner()\n")
    assert failed.returncode != 0
    told = diagnostics(failed)
    assert "before" in told
    assert told.count("ValueError: boom") == 1
    assert told.count("error: ") == 1
    assert "asyncio" not in told


def test_a_run_error_is_told_in_one_line(project: Project) -> None:
    failed = project.up("import pulumi\nraise pulumi.RunError('give a number')\n")
    assert failed.returncode != 0
    assert diagnostics(failed).count("error: give a number") == 1
    assert "Traceback" not in failed.stdout


def test_an_error_in_an_apply_fails_the_run(project: Project) -> None:
    failed = project.up("import pulumi\npulumi.Output.from_input(0).apply(lambda value: 1 // value)\n")
    assert failed.returncode != 0
    assert diagnostics(failed).count("ZeroDivisionError") == 1


def test_exit_status_zero_is_success_and_exit_handlers_run(project: Project) -> None:
    ended = project.up(
        "import atexit, pulumi, sys\natexit.register(print, 'handler ran')\n"
        "pulumi.export('a', 'exported')\nsys.exit(0)\n"
    )
    assert ended.returncode == 0, ended.stdout
    assert "exported" in ended.stdout
    assert "handler ran" in diagnostics(ended)


def test_any_other_exit_status_is_a_failure(project: Project) -> None:
    assert "error: Program exited with 3" in diagnostics(project.up("import sys\nsys.exit(3)\n"))


def test_a_program_that_is_killed_is_a_failure(project: Project) -> None:
    failed = project.up("import os\nos.kill(os.getpid(), 9)\n")
    assert failed.returncode != 0
    assert "signal: killed" in diagnostics(failed)


def test_a_missing_virtualenv_is_told_with_the_remedy(project: Project) -> None:
    project.choose_virtualenv("missing")
    failed = project.up("import pulumi\n")
    assert failed.returncode != 0
    assert f"{project.root}/missing is no virtual environment; run `pulumi install`" in failed.stdout


def test_a_dynamic_resource_is_made_by_the_projects_python(project: Project) -> None:
    made = project.up("""
import os, sys, pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider
class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("id", {"python": os.path.realpath(sys.prefix)})
class Made(Resource):
    python: pulumi.Output[str]
    def __init__(self, name):
        super().__init__(Provider(), name, {"python": None})
pulumi.export("python", Made("made").python)
""")
    assert made.returncode == 0, made.stdout
    assert f'"{os.path.realpath(sys.prefix)}"' in made.stdout


def test_debug_messages_arrive_in_their_order_although_nobody_waits_for_them(project: Project) -> None:
    told = project.up("import pulumi\nfor n in range(20): pulumi.log.debug(f'step {n:02}')\n", "--debug")
    assert told.returncode == 0, told.stdout
    steps = [line.split()[-1] for line in told.stdout.splitlines() if "step " in line]
    assert steps[-20:] == [f"{n:02}" for n in range(20)]


def test_debug_messages_show_while_the_program_still_runs(project: Project) -> None:
    cli, (program, _) = project.start("import pulumi\npulumi.log.debug('a step before it hangs')", "--debug", "--diff")
    assert cli.stdout is not None
    assert any("a step before it hangs" in line for line in cli.stdout)
    os.kill(program, 0)
    os.killpg(cli.pid, signal.SIGINT)
    cli.communicate(timeout=TIMEOUT)


def test_a_debug_message_comes_before_the_error_that_it_explains(project: Project) -> None:
    told = project.up("import pulumi\npulumi.log.debug('what led to it')\npulumi.log.error('what failed')\n", "--debug")
    diagnostics = told.stdout[told.stdout.index("Diagnostics:") :]
    assert diagnostics.index("what led to it") < diagnostics.index("what failed")


def test_a_part_of_the_sdk_that_is_seldom_used_is_loaded_when_it_is_used(project: Project) -> None:
    told = project.up(
        "import sys, pulumi\n"
        "before = 'pulumi.automation._local_workspace' in sys.modules\n"
        "from pulumi.automation import LocalWorkspace\n"
        "pulumi.export('before', before)\n"
        "pulumi.export('used', [LocalWorkspace.__name__, pulumi.dynamic.Resource.__name__])\n"
    )
    assert told.returncode == 0, told.stdout
    outputs = json.loads(project.pulumi("stack", "output", "--json").stdout)
    assert outputs == {"before": False, "used": ["LocalWorkspace", "Resource"]}


def test_an_interrupt_ends_the_program_at_once(project: Project) -> None:
    cli, processes = project.start("")
    with Standstill() as stood:
        os.killpg(cli.pid, signal.SIGINT)
        interrupted = time.monotonic()
        assert are_gone(processes, TIMEOUT)
        seconds = time.monotonic() - interrupted
    # the engine kills a host that has not ended after 5 s
    assert seconds < 4.5 + stood.seconds
    output, _ = cli.communicate(timeout=TIMEOUT)
    assert cli.returncode == 1
    assert "update canceled" in output
    assert "Traceback" not in output


def test_program_and_host_end_when_the_engine_is_killed(project: Project) -> None:
    cli, processes = project.start("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)")
    cli.kill()
    cli.communicate(timeout=TIMEOUT)
    assert are_gone(processes, 20)


def test_about_tells_which_python_is_used(project: Project) -> None:
    (project.app / "__main__.py").write_text("import pulumi\n")
    about = project.pulumi("about")
    version = ".".join(map(str, sys.version_info[:3]))
    assert f"version='{version}'" in about.stdout


def test_a_folder_of_components_serves_its_schema(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "PulumiPlugin.yaml").write_text(f"runtime: {{name: python, options: {{virtualenv: '{sys.prefix}'}}}}\n")
    (folder / "__main__.py").write_text("""
from typing import TypedDict
import pulumi
from pulumi.provider.experimental import component_provider_host
class SiteArgs(TypedDict):
    size: pulumi.Input[int]
class Site(pulumi.ComponentResource):
    def __init__(self, name: str, args: SiteArgs, opts: pulumi.ResourceOptions | None = None):
        super().__init__("parts:index:Site", name, {}, opts)
if __name__ == "__main__":
    component_provider_host(name="parts", components=[Site])
""")
    # The CLI first looks for the plugins of all packages in the virtualenv.
    for package in Path(sys.prefix).glob("lib/python3*/site-packages/*/pulumi-plugin.json"):
        plugin = json.loads(package.read_text())
        name = f"resource-{plugin['name']}-v{plugin['version']}"
        (tmp_path / "home" / "plugins" / name).mkdir(parents=True)
    shown = project.pulumi("package", "get-schema", str(folder))
    assert shown.returncode == 0, shown.stdout
    assert '"parts:index:Site"' in shown.stdout


def test_install_makes_the_virtualenv_and_the_plugins_of_its_packages_are_known(
    project: Project,
) -> None:
    wheel = project.app / "pulumi_sample-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        info = "pulumi_sample-1.2.3.dist-info"
        archive.writestr(
            "pulumi_sample/pulumi-plugin.json",
            '{"resource": true, "name": "sample", "version": "1.2.3"}',
        )
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: pulumi-sample\nVersion: 1.2.3\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    (project.app / "requirements.txt").write_text(f"--no-index\n./{wheel.name}\n")
    (project.app / "__main__.py").write_text("")
    project.choose_virtualenv("venv")

    installed = project.pulumi("install", "--no-plugins")
    assert installed.returncode == 0, installed.stdout
    assert "Successfully installed pulumi-sample-1.2.3" in installed.stdout
    assert "resource  sample  1.2.3" in project.pulumi("about").stdout
