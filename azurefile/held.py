"""The refusal that the fence exists for."""

import math

from azurefile.errors import COMES_BACK, PluginError
from azurefile.owner import Owner, holder_names, iso_time
from azurefile.volumes import Volume


class Held(PluginError):
    """Another container holds the folder."""

    def __init__(
        self, volume: Volume, owner: Owner, *, passing: bool = False, silent: float | None = None, wait: float = 0
    ) -> None:
        """Say who holds it, and since when.

        `passing`: the holder has no name yet and may be a mount that ends by itself. `silent`: the
        holder is beyond this host's sight, and renewed its record that many seconds ago. `wait`:
        it stopped renewing, and the folder is free in that many seconds unless it comes back; or it is a claim
        that may withdraw. Infinite: nobody knows, and whoever asks is not to wait.
        """
        self.owner = owner
        self.passing = passing
        self.wait = wait
        super().__init__(_refusal(volume, owner, silent, wait))


def _refusal(volume: Volume, owner: Owner, silent: float | None, wait: float) -> str:
    place = f'share "{owner.share}"' + (f' folder "{owner.folder}"' if owner.folder else "")
    named = [container for container in owner.containers if silent is not None or not container.dead()]
    holder = holder_names(named) or "a container that the engine has not named yet"
    about = [f"database {c.database}" for c in named if c.database][:1]
    about += [f"stack {c.stack}" for c in named if c.stack][:1]
    about += [f'volume "{owner.volume}"', f"host {owner.host}"]
    if silent is not None:
        about.append(f"renewed {silent:.0f} s ago")
    reason = "is exclusive" if owner.exclusive else "would become exclusive"
    stop = f"docker stop {named[0].name}" if named and named[0].name else "see docker ps"
    if silent is not None:
        stop += f" on {owner.host}"
    gone = ""
    if wait == math.inf:
        gone = f"; the engine does not say whether it still runs; once it is gone, {COMES_BACK}"
    elif wait and silent is None:
        gone = f"; it may be free in {math.ceil(wait)} s; once it is, {COMES_BACK}"
    elif wait:
        gone = f"; if that host is gone, the folder is free in {wait:.0f} s; once it is, {COMES_BACK}"
    elif silent is not None and owner.takeover > silent:
        gone = f"; if that host is gone, try again in {owner.takeover - silent:.0f} s"
    return (
        f'volume "{volume.name}": {place} {reason} and is held by {holder} ({", ".join(about)}) '
        f"since {iso_time(owner.since)[:19]}Z. Two servers on the same files would corrupt them: "
        f"stop the holder first ({stop}), or use another share or folder{gone}"
    )
