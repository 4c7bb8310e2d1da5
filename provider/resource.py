"""The shape of a custom resource: plain values in, plain values out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from provider.connection import Engine, connect

if TYPE_CHECKING:
    from docker import DockerClient

Props = dict[str, Any]

# building and importing images may take it minutes
ENGINE_SECONDS = 600


class Failure(Exception):
    """An operation failed. Its text is one line that says what to do."""


class EngineResource:
    """Something on the engine that `props["engine"]` names; state and inputs are the same properties."""

    replaced_by: ClassVar[tuple[str, ...]] = ()
    """Properties whose change makes another resource of it.

    Not `engine`, nor what is made of it: it says how the same one is reached, and on which machine it is, with which it
    would be deleted by itself before that is replaced.
    """
    updated_by: ClassVar[tuple[str, ...]] = ()
    """Properties whose change is brought about in place."""
    told_apart_by: ClassVar[tuple[str, ...]] = ()
    """If one of these changes, old and new can exist side by side: the new one is created first."""
    noted: ClassVar[tuple[str, ...]] = ()
    """Properties whose change brings nothing about: `read` gets them as the settings say, `delete` as they were."""
    halfway: ClassVar[bool] = False
    """Whether an update that failed may leave it between old and new: then the next one comes, whatever differs."""

    def check(self, before: Props, props: Props) -> str:
        """Returns why `props` can't be had, or nothing; they were `before`."""
        return ""

    def create(self, props: Props) -> str:
        """Makes it, or adopts what is there already, and returns its id."""
        raise NotImplementedError

    def read(self, identity: str, props: Props) -> Props | None:
        """Returns the properties as they are found, or nothing if it is gone."""
        raise NotImplementedError

    def update(self, identity: str, props: Props, before: Props) -> None:
        """Makes it what `props` say; they were `before`."""

    def delete(self, identity: str, props: Props) -> None:
        """Removes it; it is no error if it is gone."""
        raise NotImplementedError


@contextlib.contextmanager
def engine_client(engine: Engine) -> Iterator[DockerClient]:
    """Yields a client of an engine; over ssh through a forwarded socket.

    Raises:
        Failure: if the engine refuses something that the caller did not expect.
        EngineError: if the engine can't be reached.
    """
    # a tenth of a second to import, and no unchanged resource needs them
    from docker import DockerClient
    from docker.errors import DockerException
    from requests import RequestException

    with connect(engine) as connection:
        connection.ping(timeout=ENGINE_SECONDS)
        client = DockerClient(f"unix://{connection.path}", version=connection.api, timeout=ENGINE_SECONDS)
        try:
            yield client
        except DockerException as error:
            said = getattr(error, "explanation", None) or str(error)
            if "no space left on device" in said:
                said = f"its disk is full ({said}): free some (docker system df shows what is used) and try again"
            raise Failure(f"the Docker engine refused: {said}") from error
        except RequestException as error:
            raise Failure(f"the Docker engine at {engine['url']} does not answer: start it") from error
        finally:
            client.close()
