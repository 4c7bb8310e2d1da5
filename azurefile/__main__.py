"""`python3 -m azurefile [serve | prepare | install NAME | remove-share NAME | create-share …]`."""

import argparse
import fcntl
import http.client
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from azurefile import logs
from azurefile.errors import PluginError, ShareSilent
from azurefile.supervisor import AWAITED, ENDING, begin_worker

log = logging.getLogger("azurefile")

_REMOVED_SECONDS = 1.0
# A claim waits for it within the two minutes that the engine gives a Mount; a holder needs half of it to stop.
_TAKEOVER = (20, 90)
# Without a dot, which ends it in the name of an owner record.
_STATE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OTHER_FOLDERS = ("credentials", "fence", "shares")


def main() -> int:
    """Parse the command line, each setting of which is also an environment variable."""
    parser = argparse.ArgumentParser(prog="azurefile", description=__doc__)
    settings = {
        "root": ("/var/lib/datadocker", "what outlives the plugin: shares, state, fence"),
        "socket": ("/run/docker/plugins/azurefile.sock", "where the engine calls"),
        "mounts": ("/mnt/volumes", "where volumes are mounted, and propagated from"),
        "engine": ("/run/engine/docker.sock", "the engine's own socket"),
        "state": ("azurefile", "the folder of ROOT with this plugin's volumes"),
        "defaults": ("", "options of volumes that name no protocol: name=value,..."),
        "takeover-seconds": ("60", "without a renewal, after which another host may take a folder over"),
        "log-level": ("info", "debug, info, warning or error"),
    }
    for name, (default, text) in settings.items():
        value = os.environ.get(name.replace("-", "_").upper()) or default
        parser.add_argument(f"--{name}", default=value, help=f"{text} [{value}]")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="answer the engine (the default)")
    commands.add_parser("prepare", help="make the folders on the host")
    made = commands.add_parser("install", help="make a plugin of this container's files; its config.json is CONFIG")
    made.add_argument("name")
    commands.add_parser("remove-share", help="delete a local share's data").add_argument("share")
    create = commands.add_parser("create-share", help="make a share in a storage account, whose key is read from stdin")
    create.add_argument("endpoint")
    create.add_argument("account")
    create.add_argument("share")
    create.add_argument("--quota", type=int, help="GiB")
    arguments = parser.parse_args()
    logs.configure(arguments.log_level)
    try:
        _check_state(arguments.state)
        if arguments.command == "prepare":
            _prepare(arguments)
        elif arguments.command == "install":
            from azurefile.install import install

            _prepare(arguments)
            if "CONFIG" not in os.environ:
                raise PluginError("install: the variable CONFIG is not set: it is the plugin's config.json")
            install(arguments.engine, arguments.name, os.environ["CONFIG"])
        elif arguments.command == "remove-share":
            from azurefile.shares import remove_share

            name = f'share "{arguments.share}"'
            removed = remove_share(Path(arguments.root), arguments.share)
            print(
                f"{name} is deleted"
                if removed
                else f"there is no local {name} in the plugin's root: nothing was deleted"
            )
        elif arguments.command == "create-share":
            from azurefile.createshare import create_share

            create_share(
                arguments.endpoint, arguments.account, arguments.share, arguments.quota, sys.stdin.read().strip()
            )
        else:
            _serve(arguments)
    except (PluginError, OSError) as error:
        print(f"azurefile: {error}", file=sys.stderr)
        return os.EX_TEMPFAIL if isinstance(error, ShareSilent) else 1
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    root, takeover = Path(arguments.root), _takeover(arguments.takeover_seconds)
    threading.Thread(target=_end_when_removed, name="removed", daemon=True).start()
    lock = _only_one(root / arguments.state)
    # The engine tries to connect 0.5 s after the start and then three times more, every 3 s. So the socket
    # listens before anything slow is imported; what arrives waits until the state is restored.
    listener = _listen(Path(arguments.socket))

    import asyncio

    from azurefile.driver import Driver
    from azurefile.rootfolder import prepare
    from azurefile.server import application
    from azurefile.serving import Server
    from azurefile.settings import Settings
    from azurefile.sight import Sight
    from azurefile.smallpages import keep_small_pages

    keep_small_pages()
    worker = begin_worker()
    prepare(root, arguments.state)
    _check_defaults(arguments.defaults)
    driver = Driver(
        Settings(
            root=root,
            mounts=Path(arguments.mounts),
            engine=arguments.engine,
            state=arguments.state,
            host=socket.gethostname(),
            takeover=takeover,
            defaults=arguments.defaults,
        )
    )
    driver.restore()
    # Of a later worker the first who connects may have asked something already.
    sight = Sight(Path(arguments.mounts), root / arguments.state / "unseen").connected if worker.first else _nothing
    server = Server(application(driver), sight, worker.ends)

    # uvicorn stops accepting, answers what it has, and then raises the signal again. State is on
    # disk and mounts stay for running containers, so no thread that waits for a share is awaited.
    for number in ENDING:
        signal.signal(number, lambda *_: os._exit(0))

    worker.serves()

    async def run() -> None:
        background = asyncio.create_task(driver.run())
        await server.serve(sockets=[listener])
        background.cancel()

    asyncio.run(run())
    lock.close()


