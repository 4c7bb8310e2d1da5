"""Changing one setting changes only what depends on it; destroy takes everything but data to keep."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi import automation as auto

from tests.engine.conftest import Project, changes, docker, free_port

pytestmark = pytest.mark.engine

# images are found by it, and a run that was killed leaves its own
NAME = f"life-{os.getpid()}"


class Database:
    """A stack with databases only, whose settings the tests change one after another."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.config = project.config(stack="databases", volumes=["dbs"])

    def up(self, **change: Any) -> dict[str, int]:
        self.config |= change
        self.stack: auto.Stack = self.project.stack(NAME, self.config)
        return changes(self.stack.up())

    def running(self) -> list[str]:
        """Ids of those of its containers that run."""
        return docker("ps", "-q", "--no-trunc", "--filter", f"name={self.project.prefix}").split()

    def sql(self, statement: str, database: str = "mydb") -> str:
        return self.project.sql(self.stack, statement, database)


@pytest.fixture(scope="module")
def life(project: Project) -> Iterator[Database]:
    database = Database(project)
    database.up()
    database.sql("CREATE DATABASE talk; CREATE TABLE talk.t (n INT); INSERT INTO talk.t VALUES (42)")
    yield database
    database.up(shares={"kind": "local", "retain": False})
    database.stack.destroy()


def test_another_port_re_creates_the_one_container(life: Database) -> None:
    port = free_port()
    made = life.up(databases=[{"name": "mydb", "volume": "dbs", "port": port}])
    assert made == {"replace": 1}
    assert life.stack.outputs()["databases"].value["mydb"]["port"] == port
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_stop_is_clean_so_that_the_next_start_recovers_nothing(life: Database) -> None:
    command = ["docker", "logs", f"{life.project.prefix}mydb"]
    log = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    assert "ready for connections" in log
    assert "crash recovery" not in log.lower()


def test_another_volume_is_just_made(life: Database) -> None:
    made = life.up(volumes=["dbs", "more"])
    # the component and the volume, and the component and the folder of its share; the guards of both hear of it
    assert made == {"create": 4, "update": 2}


def test_another_password_is_in_force_and_the_data_is_there(life: Database) -> None:
    database = {**life.config["databases"][0], "rootPassword": "it's \\ new"}
    made = life.up(databases=[database])
    assert made.get("replace") == 1
    assert "create" not in made
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_schema_and_an_account_are_made_on_a_used_database(life: Database) -> None:
    database = {
        **life.config["databases"][0],
        "schemas": ["shop"],
        "users": [{"name": "shop", "schemas": ["shop"]}],
    }
    life.up(databases=[database])
    assert "shop" in life.sql("SHOW DATABASES").split()
    assert "ON `shop`.* TO" in life.sql("SHOW GRANTS FOR shop")
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_saved_plan_is_kept_to_where_a_password_is_made(life: Database) -> None:
    database = life.config["databases"][0]
    planned = {**database, "users": [*database.get("users", []), {"name": "planned"}]}
    life.project.write(NAME, life.config | {"databases": [planned]})
    plan = str(life.project.folder / "plan.json")
    for arguments in (["preview", "--save-plan", plan], ["up", "--plan", plan, "--yes", "--skip-preview"]):
        done = life.project.cli(*arguments, "--stack", NAME)
        assert done.returncode == 0, done.stdout
    assert "planned" in life.sql("SELECT user FROM mysql.user").split()
    life.up(databases=[database])


def test_a_memory_limit_is_changed_in_place_and_goes_with_the_container(life: Database) -> None:
    database = life.config["databases"][0]
    made = [life.up(databases=[database | memory]) for memory in ({"memory": 512}, {"memory": 600}, {})]
    assert made == [{"update": 1}, {"update": 1}, {"replace": 1}]
    assert docker("inspect", "-f", "{{.HostConfig.Memory}}", f"{life.project.prefix}mydb") == "0"
    assert changes(life.stack.refresh()) == {}


@pytest.mark.parametrize(
    ("option", "value"), [("innodb_bufer_pool_size", "256M"), ("max_conections", 5), ("event_scheduler", True)]
)
def test_an_option_that_the_server_does_not_take_takes_none_away(life: Database, option: str, value: str | int) -> None:
    database, before = life.config["databases"][0], life.running()
    with pytest.raises(auto.CommandError, match=f"mysqld refuses them: .*{option}"):
        life.up(databases=[database | {"options": {option: value}}])
    assert life.running() == before
    assert life.sql("SELECT n FROM talk.t") == "42"
    life.up(databases=[database])


