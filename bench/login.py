"""A login to MySQL over TCP, as a client does it: TLS, then caching_sha2_password.

dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import struct
import time

from bench.machine import BenchError

POLL_SECONDS = 0.01
# LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x200 | 0x800 | 0x8000 | 0x80000
UTF8MB4 = 45


def accepts(port: int, password: str, user: str = "root") -> bool:
    """Whether `user` can log in on 127.0.0.1 at this moment."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as plain:
            return _log_in(plain, user, password)
    except OSError:
        return False


def wait_until_accepted(port: int, password: str, seconds: float) -> None:
    """Tries every 10 ms until root can log in.

    Raises:
        BenchError: if that is not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not accepts(port, password):
        if time.monotonic() > deadline:
            raise BenchError(f"no login on port {port} within {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def _log_in(plain: socket.socket, user: str, password: str) -> bool:
    _, greeting = _receive(plain)
    if greeting[:1] != b"\x0a":
        return False
    head = struct.pack("<IIB23x", CAPABILITIES, 1 << 24, UTF8MB4)
    _send(plain, 1, head)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # the server made its certificate itself, and it is on this machine
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(plain) as secured:
        answer = _scramble(password, _nonce(greeting))
        _send(secured, 2, head + user.encode() + b"\0" + bytes([len(answer)]) + answer + b"caching_sha2_password\0")
        while True:
            number, answer = _receive(secured)
            if answer[:1] == b"\x00":
                return True
            if answer[:1] == b"\xff":
                return False
            if answer == b"\x01\x04":
                # the server has not seen this password before and wants all of it, which TLS protects
                _send(secured, number + 1, password.encode() + b"\0")


def _nonce(greeting: bytes) -> bytes:
    after_version = greeting.index(b"\0", 1) + 1
    first = after_version + 4
    second = first + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
    return greeting[first : first + 8] + greeting[second : second + 12]


def _scramble(password: str, nonce: bytes) -> bytes:
    once = hashlib.sha256(password.encode()).digest()
    mask = hashlib.sha256(hashlib.sha256(once).digest() + nonce).digest()
    return bytes(a ^ b for a, b in zip(once, mask, strict=True))


def _send(connection: socket.socket, number: int, payload: bytes) -> None:
    connection.sendall(struct.pack("<I", len(payload))[:3] + bytes([number % 256]) + payload)


def _receive(connection: socket.socket) -> tuple[int, bytes]:
    head = _exactly(connection, 4)
    return head[3], _exactly(connection, int.from_bytes(head[:3], "little"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionResetError
        data += part
    return data