def _nothing(_: int) -> None:
    pass


def _prepare(arguments: argparse.Namespace) -> None:
    from azurefile.rootfolder import prepare

    if "ENGINE" in os.environ:
        _check_engine(arguments.engine)
    prepare(Path(arguments.root), arguments.state)


def _check_engine(path: str) -> None:
    from azurefile.engine import Engine

    try:
        Engine(path).containers()
    except OSError as error:
        raise PluginError(
            f"the engine's own machine has nothing that answers where its socket is here ({error.strerror or error}), "
            "as with Colima and Lima: link the socket to /var/run/docker.sock here, and unset DOCKER_HOST. On Linux, "
            "where that is a link itself: name what it leads to by datadocker:host.socket, or over ssh have the engine "
            "listen there itself"
        ) from error
    except (http.client.HTTPException, LookupError, ValueError):
        # It answers. What it refuses the plugin's log says.
        return


def _check_defaults(text: str) -> None:
    """Tell at the start what each Create will refuse: volumes that exist need no defaults, and are served."""
    from azurefile.options import parse_defaults

    try:
        parse_defaults(text)
    except PluginError as error:
        log.error("no volume can be created", extra={"error": error})


def _check_state(name: str) -> None:
    if not _STATE.fullmatch(name) or name in _OTHER_FOLDERS:
        raise PluginError(
            f'the plugin\'s setting STATE is "{name}"; it must be 1 to 64 letters, digits, "-" or "_", '
            f"and none of the root's other folders: {', '.join(_OTHER_FOLDERS)}"
        )


def _takeover(text: str) -> float:
    # The digits of other scripts, and more than Python turns into a number, are no number of seconds.
    if not re.fullmatch("[0-9]{1,9}", text) or not _TAKEOVER[0] <= int(text) <= _TAKEOVER[1]:
        raise PluginError(
            f'the plugin\'s setting TAKEOVER_SECONDS is "{text[:64]}"; it must be a whole number from '
            f"{_TAKEOVER[0]} to {_TAKEOVER[1]}"
        )
    return float(text)


def _end_when_removed() -> None:
    """End once the program's own files are gone.

    An engine that is told to remove a plugin while it enables it loses the process, which would keep
    the next one from its folders for ever.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED)
    while os.path.exists(__file__):
        time.sleep(_REMOVED_SECONDS)
    log.warning("the plugin was removed from the engine: its process ends")
    os._exit(0)


def _only_one(state: Path) -> TextIO:
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = (state / "plugin.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The engine may give this one up meanwhile, and its own words name no reason.
        log.warning("another plugin runs with this STATE: its end is waited for", extra={"state": state.name})
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(old)
    listener.listen(1024)
    return listener


if __name__ == "__main__":
    sys.exit(main())
