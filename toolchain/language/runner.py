"""Run one Pulumi program.

Started by the language host as ``python -u -c <this file> ENGINE_ADDRESS``: the RunRequest comes
on stdin, the RunResponse goes to file descriptor 3. An error is reported to the engine here, so the
response only says that there was one (``bail``); without a response the host reports the exit
status.
"""

import asyncio
import atexit
import collections
import gc
import importlib.machinery
import importlib.util
import logging
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi.runtime.proto.engine_pb2 import LogRequest

RESPONSE_FD = 3


def run_main(path: str) -> None:
    """Run the file as ``__main__``, as Python itself would.

    Args:
        path: Absolute path of the program's main file.
    """
    sys.path[0] = os.path.dirname(path)
    module = types.ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    with open(path, "rb") as source:
        code = compile(source.read(), path, "exec")
    exec(code, module.__dict__)  # noqa: S102 the program is what we are here to run


def describe(error: BaseException, path: str) -> str:
    """Describe an error with its traceback, from the program's main file on.

    Args:
        error: What the program raised.
        path: Absolute path of the program's main file.

    Returns:
        Several lines of text.
    """
    start = error.__traceback__
    while start is not None and start.tb_frame.f_code.co_filename != path:
        start = start.tb_next
    if start is None and not isinstance(error, SyntaxError):
        start = error.__traceback__  # it came from elsewhere, such as a callback of the SDK's
    lines = traceback.format_exception(type(error), error, start)
    return "Program failed with an unhandled exception:\n" + "".join(lines)


def run(path: str, parallel: int) -> str | None:
    """Run the program inside a new stack, until the engine has all its resources.

    Args:
        path: Absolute path of the program's main file.
        parallel: How many resource operations the engine runs at a time.

    Returns:
        What went wrong, for the user to read; None if nothing did.
    """
    import pulumi

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # A call to the engine occupies a thread until it is answered.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(parallel, 1) * 4))
    try:
        if not os.path.isfile(path):
            return f"No Python program at {path}"
        loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: run_main(path)))
    except pulumi.RunError as error:
        return str(error)
    except SystemExit as stop:
        return f"Program exited with {stop.code!r}" if stop.code else None
    except BaseException as error:
        return describe(error, path)
    return None


class LazyFinder(importlib.machinery.PathFinder):
    """Finds parts of the SDK that few programs use; they are loaded on their first use (0.03 s)."""

    PARTS = frozenset({"grpc.aio", "pulumi.automation", "pulumi.dynamic"})

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Give the module's spec with a loader that waits, or None."""
        spec = super().find_spec(fullname, path, target) if fullname in cls.PARTS else None
        if spec and spec.loader:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


class Log:
    """Sends what the SDK logs; of debug messages, those of a moment in one call.

    The SDK sends five for each resource, and would wait each time for an answer that says nothing:
    0.06 s of a stack of fifty resources.
    """

    MOMENT = 0.1  # seconds

    def __init__(self, address: str) -> None:
        """Connect.

        Args:
            address: Where the engine serves.
        """
        import grpc
        from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

        unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address, options=unlimited))
        self._send = self.engine.Log
        self.engine.Log = self._write  # type: ignore[assignment]
        self._debug = engine_pb2.DEBUG
        self._waiting: collections.deque[LogRequest] = collections.deque()
        self._came = threading.Event()
        self._order = threading.Lock()
        threading.Thread(target=self._work, daemon=True).start()

    def _write(self, message: "LogRequest") -> None:
        if message.severity == self._debug:
            self._waiting.append(message)
            self._came.set()
        else:
            self.flush()
            self._send(message)

    def flush(self) -> None:
        """Send what waits."""
        with self._order:
            while self._waiting:
                message = self._waiting.popleft()
                lines = [message.message]
                while self._waiting and self._waiting[0].urn == message.urn:
                    lines.append(self._waiting.popleft().message)
                message.message = "\n".join(lines)
                self._send(message)

    def _work(self) -> None:
        while self._came.wait():
            time.sleep(self.MOMENT)
            self._came.clear()
            self.flush()


def main() -> None:
    """Run the program that the request on stdin names, and respond."""
    gc.disable()  # nothing that is loaded here becomes garbage
    sys.meta_path.insert(0, LazyFinder)
    try:
        import pulumi
        from pulumi.runtime.proto import language_pb2
    except ImportError as error:
        sys.exit(f"{sys.executable} cannot import Pulumi's SDK ({error}); run `pulumi install`")
    gc.freeze()
    gc.set_threshold(50_000)  # most of what a program makes lasts as long as the program
    gc.enable()
    # The host ends this process with SIGTERM; a SIGINT to the group must not add a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.set_inheritable(RESPONSE_FD, False)
    # A failed program leaves futures behind that nobody awaits, which is no news to its author.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    log = Log(sys.argv[1])
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    path = os.path.normpath(os.path.join(request.info.program_directory, request.info.entry_point))
    if os.path.isdir(path):
        path = os.path.join(path, "__main__.py")
    sys.argv = [path, *request.args]
    os.chdir(request.pwd)
    pulumi.runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            project=request.project,
            stack=request.stack,
            monitor=request.monitor_address,
            engine=log.engine,
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization,
            root_directory=request.info.root_directory,
        )
    )
    failure = run(path, request.parallel)
    if failure:
        pulumi.log.error(failure)
    log.flush()
    os.write(RESPONSE_FD, language_pb2.RunResponse(bail=bool(failure)).SerializeToString())
    # End as Python would, but without unloading a thousand modules: that takes 20 ms.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


main()
