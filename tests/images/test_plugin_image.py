"""The plugin's image has what is done with it beside the plugin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from provider.credentials import AccountKey
from tests.images.docker_cli import PREFIX, built

CONTEXT = Path(__file__).parents[2] / "azurefile"


def test_an_accounts_key_is_written_and_read_and_goes(bookworm_base: str, tmp_path: Path) -> None:
    file = tmp_path / "credentials/mine"
    with built(CONTEXT, f"{PREFIX}azurefile:{os.getpid()}", BASE=bookworm_base) as image:
        props: dict[str, Any] = {
            "engine": {"url": "unix:///var/run/docker.sock", "ssh_opts": []},
            "root": str(tmp_path),
            "image": image,
            "account": "mine",
            "server": "127.0.0.1",
            "key": "secret==",
        }
        AccountKey().create(props)
        assert file.read_text() == "server=127.0.0.1\nkey=secret==\n"
        assert AccountKey().read("mine", props) == props
        AccountKey().delete("mine", props)
        assert not file.exists()
