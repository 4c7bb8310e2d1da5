"""What MySQL keeps of a password. That a real server takes it: tests/images/test_mysql_policies.py."""

from __future__ import annotations

import re

import pytest

from components.databases import hashes
from components.databases.hashes import caching_sha2


@pytest.mark.parametrize(
    ("password", "digest"),
    [
        # openssl passwd -5 -salt saltstringsaltst …
        ("Hello world!", "a5C8Ofk71MUIoKve2QuP9FMl.dwNgseF5tR1LGAL7iB"),
        ("x" * 100, "vcMOv/znJvvO4P9xkognvyT2DqIKm5NYMURetsjRk.D"),
    ],
)
def test_the_digest_is_that_of_sha_crypt(password: str, digest: str) -> None:
    assert hashes._encoded(hashes._sha_crypt(password.encode(), b"saltstringsaltst")) == digest


def test_it_is_the_same_in_every_run_and_another_one_for_everybody_else() -> None:
    """Another one in each run would re-create the container; the same for two accounts would tell of one password."""
    once = caching_sha2("secret", "mydb", "ann@%")
    assert once == caching_sha2("secret", "mydb", "ann@%")
    assert re.fullmatch(r"\$A\$005\$[A-Za-z0-9+/]{20}[A-Za-z0-9./]{43}", once)
    others = [("secret", "mydb", "bob@%"), ("secret", "yourdb", "ann@%"), ("other", "mydb", "ann@%")]
    assert len({text[7:27] for text in (once, *(caching_sha2(*other) for other in others))}) == 4
