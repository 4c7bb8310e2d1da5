"""What an administrator types, or the settings' options say, and no later start may stumble over."""

from pathlib import Path

import pytest

from components.databases.hashes import caching_sha2
from components.databases.passwords import random_password
from components.databases.statements import Account, reconcile
from tests.images.docker_cli import HEALTH, Container, Engine, must, upload_secrets, wait_until
from tests.images.mysql_volume import DATA

pytestmark = pytest.mark.engine

VALIDATE = "INSTALL COMPONENT 'file://component_validate_password';"
# of a session and of the server: what is read-only, and how statements are read
READ_ONLY = (
    "SET PERSIST super_read_only = ON; SET PERSIST transaction_read_only = ON; SET PERSIST autocommit = OFF;"
    "SET PERSIST sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'"
)


def secrets(root: str = "root", ann: str = "ann", hashed: bool = True) -> dict[str, str]:
    """What a stack uploads; without the hash, what somebody has who starts the image by hand."""
    account = Account(name="ann", host="%", password=ann, schemas=["shop"])
    password = {"root": f"{caching_sha2(root, 'server', 'root')}\n{root}"} if hashed else {"root-password": root}
    return password | {"init.sql": reconcile("server", ["shop"], [account])}


def start(engine: Engine, image: str, scratch: Path, files: dict[str, str], *options: str) -> Container:
    return engine.start(image, *options, flags=("-v", f"{engine.volume()}:{DATA}"), secrets=files, scratch=scratch)


def typed(container: Container, statements: str) -> None:
    done = container.sql(statements, "root")
    assert done.code == 0, done.text


def serves(container: Container, root: str = "root", ann: str = "ann") -> None:
    container.wait_ready()
    for user, password in (("root", root), ("ann", ann)):
        answer = container.sql("SHOW DATABASES LIKE 'shop'", password, user=user, tcp=True)
        assert answer.out == "shop\n", answer.text


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize(
    "statements",
    [
        "ALTER USER ann@'%' PASSWORD HISTORY 3; ALTER USER root@'%' PASSWORD REUSE INTERVAL 9 DAY",
        "SET PERSIST password_history = 2; SET PERSIST password_reuse_interval = 30",
        f"{VALIDATE} SET PERSIST validate_password.policy = STRONG",
        "SET PERSIST password_require_current = ON; ALTER USER ann@'%' FAILED_LOGIN_ATTEMPTS 1 PASSWORD_LOCK_TIME 9;"
        "SET PERSIST default_password_lifetime = 1; ALTER USER ann@'%', root@'%' PASSWORD EXPIRE",
        "ALTER USER root@'%' IDENTIFIED BY 'other' RETAIN CURRENT PASSWORD;"
        "ALTER USER ann@'%' IDENTIFIED WITH sha256_password BY 'other';"
        "SET PERSIST authentication_policy = 'sha256_password,*,'",
        READ_ONLY,
        "SET PERSIST max_prepared_stmt_count = 0",
    ],
    ids=["history-of-accounts", "history", "validate", "expired", "plugins", "read-only", "prepared"],
)
def test_no_start_fails_for_what_is_typed(
    engine: Engine, mysql_image: str, tmp_path: Path, statements: str, hashed: bool
) -> None:
    container = start(engine, mysql_image, tmp_path, secrets(hashed=hashed))
    serves(container)
    typed(container, statements)
    # a history knows the password from the first start on that comes after it
    for _ in range(2):
        must("restart", "-t", "30", container.name)
        serves(container)
    assert "[ERROR]" not in container.logs()


