"""The stand-in in a process of its own, for commands typed by hand."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.azure.samples import payload

GROUP = "azure-native:resources:ResourceGroup"


def test_it_says_how_to_use_it_and_keeps_the_cloud_in_its_file(tmp_path: Path) -> None:
    state = tmp_path / "cloud.json"
    command = [sys.executable, "-m", "tests.azure", str(state), "--port", "0", "--fault", "taken_names=a,b"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout
            line = served.stdout.readline()
            assert line.startswith("PULUMI_DEBUG_PROVIDERS=azure-native:")
            assert line.endswith(" ./pulumiw up --stack staging\n")
            port = line.split(":")[1].split()[0]
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                stub = provider_pb2_grpc.ResourceProviderStub(channel)
                properties = json_format.ParseDict(payload("resources:ResourceGroup"), struct_pb2.Struct())
                urn = f"urn:pulumi:test::test::{GROUP}::group"
                made = stub.Create(provider_pb2.CreateRequest(urn=urn, properties=properties), timeout=30)
                assert made.id.endswith("/resourceGroups/demo")
        finally:
            served.send_signal(signal.SIGTERM)
        assert served.wait(timeout=30) == 0
    assert [resource["token"] for resource in json.loads(state.read_text())] == [GROUP]
