"""Reaches a share's server before the kernel tries to, so that errors are quick and say what is wrong."""

import errno
import socket
import threading
import time
from dataclasses import dataclass
from ipaddress import ip_address

from azurefile.errors import ShareSilent

# Of accounts in Azure's public cloud.
PUBLIC_SUFFIX = "file.core.windows.net"
# Who names a server, where no credentials file does.
BY_SERVER, BY_ACCOUNT = 'option "server"', 'option "account"'
# A name that does not resolve can keep the C library busy for half a minute.
_RESOLVE_SECONDS = 5.0
# Of one address; several share what is left of the whole, also after this process was frozen.
_LEAST_SECONDS, _CONNECT_SECONDS = 0.1, 5.0
_REACH_SECONDS = 10.0


@dataclass(frozen=True)
class Address:
    """Where a server answers, and from which of our addresses it was reached."""

    ip: str
    port: int
    local_ip: str


def reach(server: str, port: int, said_by: str) -> Address:
    """Connect to a server once; raises ShareSilent within ten seconds, with who named it (`said_by`) and the remedy."""
    where = f"{said_by}: the server {server}"
    problem: OSError | None = None
    deadline = time.monotonic() + _REACH_SECONDS
    addresses = _resolve(server, port, where)
    for tried, (family, ip) in enumerate(addresses):
        left = (deadline - time.monotonic()) / (len(addresses) - tried)
        try:
            return _connect(family, ip, port, max(_LEAST_SECONDS, min(left, _CONNECT_SECONDS)))
        except OSError as error:
            problem = error
    remedy = f"check that it is right, that it runs, and that nothing blocks TCP port {port} on the way"
    if port == 445:
        remedy += " (many networks block 445; from a virtual network use a private endpoint)"
    raise ShareSilent(f"{where} {_reason(problem)} on port {port}; {remedy}") from problem


def moved(server: str, port: int, address: str) -> bool:
    """Whether a server's name means other addresses by now; no, while the name servers do not say."""
    try:
        # An IPv6 address has many spellings.
        return ip_address(address) not in {ip_address(ip) for _, ip in _resolve(server, port, f"the server {server}")}
    except ShareSilent:
        return False


def _resolve(server: str, port: int, where: str) -> list[tuple[socket.AddressFamily, str]]:
    found: list[tuple[socket.AddressFamily, str]] = []
    failed: list[OSError] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(server, port, type=socket.SOCK_STREAM)
        except OSError as error:
            failed.append(error)
        except UnicodeError as error:
            failed.append(OSError(str(error)))
        else:
            found.extend((answer[0], str(answer[4][0])) for answer in answers)

    thread = threading.Thread(target=resolve, name="resolve", daemon=True)
    thread.start()
    thread.join(_RESOLVE_SECONDS)
    if not found:
        reason = failed[0].strerror or str(failed[0]) if failed else "the name server does not answer"
        raise ShareSilent(f"{where} has no address ({reason}); check the name and the host's name servers")
    return found


def _connect(family: socket.AddressFamily, ip: str, port: int, seconds: float) -> Address:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect((ip, port))
        return Address(ip, port, str(connection.getsockname()[0]))


def _reason(error: OSError | None) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if error is not None and error.errno == errno.ECONNREFUSED:
        return "refuses connections"
    return f"can't be reached ({error.strerror if error is not None else 'no address'})"
