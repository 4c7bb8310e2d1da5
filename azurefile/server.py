"""The router: one route a call, a typed request in, JSON out."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from azurefile.caller import Caller
from azurefile.driver import Driver
from azurefile.errors import PluginError
from azurefile.liveness import Process

log = logging.getLogger(__name__)

_MEDIA_TYPE = "application/vnd.docker.plugins.v1.1+json"
_BODY_BYTES = 1 << 20
# The engine sends nothing with the first, and with a repeated one of the others.
_WITHOUT_BODY = ("/Plugin.Activate", "/VolumeDriver.Capabilities", "/VolumeDriver.List")


class _BadRequest(PluginError):
    """The request is not one of the protocol's."""


@dataclass(frozen=True)
class VolumeRequest:
    """What a call says, and who says it; each call needs some of it."""

    name: str
    id: str
    opts: dict[str, str]
    caller: Caller

    @classmethod
    def parse(cls, body: bytes, caller: Caller) -> "VolumeRequest":
        """Read a request's JSON; the engine sends null for what is empty."""
        try:
            data = json.loads(body or b"{}", object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise _BadRequest(f"the request is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise _BadRequest("the request is not a JSON object")
        name, mount_id, opts = data.get("Name") or "", data.get("ID") or "", data.get("Opts") or {}
        if not isinstance(name, str) or not isinstance(mount_id, str):
            raise _BadRequest("Name and ID must be strings")
        if not isinstance(opts, dict) or not all(isinstance(v, str) for v in opts.values()):
            raise _BadRequest("Opts must be an object of strings")
        return cls(name, mount_id, opts, caller)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Which one is not said: it may be a key that was meant for an option.
        raise _BadRequest("the request has a name twice in one JSON object; say it once")
    return found


_Call = Callable[[VolumeRequest], Awaitable[dict[str, Any]]]


def application(driver: Driver) -> Starlette:
    """The plugin's HTTP interface."""

    async def activate(_: VolumeRequest) -> dict[str, Any]:
        return {"Implements": ["VolumeDriver"]}

    async def capabilities(_: VolumeRequest) -> dict[str, Any]:
        return {"Capabilities": {"Scope": "local"}}

    async def create(request: VolumeRequest) -> dict[str, Any]:
        await driver.create(request.name, request.opts)
        return {}

    async def remove(request: VolumeRequest) -> dict[str, Any]:
        await driver.remove(request.name)
        return {}

    async def mount(request: VolumeRequest) -> dict[str, Any]:
        if not request.id:
            # Two without one would count as the same container's.
            raise PluginError(f'volume "{request.name[:64]}": a Mount needs an ID')
        return {"Mountpoint": await driver.mount(request.name, request.id, request.caller)}

    async def unmount(request: VolumeRequest) -> dict[str, Any]:
        await driver.unmount(request.name, request.id)
        return {}

    async def path(request: VolumeRequest) -> dict[str, Any]:
        return {"Mountpoint": driver.path(request.name)}

    async def get(request: VolumeRequest) -> dict[str, Any]:
        return {"Volume": driver.get(request.name)}

    async def list_(_: VolumeRequest) -> dict[str, Any]:
        return {"Volumes": driver.list()}

    calls: dict[str, _Call] = {
        "/Plugin.Activate": activate,
        "/VolumeDriver.Capabilities": capabilities,
        "/VolumeDriver.Create": create,
        "/VolumeDriver.Remove": remove,
        "/VolumeDriver.Mount": mount,
        "/VolumeDriver.Unmount": unmount,
        "/VolumeDriver.Path": path,
        "/VolumeDriver.Get": get,
        "/VolumeDriver.List": list_,
    }
    app = Starlette(
        routes=[Route(p, _endpoint(p, call), methods=["POST"]) for p, call in calls.items()],
        exception_handlers={HTTPException: _http_error},
    )
    # A redirect is no answer of the protocol.
    app.router.redirect_slashes = False
    return app


def _endpoint(path: str, call: _Call) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        watching: asyncio.Task[None] | None = None
        try:
            body = await _body(request)
            caller = Caller(Process.of(request.client.port) if request.client else None)
            if not body and path not in _WITHOUT_BODY:
                return await _hang_up(request, path, caller)
            watching = asyncio.create_task(_watch(request, caller))
            return _json(await call(VolumeRequest.parse(body, caller)), 200)
        except _BadRequest as error:
            return _refusal(str(error), 400)
        except PluginError as error:
            log.debug("refused", extra={"call": path, "error": error})
            return _refusal(str(error), 500)
        except Exception as error:
            log.exception("call failed", extra={"call": path})
            return _refusal(f"{type(error).__name__}: {error}; see the plugin's log", 500)
        finally:
            if watching is not None:
                watching.cancel()

    return endpoint


async def _watch(request: Request, caller: Caller) -> None:
    """Tell a call that nobody waits for its answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    caller.gone.set()


async def _hang_up(request: Request, path: str, caller: Caller) -> Response:
    """Leave a call without an answer: the engine lost its body when it repeated it, and would take a refusal as final.

    So a Mount fails in words by which starter.py knows it, and a Get does not say that the volume is gone.
    """
    log.warning("not answered, the engine repeats a call without what it said at first", extra={"call": path})
    request.state.transport.close()
    await _watch(request, caller)
    return Response()


async def _body(request: Request) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_BYTES:
                raise _BadRequest(f"the request is longer than {_BODY_BYTES} bytes")
    except ClientDisconnect:
        raise _BadRequest("the caller hung up before the end of its request") from None
    return bytes(body)


def _json(value: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(value) + "\n", status, media_type=_MEDIA_TYPE)


def _refusal(text: str, status: int) -> Response:
    """One printable line, whatever the request had in it."""
    return _json({"Err": "".join(c if c.isprintable() else "?" for c in text)}, status)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _refusal(f"no such call: {request.method[:20]} {request.url.path[:100]}", status)
