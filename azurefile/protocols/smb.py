"""SMB 3 shares: the kernel's CIFS client for the data, a user-space connection for the fence."""

import logging
import threading
from pathlib import Path
from types import ModuleType

from azurefile import attachpoint, createshare, kernelerrors, kernelmount, mounts, network
from azurefile.credentials import Credentials, CredentialsFolder
from azurefile.errors import ShareError, StaleMount
from azurefile.options import Options
from azurefile.protocols.smb_sessions import KernelSessions
from azurefile.sharedstore import SharedStore
from azurefile.store import LockStore
from azurefile.stores import Stores
from azurefile.volumes import Volume

log = logging.getLogger(__name__)

_PORT = 445
_DEFAULT_MODE = 0o755
# Bytes that one credit of an SMB connection pays for (MS-SMB2 3.1.4.2).
_CREDIT = 65536
# The kernel drops a connection after three, which is half of what is left to the holder then.
_ECHOES = 12
_ANSWER_SECONDS = 10.0


class Smb:
    """Shares on SMB servers, Azure's above all."""

    def __init__(self, root: Path, takeover: float) -> None:
        """Use ROOT/credentials; `takeover` is the time after which a silent host loses its folders."""
        self._echo = max(1, int(takeover / _ECHOES))
        self._credentials = CredentialsFolder(root / "credentials")
        self._stores = Stores[SharedStore]()
        # The key that each mounted volume was given last.
        self._keys: dict[str, str] = {}
        # The account that each volume's fence is reached by.
        self._accounts: dict[str, str] = {}
        self._sessions = KernelSessions()

    def prepare(self) -> None:
        """Import what the fence needs: the first claim of a plugin's life is to be as quick as the others."""
        threading.Thread(target=_client, name="import", daemon=True).start()

    def mount(self, volume: Volume, target: Path) -> None:
        """Mount the share, and of it the volume's folder, made if it is missing. Raises ShareError."""
        credentials = self._read(volume)
        source = f"//{credentials.server}/{volume.options.share}"
        address = self._reach(volume, credentials)
        given = mount_options(volume.options, credentials, address, self._echo)
        if volume.options.exclusive:
            given["cruid"] = self._sessions.number(volume.name)
        try:
            with kernelmount.detached("cifs", source, given) as root:
                attachpoint.place(root, volume, target, own=False)
        except kernelmount.KernelError as error:
            told = kernelerrors.Told(source, credentials.server, address.port, credentials.account, credentials.said_by)
            raise kernelerrors.share_error(volume, "cifs", error, told) from error
        self._keys[volume.name] = credentials.key
        if volume.options.exclusive and self._sessions.of(volume.name, "").startswith("@"):
            log.warning("kernel tells no session, a vanished host's files stay open", extra={"volume": volume.name})

    def create(self, volume: Volume) -> None:
        """Make the share in the storage account. Raises ShareError."""
        credentials = self._read(volume)
        createshare.in_a_process(f"https://{credentials.server}", volume.options, credentials)

    def locks(self, volume: Volume, account: str) -> SharedStore:
        """The fence of the volume's share, over one connection for each server, account and share."""
        options = volume.options
        try:
            account = account or self._credentials.account(options.account, volume.account)
        except ShareError:
            # Each connection fails until it is clear; a resumed lease needs its store, to be ended in time.
            account = ""
        self._accounts[volume.name] = account
        port = options.port or _PORT
        key = (options.server or "", str(port), account, options.share)

        def make() -> SharedStore:
            share = _client().SmbShare(options.share, port, lambda: self._read(volume, account))
            return SharedStore(share, options.share, account)

        return self._stores.get(key, make)

    def forget(self, store: LockStore) -> None:
        """Make a new store when one is needed again."""
        self._stores.forget(store)

    def forget_volume(self, volume: Volume) -> None:
        """Drop its key and account."""
        for known in (self._keys, self._accounts):
            known.pop(volume.name, None)
        self._sessions.forget(volume.name)

    def where(self, volume: Volume) -> dict[str, str]:
        """Server and account; a server that only the credentials file names is read from there."""
        options = volume.options
        try:
            found = self._read(volume)
        except ShareError:
            return {"server": options.server or "", "account": options.account or ""}
        return {"server": found.server, "account": found.account}

    def session(self, volume: Volume, known: str) -> str:
        """The id of an exclusive volume's session, which no other has."""
        return self._sessions.of(volume.name, known) if volume.options.exclusive else ""

    def in_force(self, options: Options) -> dict[str, str]:
        """The kernel's options, without what server and account decide; modes by their names here."""
        told = kernelmount.shown(_of_volume(options, self._echo))
        return told | {"filemode": told.pop("file_mode"), "dirmode": told.pop("dir_mode")}

    def refresh(self, volume: Volume, target: Path) -> None:
        """Give the kernel the account's present key, which it needs when it connects anew.

        A session that stands goes on with the old key. Kernels since 6.9 take the new one when there is
        none; for older ones StaleMount is raised then, as for a server that has moved: without a helper
        on the host the kernel never asks for a name's address again. Raises ShareError.
        """
        credentials = self._read(volume)
        given = self._keys.get(volume.name)
        if given == credentials.key:
            if not mounts.answers(target, _ANSWER_SECONDS) and self._moved(volume, target, credentials):
                raise StaleMount("its server is at another address now, and a mount stays at the old one")
            return
        try:
            # A remount sets every option, so all of them are given again.
            address = self._reach(volume, credentials)
            kernelmount.reconfigure(target, mount_options(volume.options, credentials, address, self._echo))
        except kernelmount.KernelError as error:
            log.debug("key not taken yet", extra={"volume": volume.name, "error": error.words or error})
            if not mounts.answers(target, _ANSWER_SECONDS):
                raise StaleMount(
                    "its key changed, and this host's kernel can't take the new one while mounted"
                ) from error
            return
        self._keys[volume.name] = credentials.key
        if given is not None:
            log.info("key changed", extra={"volume": volume.name})

    def _reach(self, volume: Volume, credentials: Credentials) -> network.Address:
        options = volume.options
        return network.reach(credentials.server, options.port or _PORT, credentials.said_by)

    def _moved(self, volume: Volume, target: Path, credentials: Credentials) -> bool:
        mounted = mounts.server_address(target)
        return mounted != "" and network.moved(credentials.server, volume.options.port or _PORT, mounted)

    def _read(self, volume: Volume, account: str = "") -> Credentials:
        options = volume.options
        # The data is reached by the account that the fence is reached by, whatever files there are by now.
        account = account or self._accounts.get(volume.name, "")
        found = self._credentials.read(account or self._credentials.account(options.account, volume.account))
        if options.server is None:
            return found
        return Credentials(found.account, options.server, found.key, network.BY_SERVER)


