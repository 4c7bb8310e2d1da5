"""QEMU's gdbstub: the one way to write into a stopped machine's memory (gdb's Remote Serial Protocol)."""

import socket
from pathlib import Path

from tests.machines.qmp import Qmp, QmpError


def write_memory(qmp: Qmp, folder: Path, address: int, content: bytes) -> None:
    """Writes `content` at a physical address of a stopped machine, and lets the machine run.

    Raises:
        QmpError: if QEMU refuses.
    """
    path = folder / "gdb"
    qmp.monitor(f"gdbserver unix:{path},server=on,wait=off")
    try:
        with socket.socket(socket.AF_UNIX) as stub:
            stub.settimeout(20)
            stub.connect(str(path))
            for packet in ("Qqemu.PhyMemMode:1", f"M{address:x},{len(content):x}:{content.hex()}"):
                if (answer := _exchange(stub, packet)) != b"OK":
                    raise QmpError(f"gdbstub: {packet} → {answer!r}")
            _exchange(stub, "D")
    finally:
        qmp.monitor("gdbserver none")
        path.unlink(missing_ok=True)


def _exchange(stub: socket.socket, packet: str) -> bytes:
    """Sends one packet and returns the answer's content, without its acknowledgements."""
    stub.sendall(f"${packet}#{sum(packet.encode()) & 0xFF:02x}".encode())
    received = b""
    while b"#" not in received or len(received) < received.index(b"#") + 3:
        part = stub.recv(4096)
        if not part:
            raise QmpError(f"gdbstub hung up on {packet}")
        received += part
    stub.sendall(b"+")
    return received[received.index(b"$") + 1 : received.index(b"#")]