def test_an_option_that_it_takes_is_in_force(life: Database) -> None:
    database = life.config["databases"][0]
    made = life.up(databases=[database | {"options": {"innodb_buffer_pool_size": "160M", "max_connections": 77}}])
    # the component of the options and their trial
    assert made == {"create": 2, "replace": 1}
    assert life.sql("SELECT @@max_connections") == "77"
    assert life.up(databases=[database]) == {"delete": 2, "replace": 1}


def test_a_changed_volume_option_keeps_the_data(life: Database) -> None:
    life.up(volumes=[{"name": "dbs", "options": {"dirmode": "0700"}}, "more"])
    options = docker("volume", "inspect", "-f", "{{.Options}}", f"{life.project.prefix}dbs")
    assert "dirmode:0700" in options
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_renamed_database_finds_its_data(life: Database) -> None:
    life.up(databases=[{**life.config["databases"][0], "name": "renamed"}])
    assert life.sql("SELECT n FROM talk.t", "renamed") == "42"
    life.up(databases=[{**life.config["databases"][0], "name": "mydb"}])
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_an_update_that_fails_or_is_about_something_else_leaves_running_what_goes_to_another(life: Database) -> None:
    database, before = life.config["databases"][0], life.running()
    renamed = {**database, "name": "renamed"}
    with pytest.raises(auto.CommandError, match=r"mysqld refuses them: .*max_conections"):
        life.up(databases=[{**renamed, "options": {"max_conections": 5}}])
    assert life.running() == before
    life.project.write(NAME, life.config | {"databases": [renamed]})
    with pytest.raises(auto.CommandError, match="was not specified in --target"):
        life.stack.up(target=["**LocalHost**"])
    assert life.running() == before
    # what the failed one had made besides goes again
    assert set(life.up(databases=[database])) == {"delete"}
    assert life.running() == before


def test_two_databases_swap_volumes_and_ports(life: Database) -> None:
    first = life.config["databases"][0]
    second = {"name": "second", "volume": "more", "port": free_port()}
    life.up(databases=[first, second])
    life.up(databases=[{**first, "volume": "more", "port": second["port"]}, {**second, **{
        "volume": "dbs", "port": first["port"]}}])  # fmt: skip
    assert life.sql("SELECT n FROM talk.t", "second") == "42"
    # one goes, and what it held goes back to the other
    life.up(databases=[first])
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_share_goes_to_another_database_by_a_volume_of_another_name(life: Database) -> None:
    volumes, (first,) = life.config["volumes"], life.config["databases"]
    share = f"{life.project.prefix}dbs"
    another = {"name": "another", "volume": "data", "port": free_port()}
    life.up(volumes=[{"name": "data", "share": share}], databases=[another])
    assert life.sql("SELECT n FROM talk.t", "another") == "42"
    life.up(volumes=volumes, databases=[first])
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_second_stack_shares_the_plugin_and_leaves_it(life: Database) -> None:
    other = life.project.config(stack="databases", prefix=f"{life.project.prefix}b-", volumes=["other"], databases=[])
    before = docker("plugin", "inspect", "-f", "{{.Id}}", life.project.driver)
    second = life.project.stack("second", other)
    second.up()
    assert docker("plugin", "inspect", "-f", "{{.Id}}", life.project.driver) == before
    second.destroy()
    assert docker("plugin", "inspect", "-f", "{{.Id}}", life.project.driver) == before
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_an_upgrade_of_the_plugin_stops_and_starts_the_databases(life: Database) -> None:
    before = docker("plugin", "inspect", "-f", "{{.Id}}", life.project.driver)
    (life.project.folder / "azurefile/NEW").write_text("another build\n")
    life.up()
    assert docker("plugin", "inspect", "-f", "{{.Id}}", life.project.driver) != before
    assert life.sql("SELECT n FROM talk.t") == "42"
    said = docker("run", "--rm", "-v", f"{life.project.prefix}dbs:/x", "--entrypoint", "true",
                  docker("inspect", "-f", "{{.Config.Image}}", f"{life.project.prefix}mydb"), check=False)  # fmt: skip
    assert f'container "{life.project.prefix}mydb"' in said


