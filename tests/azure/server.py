"""Serves the stand-in over Pulumi's provider protocol (pulumi/proto, provider.proto)."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
import pulumi  # noqa: F401  the messages below are part of the SDK
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from tests.azure import diff
from tests.azure.cloud import Cloud
from tests.azure.errors import AzureError, NotLoggedIn
from tests.azure.kinds import KINDS, Kind
from tests.azure.provider import AlreadyExists, InitFailed, Props, Provider, RequestFailed
from tests.azure.values import plain

VERSION = "3.29.0"
THREADS = 64
AUTONAMING = provider_pb2.CheckRequest.AutonamingOptions
EXPECTED = (AzureError, AlreadyExists, NotLoggedIn, RequestFailed)


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translates between the protocol's messages and plain properties."""

    def __init__(self, cloud: Cloud) -> None:
        self.provider = Provider(cloud)

    def Handshake(self, request: Any, context: grpc.ServicerContext) -> Any:
        # azure-native does not shake hands: what it can do stands in the answer to Configure
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not implemented!")

    def Attach(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.GetSchemaResponse(schema=f'{{"name":"azure-native","version":"{VERSION}"}}')

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        _answer(context, lambda: self.provider.configure(dict(request.variables)))
        return provider_pb2.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    def Invoke(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = _answer(context, lambda: self.provider.invoke(request.tok, _props(request.args)))
        return provider_pb2.InvokeResponse(**{"return": _struct(found)})

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        options = request.autonaming if request.HasField("autonaming") else None
        proposed = options.proposed_name if options and options.mode != AUTONAMING.DISABLE else None
        inputs, failures = _answer(
            context,
            lambda: self.provider.check(
                _kind(request.urn),
                request.urn,
                _props(request.olds),
                _props(request.news),
                request.randomSeed,
                proposed,
            ),
        )
        return provider_pb2.CheckResponse(
            inputs=_struct(inputs),
            failures=[provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures],
        )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        old, new, state = _props(request.old_inputs), _props(request.news), _props(request.olds)
        if "azureApiVersion" in state:
            # what was imported has it in its state alone
            old.setdefault("azureApiVersion", state["azureApiVersion"])
        found = diff.detailed(_kind(request.urn), old, new)
        tops = [path.split(".")[0].split("[")[0] for path in found]
        replaces = sorted({top for top, how in zip(tops, found.values(), strict=True) if how.endswith("_REPLACE")})
        response = provider_pb2.DiffResponse
        return response(
            changes=response.DIFF_SOME if found else response.DIFF_NONE,
            replaces=replaces,
            diffs=sorted(set(tops)),
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(how))
                for path, how in found.items()
            },
            hasDetailedDiff=True,
            deleteBeforeReplace=bool(replaces) and not old.get(diff.CREATE_BEFORE_DELETE, False),
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind, inputs = _kind(request.urn), _props(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=_struct(self.provider.preview(kind, inputs)))
        resource_id, found = _answer(context, lambda: self.provider.create(kind, inputs), inputs)
        return provider_pb2.CreateResponse(id=resource_id, properties=_struct(found))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind, inputs = _kind(request.urn), _props(request.news)
        if request.preview:
            found = self.provider.preview(kind, inputs, _props(request.olds))
        else:
            found = _answer(context, lambda: self.provider.update(kind, inputs), inputs)
        return provider_pb2.UpdateResponse(properties=_struct(found))

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        found = _answer(
            context,
            lambda: self.provider.refresh(
                _kind(request.urn), request.id, _props(request.inputs), _props(request.properties)
            ),
        )
        if found is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=_struct(found[0]), inputs=_struct(found[1]))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        _answer(context, lambda: self.provider.delete(_kind(request.urn), request.id))
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()


def serve(cloud: Cloud, port: int = 0) -> tuple[grpc.Server, int]:
    """Serves a cloud on a port of the loopback, a free one if it is 0; returns the server and the port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=THREADS))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(cloud), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


def _answer(context: grpc.ServicerContext, call: Callable[[], Any], inputs: Props | None = None) -> Any:
    """Turns a refusal into the line that Pulumi shows; a defect of ours keeps its traceback."""
    try:
        return call()
    except EXPECTED as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))
    except InitFailed as failed:
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=failed.reason)
        status.details.add().Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=failed.id,
                properties=_struct(failed.outputs),
                reasons=[failed.reason],
                inputs=_struct(inputs or {}),
            )
        )
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, failed.reason)
    except Exception:
        context.abort(grpc.StatusCode.INTERNAL, traceback.format_exc())


def _kind(urn: str) -> Kind:
    token = urn.split("::")[2].split("$")[-1]
    if token not in KINDS:
        raise AssertionError(f"the stand-in for Azure has no {token}: add it to tests/azure/kinds.py")
    return KINDS[token]


def _props(struct: Any) -> Props:
    return dict(plain(json_format.MessageToDict(struct)))


def _struct(props: Props) -> Any:
    return json_format.ParseDict(props, struct_pb2.Struct())
