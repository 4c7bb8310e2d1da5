"""What MySQL keeps of a password: set as it is, no policy of the server has a say in it, nor in a start."""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Iterator

# the fewest that caching_sha2_password_digest_rounds takes, as each up does them; servers read it, in thousands
ROUNDS = 5_000
ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# the order in which SHA-crypt writes its 32 bytes, three at a time
TRIPLES = ((0, 10, 20), (21, 1, 11), (12, 22, 2), (3, 13, 23), (24, 4, 14), (15, 25, 5), (6, 16, 26), (27, 7, 17),
           (18, 28, 8), (9, 19, 29))  # fmt: skip


def caching_sha2(password: str, server: str, account: str) -> str:
    """Returns what plugin caching_sha2_password keeps of `password`, the same at every call: 70 characters of ASCII.

    The salt comes from password, server and account, by a function as slow as the hash: whoever reads it is no nearer
    to the password, and does not see who else has the same.
    """
    derived = hashlib.pbkdf2_hmac("sha256", password.encode(), f"{server}\0{account}".encode(), ROUNDS, 15)
    salt = base64.b64encode(derived)
    return f"$A${ROUNDS // 1000:03X}${salt.decode()}{_encoded(_sha_crypt(password.encode(), salt))}"


def _sha_crypt(password: bytes, salt: bytes) -> bytes:
    # akkadia.org/drepper/SHA-crypt.txt, whose salts are no longer than 16: MySQL takes 20, so no library does this
    length = len(password)
    first = _sha256(password, salt, password)
    mixed = b"".join(first if bit else password for bit in _bits(length))
    digest = _sha256(password, salt, _repeated(first, length), mixed)
    word = _repeated(_sha256(password * length), length)
    grain = _repeated(_sha256(salt * (16 + digest[0])), len(salt))
    # what stands before and after the digest in each round; the pattern repeats after 2 * 3 * 7 of them
    around = [
        (word + (grain if i % 3 else b"") + (word if i % 7 else b""), b"")
        if i % 2
        else (b"", (grain if i % 3 else b"") + (word if i % 7 else b"") + word)
        for i in range(42)
    ]
    for before, after in itertools.islice(itertools.cycle(around), ROUNDS):
        digest = hashlib.sha256(before + digest + after).digest()
    return digest


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // len(digest) + 1))[:length]


def _bits(number: int) -> Iterator[int]:
    while number:
        yield number & 1
        number >>= 1


def _encoded(digest: bytes) -> str:
    words = [(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in TRIPLES]
    words.append((digest[31] << 8 | digest[30], 3))
    return "".join(ALPHABET[word >> 6 * i & 63] for word, count in words for i in range(count))
