"""Makes a share in a storage account through Azure's own library, in a process of its own.

The library takes as much memory as the plugin; the key goes to the process by its standard input.
"""

import os
import subprocess
import sys

from azurefile.credentials import Credentials
from azurefile.errors import ShareError, ShareSilent
from azurefile.network import PUBLIC_SUFFIX
from azurefile.options import Options

_SECONDS = 40
_CONNECT_SECONDS = 5
_READ_SECONDS = 20
_BEING_DELETED = "ShareBeingDeleted"
# In what Azure says of a request whose date is more than a quarter of an hour off.
_OFF = "date header"


def in_a_process(endpoint: str, options: Options, credentials: Credentials) -> None:
    """Make a volume's share; one that exists by now is fine. Raises ShareError, ShareSilent for what passes."""
    # Of a server of another cloud, or behind a name of one's own, nobody can tell by its name.
    azure = endpoint.endswith(PUBLIC_SUFFIX)
    hint = "" if azure else "; create=true makes shares in Azure alone: on a server of another kind make it there"
    quota = ["--quota", str(options.quota)] if options.quota is not None else []
    command = [sys.executable, "-m", "azurefile", "create-share", *quota, endpoint, credentials.account, options.share]
    try:
        done = subprocess.run(
            command, input=credentials.key, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ShareSilent(f'share "{options.share}" can\'t be made: {endpoint} does not answer{hint}') from error
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        kind = ShareSilent if done.returncode == os.EX_TEMPFAIL else ShareError
        raise kind((words[-1] if words else "create-share failed").removeprefix("azurefile: ") + hint)


def create_share(endpoint: str, account: str, share: str, quota: int | None, key: str) -> None:
    """Make a share of `quota` GiB, or of the account's default size. Raises ShareError, ShareSilent for what passes."""
    from azure.core.exceptions import (
        AzureError,
        ClientAuthenticationError,
        ResourceExistsError,
        ServiceRequestError,
        ServiceResponseError,
    )
    from azure.storage.fileshare import ShareClient

    where = f'share "{share}" can\'t be made in account "{account}"'
    try:
        client = ShareClient(
            endpoint,
            share,
            credential={"account_name": account, "account_key": key},
            connection_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retry_total=1,
        )
        client.create_share(quota=quota)
    except ResourceExistsError as error:
        # The library has one error for a share that exists and for one that is on its way out, half a minute or more.
        if getattr(error, "error_code", "") == _BEING_DELETED:
            raise ShareSilent(f"{where}: one of that name is being deleted there; try again in a minute") from error
    except ClientAuthenticationError as error:
        if _OFF in str(error):
            raise ShareError(f"{where}: this host's clock is off, set it (timedatectl set-ntp true)") from error
        raise ShareError(f"{where}: it refuses the key; put the present one into the credentials file") from error
    except (ServiceRequestError, ServiceResponseError) as error:
        reason = str(error).splitlines()[0]
        raise ShareSilent(f"{where}: {endpoint} can't be reached: {reason}; check the network") from error
    except AzureError as error:
        reason = str(error).splitlines()[0]
        raise ShareError(f"{where}: {reason}; make it by hand, or check option quota and the account") from error
    except ValueError as error:
        # Raised for a key that is not base64, which it quotes.
        raise ShareError(f"{where}: the credentials file's key is not one of a storage account") from error
