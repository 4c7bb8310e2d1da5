"""The images, built once a session, and an engine that cleans up after each test."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.docker_cli import PREFIX, Engine, built

IMAGES = Path(__file__).parents[2] / "images"

# What the official image has and ours has not: gosu, its own my.cnf and entrypoint, the version in
# the environment; and what it lacks: setpriv, our template, our my.cnf.
LIKE_OFFICIAL = """
ARG BASE
FROM ${BASE}
HEALTHCHECK NONE
RUN rm -rf /usr/share/mysql-template /etc/mysql/my.cnf /usr/local/bin/datadocker-* /usr/bin/setpriv
RUN printf '#!/bin/sh\\nu=$1; shift; exec chroot --userspec="$u" / "$@"\\n' >/usr/local/bin/gosu
RUN printf '[mysqld]\\nhost-cache-size=0\\nskip-name-resolve\\ndatadir=/var/lib/mysql\\n\
socket=/var/run/mysqld/mysqld.sock\\nsecure-file-priv=/var/lib/mysql-files\\nuser=mysql\\n\
pid-file=/var/run/mysqld/mysqld.pid\\n[client]\\nsocket=/var/run/mysqld/mysqld.sock\\n\
!includedir /etc/mysql/conf.d/\\n' >/etc/my.cnf
RUN printf '#!/bin/sh\\necho official entrypoint; exit 9\\n' >/usr/local/bin/docker-entrypoint.sh
RUN chmod 1777 /var/lib/mysql /var/run/mysqld && chmod +x /usr/local/bin/*
ENV MYSQL_VERSION=9.7.4-1.el9
VOLUME /var/lib/mysql
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mysqld"]
"""


@pytest.fixture(scope="session")
def bookworm_base() -> str:
    return os.environ.get("DATADOCKER_TEST_BASE_BOOKWORM", "datadocker-dev/base:bookworm")


@pytest.fixture(scope="session")
def sid_base() -> str:
    return os.environ.get("DATADOCKER_TEST_BASE_SID", "datadocker-dev/base:sid")


@pytest.fixture(scope="session")
def mysql_image(sid_base: str) -> Iterator[str]:
    with built(IMAGES / "mysql", f"{PREFIX}mysql:{os.getpid()}", BASE=sid_base) as tag:
        yield tag


@pytest.fixture(scope="session")
def writer_image(bookworm_base: str) -> Iterator[str]:
    with built(IMAGES / "writer", f"{PREFIX}writer:{os.getpid()}", BASE=bookworm_base) as tag:
        yield tag


@pytest.fixture(scope="session")
def reader_image(bookworm_base: str) -> Iterator[str]:
    with built(IMAGES / "reader", f"{PREFIX}reader:{os.getpid()}", BASE=bookworm_base) as tag:
        yield tag


@pytest.fixture(scope="session")
def official_like_image(mysql_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("official")
    (folder / "Dockerfile").write_text(LIKE_OFFICIAL)
    with built(folder, f"{PREFIX}official:{os.getpid()}", BASE=mysql_image) as tag:
        yield tag
    shutil.rmtree(folder)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.clean()
