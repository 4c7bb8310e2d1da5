"""HTTP by hand over the plugin's socket: any bytes go out, and only well-formed answers may come back."""

import contextlib
import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEDIA_TYPE = "application/vnd.docker.plugins.v1.1+json"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]*")


@dataclass(frozen=True)
class Answer:
    """One HTTP response."""

    status: int
    content_type: str
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body, which must be one strict JSON object."""
        found = json.loads(self.body, object_pairs_hook=_object, parse_constant=_no_constant)
        assert isinstance(found, dict), self
        return found

    @property
    def error(self) -> str:
        """The one line that a refusal consists of."""
        answer = self.json
        assert answer.keys() == {"Err"}, answer
        text = answer["Err"]
        assert isinstance(text, str), answer
        assert text, "an error without words"
        assert len(text) < 2000, f"an error of {len(text)} characters"
        assert text.isprintable(), f"an error of more than one printable line: {text!r}"
        return text


def request(path: str, body: bytes = b"", method: str = "POST", **headers: str) -> bytes:
    """A well-formed request that asks for the connection to be closed."""
    lines = [f"{method} {path} HTTP/1.1", "Host: plugin", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def connect(path: Path, seconds: float = 30) -> socket.socket:
    """A connection that gives up after `seconds` without a byte."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    connection.connect(str(path))
    return connection


def exchange(path: Path, data: bytes, *, half_close: bool = False, heads: bool = False) -> list[Answer]:
    """Send bytes and read every answer; `half_close` ends the sending side, `heads`: answers have no bodies."""
    received = bytearray()
    with connect(path) as connection:
        # The plugin may have refused, and hung up, before it has all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    return parse(bytes(received), heads=heads)


def parse(data: bytes, *, heads: bool = False) -> list[Answer]:
    """Every response in a stream; fails on anything else."""
    answers = []
    while data:
        head, found, data = data.partition(b"\r\n\r\n")
        assert found, f"an answer without an end: {head[:200]!r}"
        status_line, *lines = head.split(b"\r\n")
        match = _STATUS_LINE.fullmatch(status_line)
        assert match, f"not a status line: {status_line[:200]!r}"
        headers = {k.lower(): v.strip() for k, _, v in (line.decode("ascii").partition(":") for line in lines)}
        if heads or match[1].startswith(b"1"):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, data = _unchunk(data)
        elif "content-length" in headers:
            length = int(headers["content-length"])
            body, data = data[:length], data[length:]
            assert len(body) == length, "a truncated answer"
        else:
            assert headers.get("connection") == "close", headers
            body, data = data, b""
        if not match[1].startswith(b"1"):
            answers.append(Answer(int(match[1]), headers.get("content-type", ""), body))
    return answers


def well_formed(answer: Answer, *, malformed: bool = False) -> None:
    """The protocol's shape: 200 or 500 as JSON, and 4xx for what is not one of its requests.

    What is not even HTTP may be refused in plain words.
    """
    if malformed and answer.status == 400 and answer.content_type.startswith("text/plain"):
        assert answer.body.decode("ascii").isprintable(), answer
        return
    assert answer.content_type == MEDIA_TYPE, answer
    assert answer.status in (200, 500) or (malformed and 400 <= answer.status < 500), answer
    if answer.status == 200:
        assert "Err" not in answer.json, answer
    else:
        assert answer.error


def _unchunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
        if not length:
            return body, data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({k for k, _ in pairs}) == len(pairs), f"a key twice: {pairs}"
    return dict(pairs)


def _no_constant(text: str) -> Any:
    raise AssertionError(f"{text} is not JSON")
