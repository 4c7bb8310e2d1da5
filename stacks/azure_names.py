"""Names and small values of the settings for Azure: what it would refuse is refused here, before anything is made.

learn.microsoft.com: "Naming rules and restrictions for Azure resources", unless another page is named.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from stacks.azure_regions import REGIONS
from stacks.complaints import nearest
from stacks.section import form

# learn.microsoft.com: FAQ about Linux virtual machines, "user name requirements"
REFUSED_USERS = (
    "1", "123", "a", "actuser", "adm", "admin", "admin1", "admin2", "administrator", "aspnet", "backup",
    "console", "david", "guest", "john", "owner", "root", "server", "sql", "support", "support_388945a0", "sys",
    "test", "test1", "test2", "test3", "user", "user1", "user2", "user3", "user4", "user5",
)  # fmt: skip
# users and groups of Debian's base-passwd, of what its cloud images have, and of the engine: useradd makes a group, too
TAKEN_USERS = (
    "_apt", "_chrony", "_rpc", "_ssh", "adm", "audio", "backup", "bin", "cdrom", "crontab", "daemon", "dialout", "dip",
    "disk", "docker", "fax", "floppy", "games", "gnats", "input", "irc", "kmem", "kvm", "list", "lp", "mail", "man",
    "messagebus", "netdev", "news", "nobody", "nogroup", "operator", "plugdev", "polkitd", "proxy", "rdma", "render",
    "root", "sasl", "sgx", "shadow", "src", "ssh", "sshd", "ssl-cert", "staff", "sudo", "sync", "sys",
    "systemd-coredump", "systemd-journal", "systemd-network", "systemd-resolve", "systemd-timesync", "tape", "tcpdump",
    "tss", "tty", "users", "utmp", "uucp", "uuidd", "video", "voice", "www-data",
)  # fmt: skip
GUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
GROUP = r"[\w().-]{0,89}[\w()-]"
# of most that is in a group
NAME = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?"
INTERNET = "Internet"
# learn.microsoft.com: tag resources, "limitations"; naming rules, Microsoft.Resources
KEPT_TAGS = ("microsoft", "azure", "windows")
# learn.microsoft.com: resolve errors for reserved resource names; of the whole names those of letters and digits alone
RESERVED_WORDS = "microsoft|windows|^login"
RESERVED_NAMES = (
    "access|azure|bing|bizspark|biztalk|cortana|directx|dotnet|dynamics|excel|exchange|forefront|groove|hololens|"
    "hyperv|kinect|lync|msdn|o365|office|office365|onedrive|onenote|outlook|powerpoint|sharepoint|skype|visio|"
    "visualstudio|xbox"
)
# a test compares it with the one that is set
OWN_TAG = "datadocker-stack"
# a shorter prefix is a good part of the whole internet
SHORTEST_PREFIX = 8
# all ranges of a list together may have as many addresses as 16 of these
MOST_ADDRESSES = 16 << (32 - SHORTEST_PREFIX)
# learn.microsoft.com: virtual networks FAQ, "address ranges that I can't use"
UNUSABLE = tuple(
    ipaddress.IPv4Network(n)
    for n in ("224.0.0.0/4", "255.255.255.255/32", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32")
)
# RFC 6890: "this network"
THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def _matching(pattern: str, takes: str) -> AfterValidator:
    return form(pattern, f"Azure takes {takes}")


def _without(words: str) -> AfterValidator:
    """A check that there is none of `words` in a name, and that it is none of the reserved ones."""

    def check(name: str) -> str:
        if found := re.search(f"{words}|^({RESERVED_NAMES})$", name):
            raise ValueError(f"Azure keeps the word {found[0]} for itself: take another name")
        return name

    return AfterValidator(check)


def _in_group(resource: str) -> str:
    """The pattern of an id of `resource`, in any case, as Azure compares ids."""
    return f"(?i:/subscriptions/{GUID}/resourceGroups/{GROUP}/providers/{resource})"


def _region(name: str) -> str:
    if name not in REGIONS:
        guess = nearest(name, REGIONS) or "az account list-locations names them"
        raise ValueError(f"no region that is known here; {guess} (a new one belongs into stacks/azure_regions.py)")
    return name


def _user(name: str) -> str:
    if name in REFUSED_USERS + TAKEN_USERS:
        raise ValueError("Azure, Debian or the engine has this name for itself; take another, such as datadocker")
    return name


def network(text: str) -> ipaddress.IPv4Network:
    """Returns the network that `text` is, such as 10.60.0.0/16.

    Raises:
        ValueError: if it is none, with the nearest one if bits beyond the prefix are set, or it is written otherwise.
    """
    try:
        near = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        near = None
    if near is None or "/" not in text:
        raise ValueError("should be an IPv4 network such as 10.60.0.0/16")
    if text == str(near):
        return near
    # Python takes masks as well, 10.60.0.0/255.255.0.0, and Azure none
    address, _, prefix = text.partition("/")
    if address != str(near.network_address) and prefix == str(near.prefixlen):
        raise ValueError(f"bits beyond the prefix are set; did you mean {near}?")
    raise ValueError(f"Azure takes networks as address/prefix; did you mean {near}?")


def _own_range(text: str) -> str:
    found = network(text)
    if not 2 <= found.prefixlen <= 29:
        raise ValueError("Azure takes networks from /2 to /29")
    if any(found.overlaps(other) for other in UNUSABLE):
        raise ValueError("Azure keeps this range for itself; take a private one such as 10.60.0.0/16")
    return text


def _prefixed(text: str) -> str:
    """An address as the network of it alone."""
    return text if "/" in text else f"{text}/32"


def _source(text: str) -> str:
    if text == INTERNET:
        return text
    everybody = f"write {INTERNET} if you mean all of it"
    if text.lower() in ("*", "any", INTERNET.lower()):
        raise ValueError(everybody)
    text = _prefixed(text)
    found = network(text)
    if found.prefixlen < SHORTEST_PREFIX:
        raise ValueError(f"this is a good part of the internet: name smaller ranges, or {everybody}")
    if any(found.subnet_of(other) for other in (*UNUSABLE, THIS_NETWORK)):
        raise ValueError(f"nobody comes from there: name your own address or network, or {everybody}")
    return text


def _apart(given: list[str]) -> list[str]:
    # a security rule takes no range twice, nor does a storage account's firewall; Internet stands only by itself
    each = list(dict.fromkeys(given))
    if INTERNET in each and len(each) > 1:
        raise ValueError(f"{INTERNET} is all networks: leave it out, or the others")
    ranges = {one: network(_prefixed(one)) for one in each if one != INTERNET}
    for one, other in itertools.combinations(ranges, 2):
        if ranges[one].overlaps(ranges[other]):
            raise ValueError(f"{one} and {other} overlap, which Azure refuses: leave the smaller one out")
    if sum(known.num_addresses for known in ranges.values()) > MOST_ADDRESSES:
        raise ValueError("together these are a good part of the internet: name smaller ranges")
    return each


def _public_source(text: str) -> str:
    # learn.microsoft.com: storage firewall, "IP network rules"
    found = network(_prefixed(text))
    if found.prefixlen < SHORTEST_PREFIX:
        raise ValueError("this is a good part of the internet: name smaller ranges")
    if not found.is_global or found.is_multicast:
        raise ValueError("a storage account's firewall takes public addresses only; private ones come by the subnet")
    if found.prefixlen == 32:
        return str(found.network_address)
    if found.prefixlen == 31:
        raise ValueError("a storage account's firewall takes no /31; write the two addresses")
    return text


def _tag_name(name: str) -> str:
    # a storage account takes no longer ones
    if not 1 <= len(name) <= 128 or any(c in "<>%&\\?/" or unicodedata.category(c) == "Cc" for c in name):
        raise ValueError("Azure takes tag names of 1 to 128 characters without < > % & \\ ? / and control characters")
    if name.lower().startswith(KEPT_TAGS):
        raise ValueError(f"Azure keeps names that begin with {', '.join(KEPT_TAGS[:-1])} or {KEPT_TAGS[-1]} for itself")
    if name.lower() == OWN_TAG:
        raise ValueError("this tag is the stack's own: leave it out")
    return name


def _one_case(tags: dict[str, str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    for name in tags:
        if name.lower() in seen:
            raise ValueError(f"{seen[name.lower()]} and {name} are one name to Azure: leave one out")
        seen[name.lower()] = name
    return tags


def _image(text: str) -> str:
    urn = r"[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:((?i:latest)|\d+\.\d+\.\d+)"
    resource = _in_group(rf"Microsoft\.Compute/(images/{NAME}|galleries/{NAME}/images/{NAME}(/versions/{NAME})?)")
    if not re.fullmatch(f"{urn}|{resource}", text):
        raise ValueError("should be publisher:offer:sku:version, or the id of an image of your own")
    return text


def _host_name(text: str) -> str:
    found = re.fullmatch(r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*(:([0-9]{1,5}))?", text)
    if not found or not 1 <= int(found[3] or 22) <= 65535:
        raise ValueError("should be [user@]host[:port]")
    # man ssh_config: ProxyJump
    if text.lower() == "none":
        raise ValueError("to ssh this is no jump host: leave it out")
    return text


def _private_address(text: str) -> str:
    try:
        found = ipaddress.IPv4Address(text)
    except ValueError:
        raise ValueError("should be an IPv4 address such as 10.60.1.4") from None
    # a network may have public ranges for its own
    if any(found in other for other in UNUSABLE):
        raise ValueError("should be an address of the subnet")
    return text


Location = Annotated[
    str,
    _matching(r"[a-z]{3,}[0-9]?[a-z]*", "a region's short name, such as westeurope"),
    AfterValidator(_region),
]
ResourceGroupName = Annotated[str, _matching(GROUP, "1 to 90 letters, digits, and _ ( ) . - , the last no period")]
MACHINE_NAME = r"(?=.{1,50}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?"
MachineName = Annotated[str, _matching(MACHINE_NAME, "1 to 50 lowercase letters, digits and inner hyphens here")]
SetName = Annotated[str, _matching(NAME, "1 to 80 letters, digits, and inner _ . -")]
DNSLabel = Annotated[
    str,
    _matching(
        r"[a-z][a-z0-9-]{1,61}[a-z0-9]", "3 to 63 lowercase letters, digits and inner hyphens, starting with a letter"
    ),
    # this one inside, too: github.com/MicrosoftDocs/azure-docs/issues/104539
    _without(f"{RESERVED_WORDS}|xbox"),
]
StorageAccountName = Annotated[
    str, _matching(r"[a-z0-9]{3,24}", "3 to 24 lowercase letters and digits"), _without(RESERVED_WORDS)
]
MachineSize = Annotated[str, _matching(r"Standard_[A-Za-z0-9_-]+", "sizes such as Standard_B2s (az vm list-sizes)")]
SubnetId = Annotated[
    str,
    _matching(
        _in_group(rf"Microsoft\.Network/virtualNetworks/{NAME}/subnets/{NAME}"),
        "a subnet's id here, /subscriptions/…/virtualNetworks/…/subnets/… (az network vnet subnet show --query id)",
    ),
]
IdentityId = Annotated[
    str,
    _matching(
        _in_group(r"Microsoft\.ManagedIdentity/userAssignedIdentities/[A-Za-z0-9][A-Za-z0-9_-]{0,127}"),
        "a user-assigned identity's id here (az identity show --query id)",
    ),
]
AdminUser = Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_-]{0,31}$"), AfterValidator(_user)]
OwnRange = Annotated[str, AfterValidator(_own_range)]
Source = Annotated[str, AfterValidator(_source)]
Sources = Annotated[list[Source], AfterValidator(_apart)]
PublicSource = Annotated[str, AfterValidator(_public_source)]
PublicSources = Annotated[list[PublicSource], AfterValidator(_apart)]
TagName = Annotated[str, AfterValidator(_tag_name)]
Tags = dict[TagName, Annotated[str, Field(max_length=256)]]
HostTags = Annotated[Tags, Field(max_length=45), AfterValidator(_one_case)]
# a storage account has fifteen, two of them our own
AccountTags = Annotated[Tags, Field(max_length=13), AfterValidator(_one_case)]
Zone = Literal["1", "2", "3"]
MachineImage = Annotated[str, AfterValidator(_image)]
JumpHost = Annotated[str, AfterValidator(_host_name)]
PrivateAddress = Annotated[str, AfterValidator(_private_address)]


def region_of(known: Mapping[str, Any], default: str) -> str:
    """The region of what Azure has, which it writes in either form, West Europe or westeurope."""
    return str(known.get("location") or default).replace(" ", "").lower()


def as_spelt(known: Mapping[str, Any], wanted: str) -> str:
    """The name `wanted` as what Azure has spells it: to Azure it is one name in any case, to Pulumi another thing."""
    there = str(known.get("name") or wanted)
    return there if there.lower() == wanted.lower() else wanted
