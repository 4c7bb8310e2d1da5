"""Making a share in a storage account, against a server that checks the request's signature as Azure does."""

import base64
import hashlib
import hmac
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from azurefile import createshare, options
from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareSilent

ACCOUNT = "ddtestaccount"
OTHER = "create=true makes shares in Azure alone: on a server of another kind make it there"
KEY = base64.b64encode(os.urandom(64)).decode()


class StorageAccount:
    """The one call of Azure's file service that is needed."""

    def __init__(self) -> None:
        self.shares: dict[str, str | None] = {"taken": None}
        self.answer = 0
        self.ahead = timedelta()
        self.deleting: set[str] = set()
        account = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                account.put(self)

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def put(self, request: BaseHTTPRequestHandler) -> None:
        share = urlsplit(request.path).path.strip("/")
        date = parsedate_to_datetime(request.headers["x-ms-date"])
        if abs(datetime.now(UTC) + self.ahead - date) > timedelta(minutes=15):
            self._reply(request, 403, "AuthenticationFailed", f"Request date header too old: '{date}'")
        elif request.headers["Authorization"] != f"SharedKey {ACCOUNT}:{_signature(request)}":
            self._reply(request, 403, "AuthenticationFailed")
        elif self.answer:
            self._reply(request, self.answer, "OperationNotAllowed")
        elif share in self.deleting:
            self._reply(request, 409, "ShareBeingDeleted")
        elif share in self.shares:
            self._reply(request, 409, "ShareAlreadyExists")
        else:
            self.shares[share] = request.headers["x-ms-share-quota"]
            self._reply(request, 201, "")

    @staticmethod
    def _reply(request: BaseHTTPRequestHandler, status: int, code: str, detail: str = "") -> None:
        words = f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>"
        body = f"<Error><Code>{code}</Code><Message>Server failed to authenticate.</Message>{words}</Error>"
        request.send_response(status)
        if code:
            request.send_header("x-ms-error-code", code)
        request.send_header("Content-Type", "application/xml")
        request.send_header("Content-Length", str(len(body) if detail else 0))
        request.end_headers()
        if detail:
            request.wfile.write(body.encode())


def _signature(request: BaseHTTPRequestHandler) -> str:
    """Shared Key for the file service, as its documentation has it."""
    url = urlsplit(request.path)
    headers = request.headers
    length = headers.get("Content-Length", "")
    standard = [
        headers.get("Content-Encoding", ""), headers.get("Content-Language", ""), "" if length == "0" else length,
        headers.get("Content-MD5", ""), headers.get("Content-Type", ""), "", "", "", "", "", "",
    ]  # fmt: skip
    own = sorted((k.lower(), v) for k, v in headers.items() if k.lower().startswith("x-ms-"))
    query = sorted((k.lower(), v) for k, v in parse_qsl(url.query))
    text = "\n".join([
        "PUT", *standard, *(f"{k}:{v}" for k, v in own), f"/{ACCOUNT}{url.path}", *(f"{k}:{v}" for k, v in query)
    ])  # fmt: skip
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


@pytest.fixture
def azure() -> Iterator[StorageAccount]:
    account = StorageAccount()
    yield account
    account.server.shutdown()
    account.server.server_close()


def parsed(share: str, **given: str) -> options.Options:
    return options.parse("volume", {"protocol": "smb", "share": share, "create": "true", **given}, {})


def create(azure: StorageAccount, share: str, key: str = KEY, **given: str) -> None:
    createshare.in_a_process(azure.endpoint, parsed(share, **given), Credentials(ACCOUNT, "unused", key))


def test_a_share_is_made_with_its_quota(azure: StorageAccount) -> None:
    create(azure, "new", quota="100")
    create(azure, "plain")
    assert azure.shares == {"taken": None, "new": "100", "plain": None}


def test_one_that_exists_by_now_is_fine(azure: StorageAccount) -> None:
    create(azure, "taken")


def test_one_that_is_being_deleted_is_no_share_yet(azure: StorageAccount) -> None:
    azure.deleting.add("gone")
    with pytest.raises(
        ShareSilent, match=r'share "gone" can\'t be made .* is being deleted there; try again in a minute'
    ):
        create(azure, "gone")
    azure.deleting.clear()
    create(azure, "gone")
    assert "gone" in azure.shares


def test_a_wrong_key_is_told_and_not_shown(azure: StorageAccount) -> None:
    wrong = base64.b64encode(b"canary" * 8).decode()
    with pytest.raises(ShareError, match=r'share "new" can\'t be made .* refuses the key') as caught:
        create(azure, "new", wrong)
    assert wrong not in str(caught.value)


def test_a_clock_that_is_off_is_no_wrong_key(azure: StorageAccount) -> None:
    azure.ahead = timedelta(hours=1)
    with pytest.raises(ShareError, match=r'share "new" can\'t be made .*: this host\'s clock is off, set it'):
        create(azure, "new")


def test_a_key_that_is_none_is_told_and_not_shown(azure: StorageAccount) -> None:
    with pytest.raises(ShareError, match=rf"key.*; {OTHER}$") as caught:
        create(azure, "new", "canary")
    assert "canary" not in str(caught.value)


def test_other_refusals_are_one_line(azure: StorageAccount) -> None:
    azure.answer = 400
    with pytest.raises(ShareError, match=r"can't be made in account .*; make it by hand") as caught:
        create(azure, "new")
    assert "\n" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(azure: StorageAccount) -> None:
    azure.endpoint = "http://127.0.0.1:9"
    # it may be there in a moment, and who waits for it is told of then
    with pytest.raises(
        ShareSilent, match=rf"can't be made in account .* can't be reached: .*; check the network; {OTHER}$"
    ):
        create(azure, "new")


def test_a_server_that_does_not_end_its_answer_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(command: list[str], timeout: float, **more: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", silent)
    with pytest.raises(ShareSilent, match=f"does not answer; {OTHER}$"):
        createshare.in_a_process("https://mine.example", parsed("new"), Credentials(ACCOUNT, "unused", KEY))


def test_of_a_server_of_azures_no_other_kind_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(command: list[str], timeout: float, **more: object) -> None:
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", silent)
    with pytest.raises(ShareSilent, match=r"does not answer$"):
        createshare.in_a_process("https://a.file.core.windows.net", parsed("new"), Credentials(ACCOUNT, "unused", KEY))
