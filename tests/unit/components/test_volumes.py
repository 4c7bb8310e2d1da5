"""Plugin, shares and volumes: options, retention, labels, and what replaces what."""

from __future__ import annotations

import json
import re

from tests.unit.conftest import Build, Options, Recorder
from tests.unit.parts import LABELS, host, plugin, volume

VOLUME = "docker:index/volume:Volume"
PLUGIN = "datadocker-engine:index:EnginePlugin"
FOLDER = "datadocker-engine:index:ShareFolder"


def test_a_volume_maps_a_share(build: Build, recorder: Recorder) -> None:
    out = build(lambda: {"name": volume("logs")[1].volume})
    made = recorder.one(VOLUME, "logs-volume")
    assert out["name"] == "logs"
    assert made["name"] == "logs"
    assert made["driver"] == "azurefile:latest"
    assert made["driverOpts"] == {"protocol": "local", "share": "logs"}
    assert {label["label"]: label["value"] for label in made["labels"]} == LABELS


def test_a_volume_of_a_folder_that_is_exclusive_says_so(build: Build, recorder: Recorder) -> None:
    build(lambda: volume("dbs", exclusive=True, folder="one", options={"uid": "999"}) and None)
    assert recorder.one(VOLUME, "dbs-volume")["driverOpts"] == {
        "protocol": "local",
        "share": "dbs",
        "folder": "one",
        "exclusive": "true",
        "uid": "999",
    }


def test_a_volumes_name_is_free_before_another_one_gets_it(build: Build, options: Options) -> None:
    build(lambda: volume("logs") and None)
    assert options[VOLUME, "logs-volume"].delete_before_replace is True


def test_shares_say_whether_their_data_stays(build: Build, recorder: Recorder, options: Options) -> None:
    def program() -> None:
        volume("kept")
        volume("gone", retain=False)

    build(program)
    assert recorder.one(FOLDER, "kept-share-folder")["retain"] is True
    assert recorder.one(FOLDER, "gone-share-folder")["retain"] is False
    # nor is what destroys it asked to delete what stays
    assert options[FOLDER, "kept-share-folder"].retain_on_delete is True
    assert options[FOLDER, "gone-share-folder"].retain_on_delete is False


def test_the_plugin_is_described_by_the_hash_of_its_sources(build: Build, recorder: Recorder) -> None:
    build(lambda: plugin(host()) and None)
    made = recorder.one(PLUGIN, "azurefile-plugin")
    config = json.loads(made["config"])
    assert "@HASH@" not in config["description"]
    assert re.search("datadocker/azurefile:[0-9]+[.][0-9a-f]{16}$", config["description"])
    assert made["driver"] == "azurefile"
    assert made["defaults"] == "protocol=local"
    assert made["socket"] == "/var/run/docker.sock"
    assert made["engine"]["url"] == "ssh://ops@box.example:2222"


def test_the_plugin_is_built_on_the_engine_that_the_host_is(build: Build, recorder: Recorder) -> None:
    build(lambda: plugin(host()) and None)
    (image,) = recorder.all("docker:index/remoteImage:RemoteImage").values()
    assert image["build"]["useLegacyBuilder"] is True
    assert image["build"]["buildArgs"] == {"BASE": "datadocker/base:1"}
    assert image["name"].startswith("datadocker/azurefile:")
    # its tag is the stack's alone, and what a failed build leaves is nobody's
    assert image["forceRemove"] is True
    assert (image["build"]["remove"], image["build"]["forceRemove"]) == (True, True)
