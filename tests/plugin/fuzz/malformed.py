"""Requests that are no requests, or strange ones: what is sent, and the statuses that may come back."""

from dataclasses import dataclass

LIST = "/VolumeDriver.List"
_OK = b"POST /VolumeDriver.List HTTP/1.1\r\nHost: p\r\n"
_CLOSE = b"Connection: close\r\n"
# A Create that must never happen, since its message is broken somewhere.
_BODY = b'{"Name":"never","Opts":{"share":"never"}}'
_CREATE = b"POST /VolumeDriver.Create HTTP/1.1\r\nHost: p\r\n" + _CLOSE


@dataclass(frozen=True)
class Message:
    """Bytes for a connection. `statuses`: what each answer may be; no answer at all if `silent`."""

    name: str
    data: bytes
    statuses: tuple[int, ...] = (400,)
    half_close: bool = False
    silent: bool = False
    heads: bool = False
    count: int = 1


def _chunks(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n"


def _ask(line: bytes) -> bytes:
    return line + b" HTTP/1.1\r\nHost: p\r\n" + _CLOSE + b"\r\n"


_LARGE = (200, 400, 404, 414, 431)
_CHUNKED = _CREATE + b"Transfer-Encoding: chunked\r\n\r\n"

MESSAGES = [
    Message("zeros", b"\0" * 64 + b"\r\n\r\n"),
    Message("binary", bytes(range(256)) * 8 + b"\r\n\r\n"),
    Message("tls hello", bytes.fromhex("16030100c8010000c40303") + b"\0" * 64 + b"\r\n\r\n"),
    Message("http/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (404, 400), count=2),
    Message("no version", b"GET /\r\n\r\n"),
    Message("version 9", b"POST / HTTP/9\r\n\r\n"),
    Message("no path", b"POST HTTP/1.1\r\n\r\n"),
    Message("spaces in the path", b"POST /Volume Driver.List HTTP/1.1\r\nHost: p\r\n\r\n"),
    Message("two hosts", _OK + b"Host: q\r\n\r\n"),
    Message("no host", b"POST /VolumeDriver.List HTTP/1.1\r\n\r\n"),
    Message("a header without a colon", _OK + b"Oops\r\n\r\n"),
    Message("a space before the colon", _OK + b"Content-Length : 0\r\n\r\n"),
    Message("a folded header", _OK + _CLOSE + b"X: a\r\n b\r\n\r\n", (200, 400)),
    Message("a nul in a header", _OK + b"X: a\0b\r\n\r\n"),
    Message("length x", _OK + b"Content-Length: x\r\n\r\n"),
    Message("length -1", _OK + b"Content-Length: -1\r\n\r\n"),
    Message("two lengths", _CREATE + b"Content-Length: 1\r\nContent-Length: 41\r\n\r\n" + _BODY),
    Message("a length of 20 digits", _CREATE + b"Content-Length: " + b"9" * 20 + b"\r\n\r\n", (), True, silent=True),
    Message("no length", _CREATE + b"\r\n" + _BODY, (), silent=True),
    Message("length 0", _CREATE + b"Content-Length: 0\r\n\r\n", (), silent=True),
    Message("length and chunks", _CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n", (400,), silent=True),
    Message("chunks of chunks", _CREATE + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + _chunks(_BODY), (400, 501)),
    Message("an unknown coding", _CREATE + b"Transfer-Encoding: gzip\r\n\r\n" + _BODY, (400, 501)),
    Message("a chunk of size z", _CHUNKED + b"z\r\n" + _BODY, (), silent=True),
    Message("a chunk too short", _CHUNKED + b"2\r\n" + _BODY + b"\r\n0\r\n\r\n", (400, 500), silent=True),
    Message("a chunk that never ends", _CHUNKED + b"ff\r\n" + _BODY, (), half_close=True, silent=True),
    Message("an odd chunk header", _CHUNKED + b"f" * 70000, (), half_close=True, silent=True),
    Message("chunks of no JSON", _CHUNKED + _chunks(b'{"Name":', b"oops", b"}"), (400,)),
    Message("a truncated body", _CREATE + b"Content-Length: 100\r\n\r\n" + _BODY, (), half_close=True, silent=True),
    Message("half a head", _CREATE[:-9], (), half_close=True, silent=True),
    Message("nothing", b"", (), half_close=True, silent=True),
    Message("line ends", b"\r\n" * 50, (400,), half_close=True, silent=True),
    Message("a head of 200 KiB", _OK + _CLOSE + b"X: " + b"x" * 200_000 + b"\r\n\r\n", _LARGE),
    Message("5000 headers", _OK + _CLOSE + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n", _LARGE),
    Message("a path of 200 KiB", b"POST /" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: p\r\n" + _CLOSE + b"\r\n", _LARGE),
    Message("a path of 30 KiB", b"POST /" + b"x" * 30_000 + b" HTTP/1.1\r\nHost: p\r\n" + _CLOSE + b"\r\n", (404,)),
    Message("a path with an escaped line end", _ask(b"POST /a%0d%0ab%00"), (404,)),
    Message("a path that is no UTF-8", _ask(b"POST /%ff%c0%af"), (404,)),
    Message("a path with dots", _ask(b"POST /../VolumeDriver.List"), (200, 404)),
    Message("a path with a slash behind", _ask(b"POST /VolumeDriver.List/"), (404,)),
    Message("a path with two slashes", _ask(b"POST //VolumeDriver.List"), (404,)),
    Message("a path in other case", _ask(b"POST /volumedriver.list"), (404,)),
    Message("a whole URL", _ask(b"POST http://q/VolumeDriver.List"), (200, 404)),
    Message("a star", _ask(b"OPTIONS *"), (404, 405)),
    Message("GET", _ask(b"GET /VolumeDriver.List"), (405,)),
    Message("HEAD", _ask(b"HEAD /VolumeDriver.List"), (405,), heads=True),
    Message("a method of one's own", _ask(b"BREW /VolumeDriver.List"), (405,)),
    Message("CONNECT", _ask(b"CONNECT x:1"), (400, 404, 405)),
    Message("an upgrade", _OK + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n", (200,)),
    Message("HTTP/1.0", b"POST /VolumeDriver.List HTTP/1.0\r\n\r\n", (200,)),
    Message("expect", _OK + _CLOSE + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", (200,)),
    Message("chunks", _OK + _CLOSE + b"Transfer-Encoding: chunked\r\n\r\n" + _chunks(*[b" "] * 500, b"{}"), (200,)),
    Message("a body of 1 MiB and more", _CREATE + b"Content-Length: 1100000\r\n\r\n" + b" " * 1_100_000, (400,)),
    Message("a JSON of 90000 levels", _CREATE + b"Content-Length: 90000\r\n\r\n" + b"[" * 90_000, (400,)),
    Message("a pipeline", (_OK + b"\r\n") * 19 + _OK + _CLOSE + b"\r\n", (200,), count=20),
    Message("a pipeline that turns bad", (_OK + b"\r\n") * 3 + b"\0\r\n\r\n", (200, 400), count=4),
]  # fmt: skip
