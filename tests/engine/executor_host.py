"""A language host that starts Pulumi's own executor, as Pulumi's own host does: executor_host.py EXECUTOR … ENGINE."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

# what the executor ends with once it has told the user what is wrong
TOLD = 32


class ExecutorHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers what the CLI asks on the way to a program's run."""

    def __init__(self, executor: str, engine: str) -> None:
        self._executor = executor
        self._engine = engine

    def Handshake(self, request: Any, context: Any) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def Run(self, request: Any, context: Any) -> Any:
        root, options = request.info.root_directory, request.info.options
        given = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "root_directory": root,
            "pwd": request.pwd,
            "dry_run": str(request.dryRun).lower(),
            "parallel": str(request.parallel),
        }
        python = os.path.join(root, _virtualenv(options), "bin/python")
        arguments = [text for name, value in given.items() for text in (f"--{name}", value)]
        config = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [python, "-u", self._executor, *arguments, request.info.entry_point]
        code = subprocess.run(command, cwd=request.pwd, env=os.environ | config, check=False).returncode
        return language_pb2.RunResponse(error="" if code in (0, TOLD) else f"exit status {code}", bail=code == TOLD)


def _virtualenv(options: Struct) -> str:
    return str(options["virtualenv"])


def main() -> None:
    server = grpc.server(ThreadPoolExecutor())
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(ExecutorHost(sys.argv[1], sys.argv[-1]), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
