"""Makes a managed plugin of the files of the container that this runs in.

So nothing of it has to leave the host, where it would be packed and sent back. The engine takes an archive of
config.json and the root filesystem under rootfs/ (docs.docker.com/engine/extend, "docker plugin create").
"""

import contextlib
import http.client
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from azurefile.engine import UnixConnection
from azurefile.errors import PluginError

_SECONDS = 600
_BLOCK = 1 << 20
# names and hard links are below rootfs/, what symbolic links say stays
_PACK = ("tar", "--create", "--numeric-owner", "--transform=flags=rh;s,^\\.,rootfs,")
# what is mounted is not of the image
_ROOT = ("--one-file-system", "--directory=/", "./")
_MEMORY = "/dev/shm"  # noqa: S108 - a filesystem of its own, which is not packed


def install(engine: str, name: str, config: str) -> None:
    """Create the plugin `name` through the engine's socket `engine`; it is not enabled. `config`: its config.json.

    Raises PluginError if the engine refuses, or the files can't be read.
    """
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        Path(folder, "config.json").write_text(config)
        command = [*_PACK, f"--directory={folder}", "config.json", *_ROOT]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as packing,
            contextlib.closing(UnixConnection(engine, _SECONDS)) as connection,
        ):
            # it may refuse before it has read all of it
            with contextlib.suppress(BrokenPipeError):
                headers = {"Content-Type": "application/x-tar"}
                connection.request("POST", f"/plugins/create?name={quote(name)}", _blocks(packing), headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status >= http.client.BAD_REQUEST:
                packing.kill()
                raise PluginError(f"the Docker engine refused the plugin: {json.loads(said)['message']}")


def _blocks(packing: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    while packing.stdout and (block := packing.stdout.read(_BLOCK)):
        yield block
    if packing.wait():
        # before the request is complete, so that no half plugin is made
        raise PluginError(f"the plugin's files can't be packed: tar ended with {packing.returncode}")