def _client() -> ModuleType:
    """Imported with the first share: a plugin for local folders stays small."""
    from azurefile.protocols import smb_client

    return smb_client


def mount_options(
    options: Options, credentials: Credentials, address: network.Address, echo: int
) -> dict[str, str | None]:
    """The kernel's options for a volume at an address; `echo` as for `_of_volume`."""
    reached = {"ip": address.ip, "user": credentials.account, "pass": credentials.key, "port": str(address.port)}
    return reached | _of_volume(options, echo)


def _of_volume(options: Options, echo: int) -> dict[str, str | None]:
    """Those that its options decide; `echo` is how often an exclusive one asks whether its server is there.

    Three echoes without an answer and the kernel drops the connection; ten seconds later all that waits for it
    ends in an error. With `hard` it tries a direct write again for ever, which nobody can end, and which comes
    when the network is back, whoever has the folder by then. So it does with one that needs more credits than are
    left, each good for 64 KiB: it waits for them without an end.
    """
    given: dict[str, str | None] = {
        "vers": options.vers or "3.1.1",
        "sec": "ntlmssp",
        "uid": str(options.uid or 0),
        "gid": str(options.gid or 0),
        "file_mode": f"0{_DEFAULT_MODE if options.filemode is None else options.filemode:o}",
        "dir_mode": f"0{_DEFAULT_MODE if options.dirmode is None else options.dirmode:o}",
        "cache": options.cache or "strict",
        "serverino": None,
        "forceuid": None,
        "forcegid": None,
    }
    if options.actimeo is not None:
        given["actimeo"] = str(options.actimeo)
    flags = {
        "mfsymlinks": options.mfsymlinks,
        "nosharesock": options.nosharesock,
        # 0.5.1 called it nolock.
        "nobrl": options.nobrl if options.nobrl is not None else options.nolock,
        "seal": options.seal,
        # Nothing is cached that a lease would allow, and a server waits half a minute for that of a host that vanished
        # before it lets the next one open the file. An exclusive volume's session is ended before.
        "nolease": options.cache == "none" and not options.exclusive,
    }
    if options.exclusive:
        given |= {"soft": None, "echo_interval": str(echo), "wsize": str(_CREDIT)}
        # A server keeps such opens for a client that comes back, though its session was ended.
        given["nopersistenthandles"] = None
    return given | {name: None for name, on in flags.items() if on}