def test_an_account_has_its_schema_alone_whether_grants_take_patterns_or_names(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    account = Account(name="ann", host="%", password="ann", schemas=["my_shop"])
    files = secrets() | {"init.sql": reconcile("server", ["my_shop", "my-shop"], [account])}
    container = start(engine, mysql_image, tmp_path, files)
    for switch in ("OFF", "ON", "OFF"):
        container.wait_ready()
        typed(container, f"SET PERSIST partial_revokes = {switch}")
        must("restart", "-t", "30", container.name)
        container.wait_ready()
        seen = container.sql("SHOW DATABASES LIKE 'my%'", "ann", user="ann", tcp=True).out
        assert seen == "my_shop\n"


def test_a_server_that_is_read_only_or_prepares_nothing_stays_so(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    options = ("--super-read-only=ON", "--max-prepared-stmt-count=0")
    container = start(engine, mysql_image, tmp_path, secrets(), *options)
    serves(container)
    assert container.sql("SELECT @@max_prepared_stmt_count", "root").out == "0\n"
    assert container.sql("SELECT @@super_read_only, @@read_only", "root").out == "1\t1\n"


@pytest.mark.parametrize("hashed", [True, False])
def test_a_history_among_the_options(engine: Engine, mysql_image: str, tmp_path: Path, hashed: bool) -> None:
    options = ("--password-history=3", "--password-reuse-interval=9")
    container = start(engine, mysql_image, tmp_path, secrets(hashed=hashed), *options)
    serves(container)
    must("restart", "-t", "30", container.name)
    serves(container)


def test_a_changed_password_that_a_policy_refuses_keeps_nobody_else_out(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    """Of root, set by hand: what a stack sets is judged by no policy."""
    container = start(engine, mysql_image, tmp_path, secrets(hashed=False))
    serves(container)
    typed(container, VALIDATE)
    must("stop", "-t", "30", container.name)
    upload_secrets(container, secrets(root="CANARY", ann="changed", hashed=False), tmp_path / "refused")
    must("start", container.name)
    wait_until(lambda: container.sql("DO 1", "changed", user="ann", tcp=True).code == 0, "ann is served")
    health = container.exec(HEALTH, "--now")
    assert health.code == 1
    assert "Access denied for user 'root'@'localhost'" in health.out
    assert "set another one, that validate_password and the password history take" in health.out
    assert "CANARY" not in health.text + container.logs()
    upload_secrets(container, secrets(root="Another-1", ann="changed", hashed=False), tmp_path / "taken")
    must("restart", "-t", "30", container.name)
    serves(container, root="Another-1", ann="changed")


def test_a_first_password_that_a_policy_refuses_leaves_root_open_to_nobody(
    engine: Engine, mysql_image: str, tmp_path: Path
) -> None:
    plugin = "--plugin-load-add=validate_password.so"
    container = start(engine, mysql_image, tmp_path, secrets(hashed=False), plugin)
    wait_until(lambda: container.sql("DO 1", "ann", user="ann", tcp=True).code == 0, "ann is served")
    assert "Access denied for user 'root'@'localhost'" in container.exec(HEALTH, "--now").out
    assert "Access denied for user 'root'@'localhost'" in container.sql("SELECT 1", "").err


def test_an_account_that_is_locked_stays_so(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    container = start(engine, mysql_image, tmp_path, secrets())
    serves(container)
    typed(container, "ALTER USER ann@'%' ACCOUNT LOCK")
    must("restart", "-t", "30", container.name)
    container.wait_ready()
    assert "Account is locked" in container.sql("SELECT 1", "ann", user="ann", tcp=True).text


def test_the_hash_of_any_password(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    passwords = ['it\'s "quoted" \\', "ümläut 密码 🐬", "two\nlines", "x", "long " * 40, random_password()]
    users = [Account(name=f"u{i}", host="%", password=p, schemas=[]) for i, p in enumerate(passwords)]
    container = start(engine, mysql_image, tmp_path, secrets() | {"init.sql": reconcile("server", [], users)})
    container.wait_ready()
    for user in users:
        answer = container.sql("SELECT USER()", user["password"], user=user["name"], tcp=True)
        assert answer.code == 0, answer.text
        assert container.sql("SELECT 1", user["password"] + "x", user=user["name"], tcp=True).code == 1


def test_a_password_that_nobody_gave_satisfies_every_policy(engine: Engine, mysql_image: str, tmp_path: Path) -> None:
    container = start(engine, mysql_image, tmp_path, secrets())
    container.wait_ready()
    typed(container, f"{VALIDATE} SET GLOBAL validate_password.policy = STRONG")
    typed(container, "".join(f"ALTER USER ann@'%' IDENTIFIED BY '{random_password()}';" for _ in range(50)))