def test_an_upgrade_that_fails_is_taken_back_by_the_older_checkout(life: Database) -> None:
    config, more = (life.project.folder / "azurefile" / name for name in ("config.json", "FAILS"))
    before, inspect = config.read_text(), ("plugin", "inspect", life.project.driver, "-f")
    build = docker(*inspect, "{{.Config.Description}}")
    config.write_text(before.replace('"-m", "azurefile"', '"-m", "nothing"'))
    more.write_text("another image\n")
    with pytest.raises(auto.CommandError, match=r"plugin .* was not installed: .*it also starts .*mydb"):
        life.up()
    config.write_text(before)
    more.unlink()
    life.up()
    assert docker(*inspect, "{{.Enabled}} {{.Config.Description}}") == f"true {build}"
    assert life.sql("SELECT n FROM talk.t") == "42"
    # nor has the engine lost an image, as it would one that was replaced and is there again
    assert life.up() == {}


def test_an_image_that_was_removed_by_hand_costs_no_container(life: Database) -> None:
    name, database = f"{life.project.prefix}mydb", life.config["databases"][0]
    before = docker("inspect", "-f", "{{.Id}}", name)
    docker("rmi", "-f", docker("inspect", "-f", "{{.Config.Image}}", name))
    with pytest.raises(auto.CommandError, match=r"the image datadocker/mysql:\w+ is gone .*: \./pulumiw up --refresh"):
        life.up(databases=[database | {"port": free_port()}])
    assert docker("inspect", "-f", "{{.Id}}", name) == before
    life.stack.up(refresh=True)
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_volume_that_was_removed_by_hand_gives_no_empty_database(life: Database) -> None:
    """The engine makes a volume that a container names and it has not, on its own disk."""
    prefix, database = life.project.prefix, life.config["databases"][0]
    docker("rm", "-f", f"{prefix}mydb")
    docker("volume", "rm", f"{prefix}dbs")
    with pytest.raises(
        auto.CommandError, match=rf"volume {prefix}dbs: gone from the engine, .*: \./pulumiw up --refresh"
    ):
        life.up(databases=[database | {"port": free_port()}])
    assert docker("volume", "ls", "-q", "--filter", f"name={prefix}dbs") == ""
    life.stack.up(refresh=True)
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_container_whose_creation_failed_half_way_is_made_anew(life: Database) -> None:
    """The engine keeps what it could not start, perhaps without the files that would have been put into it."""
    state = life.stack.export_stack()
    (half,) = (r for r in state.deployment["resources"] if r["urn"].endswith("::mydb-container"))  # type: ignore[index]
    half["initErrors"] = ["Unable to upload volume content"]
    life.stack.import_stack(state)
    assert life.up() == {"replace": 1}
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_a_rename_that_ended_half_way_is_set_back(life: Database) -> None:
    first, volumes = life.config["databases"][0], life.config["volumes"]
    life.up(volumes=[*volumes, "odd"])
    folder = life.project.root / "shares" / f"{life.project.prefix}odd"
    folder.mkdir(exist_ok=True)
    (folder / "thesis.txt").write_text("no database")
    odd = {"name": "odd", "volume": "odd", "port": free_port()}
    with pytest.raises(auto.CommandError, match="holds files that are not a MySQL data directory"):
        life.up(databases=[first | {"name": "renamed"}, odd])
    assert docker("inspect", "-f", "{{.State.Running}}", f"{life.project.prefix}mydb") == "false"
    life.up(databases=[first], volumes=volumes)
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_destroy_leaves_nothing_but_the_data_and_up_finds_it(life: Database) -> None:
    life.stack.destroy()
    prefix = life.project.prefix
    assert docker("ps", "-aq", "--filter", f"name={prefix}") == ""
    assert docker("volume", "ls", "-q", "--filter", f"name={prefix}") == ""
    assert docker("images", "-q", "--filter", f"label=io.datadocker.stack=datadocker/{NAME}") == ""
    assert life.project.driver not in docker("plugin", "ls")
    assert (life.project.root / "shares" / f"{prefix}dbs" / "ibdata1").exists()
    life.up()
    assert life.sql("SELECT n FROM talk.t") == "42"


def test_the_data_goes_only_if_one_says_so(life: Database) -> None:
    folder = life.project.root / "shares" / f"{life.project.prefix}dbs"
    life.up(shares={"kind": "local", "retain": False})
    assert folder.exists()
    life.stack.destroy()
    assert not folder.exists()
    life.up()
