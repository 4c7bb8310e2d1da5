"""Serves the custom resources over Pulumi's provider protocol (pulumi/proto, provider.proto)."""

from __future__ import annotations

import errno
import os
import select
import signal
import tempfile
import threading
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2

from provider.connection import EngineError
from provider.credentials import AccountKey
from provider.guard import ShareGuard, VolumeGuard
from provider.image import ImportedImage
from provider.options import ServerOptions
from provider.plugin import EnginePlugin
from provider.protocol import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2
from provider.resource import EngineResource, Failure, Props
from provider.share import ShareFolder
from provider.stop import GracefulStop

VERSION = "1.0.0"
STOP = GracefulStop()
RESOURCES: dict[str, EngineResource] = {
    "datadocker-engine:index:AccountKey": AccountKey(),
    "datadocker-engine:index:EnginePlugin": EnginePlugin(),
    "datadocker-engine:index:GracefulStop": STOP,
    "datadocker-engine:index:ImportedImage": ImportedImage(),
    "datadocker-engine:index:ServerOptions": ServerOptions(),
    "datadocker-engine:index:ShareFolder": ShareFolder(),
    "datadocker-engine:index:ShareGuard": ShareGuard(),
    "datadocker-engine:index:VolumeGuard": VolumeGuard(),
}


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates between the protocol's messages and plain properties."""

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetSchemaResponse(schema='{"name":"datadocker-engine"}')

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=False)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        answer = provider_pb2.CheckResponse(inputs=request.news)
        if request.olds.fields and (reason := _resource(request.urn).check(_plain(request.olds), _plain(request.news))):
            answer.failures.add(reason=reason)
        return answer

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource, olds, news = _resource(request.urn), _plain(request.olds), _plain(request.news)
        replaces = [k for k in resource.replaced_by if olds.get(k) != news.get(k)]
        updates = [k for k in resource.updated_by if olds.get(k) != news.get(k)]
        answer = provider_pb2.DiffResponse
        return answer(
            changes=answer.DIFF_SOME if replaces or updates else answer.DIFF_NONE,
            replaces=replaces,
            diffs=[*replaces, *updates],
            # where the names are fixed, one engine can't have two
            deleteBeforeReplace=all(olds.get(k) == news.get(k) for k in resource.told_apart_by),
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        props = _plain(request.properties)
        with _Reported(context):
            identity = _resource(request.urn).create(props)
            return provider_pb2.CreateResponse(id=identity, properties=request.properties)

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _Reported(context):
            resource, given = _resource(request.urn), _plain(request.inputs)
            known = _plain(request.properties) | {k: given[k] for k in resource.noted if k in given}
            found = resource.read(request.id, known)
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(id=request.id, properties=_struct(found), inputs=request.inputs)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        resource = _resource(request.urn)
        with _Reported(context, request if resource.halfway else None):
            resource.update(request.id, _plain(request.news), _plain(request.olds))
            return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        with _Reported(context):
            resource, props = _resource(request.urn), _plain(request.properties)
            if not STOP.went(props):
                resource.delete(request.id, props)
            return empty_pb2.Empty()

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        # the program's `start`, which is done by having been asked
        return provider_pb2.InvokeResponse()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        # what is under way is short, and half done it would only have to be put right
        return empty_pb2.Empty()


class _Reported:
    """Turns a failure into the one line that Pulumi shows; a defect of ours keeps its traceback."""

    def __init__(self, context: grpc.ServicerContext, update: Any = None) -> None:
        """`update`: the request for one that may leave the resource halfway."""
        self.context, self.update = context, update

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            error = Failure(
                f"{tempfile.gettempdir()} on this computer is full: free some, or set TMPDIR to another folder"
            )
        if isinstance(error, Failure | EngineError):
            if self.update:
                self.context.set_trailing_metadata((("grpc-status-details-bin", _halfway(self.update, str(error))),))
            self.context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _halfway(update: Any, reason: str) -> bytes:
    """The detail of a status by which Pulumi updates the resource once more, also where the settings are put back."""
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason)
    # what it was: with its new properties it would pass for what it has not become
    status.details.add().Pack(
        provider_pb2.ErrorResourceInitFailed(id=update.id, properties=update.olds, reasons=[reason])
    )
    return status.SerializeToString()


def _resource(urn: str) -> EngineResource:
    kind = urn.split("::")[2].split("$")[-1]
    if kind not in RESOURCES:
        raise Failure(
            f"a newer checkout made this resource, of a type that this one does not know ({kind}): "
            "go on with that checkout, or destroy the stack there"
        )
    return RESOURCES[kind]


def _plain(struct: Any) -> Props:
    return dict(json_format.MessageToDict(struct))


def _struct(props: Props) -> Any:
    return json_format.ParseDict(props, struct_pb2.Struct())


def serve() -> None:
    """Serves until Pulumi ends us or is gone itself."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    print(port, flush=True)
    server.wait_for_termination()


def _end_with_parent(parent: int) -> None:
    """A Pulumi that was killed can't end us, and nobody would hear of what we still did."""
    try:
        select.select([os.pidfd_open(parent)], [], [])
    except OSError:
        return
    os._exit(1)
