"""A virtual machine on Azure as a host: what `docker-machine create -d azure` made, and nothing open to the world."""

from __future__ import annotations

import hashlib
import json
import shlex
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_azure_native import resources

from components.azure_lookup import STACK_TAG, look_up
from components.azure_sdk import without_aliases
from components.custom import GracefulStop
from components.hosts.azure_bootstrap import custom_data, read_custom_data
from components.hosts.azure_key import read_azure_public
from components.hosts.azure_machine import AzureMachine, MachineSettings
from components.hosts.azure_network import SSH_PORT, AzureNetwork, NetworkSettings
from components.hosts.docker_provider import DockerProvider
from components.hosts.host import DockerHost
from components.hosts.identity_file import SETTING
from components.hosts.kept_key import key_folder, write_key
from components.hosts.keys import KeyPair
from components.hosts.ssh import ssh_options
from components.state import AZURE_HOST, DOCKER, STOP, VM, recorded
from provider.connection import Engine

# a Unix socket's path may have 108 bytes, of which ssh takes some for a name of its own
LONGEST_CONTROL_PATH = 85


class AzureHostArgs(TypedDict):
    """Arguments of `AzureHost`."""

    base: str
    """Name of the machine; what every name begins with."""
    stack: str
    """project/stack, as the label io.datadocker.stack says it."""
    location: str
    """Region."""
    group: NotRequired[str | None]
    """Name of a resource group that is made; by default `base`."""
    existing_group: NotRequired[str | None]
    """One that exists, instead."""
    network: NetworkSettings
    """What it is in, and who gets in."""
    machine: MachineSettings
    """The machine itself."""
    jump_host: NotRequired[str | None]
    """[user@]host[:port] by which ssh reaches the private address."""
    private_route: bool
    """Log in by the private address."""
    user: str
    """Who logs in."""
    identity_file: NotRequired[str | None]
    """The user's own private key file; by default the stack makes a pair."""
    custom_data: NotRequired[str | None]
    """The user's own file for cloud-init."""
    tags: dict[str, str]
    """On all of it."""


class AzureHost(DockerHost):
    """A Debian machine whose engine is reached by ssh alone, its host key pinned before it boots.

    Nothing on it is touched before its bootstrap is done. Where the machine is replaced, its containers are stopped
    first, and all that is on it is made anew in the same update.
    """

    subnet_id: pulumi.Output[str]
    """Id of its subnet, which a storage account lets in."""

    def __init__(self, name: str, args: AzureHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Registers the host.

        Raises:
            pulumi.RunError: if a file that the settings name can't be used or is not the one that the machine was made
                with, or there is no ssh-keygen.
        """
        super().__init__(AZURE_HOST, name, {}, without_aliases(opts))
        own = pulumi.ResourceOptions(parent=self)
        given, more = args.get("identity_file"), args.get("custom_data")
        public = read_azure_public(given) if given else None
        if given and public:
            _refuse_key_of_another(name, given, public)
        more = read_custom_data(more, args["user"]) if more else ""
        group_name = args.get("existing_group") or args.get("group") or args["base"]
        recipe = _recipe(args, public, more)
        _ask_before_a_change(name, recipe)
        group = group_name if args.get("existing_group") else self._group(name, group_name, args)
        login = KeyPair(f"{name}-login", own) if not public else None
        host_key = KeyPair(f"{name}-hostkey", own)
        net = AzureNetwork(
            f"{name}-net",
            {
                **args["network"],
                "base": args["base"],
                "group": group,
                "location": args["location"],
                "tags": args["tags"],
            },
            own,
        )
        user = args["user"]
        made = AzureMachine(
            f"{name}-machine",
            {
                **args["machine"],
                "base": args["base"],
                "group": group,
                "group_name": group_name,
                "location": args["location"],
                "interface_id": net.interface_id,
                "user": user,
                "public_key": public or login.public,  # type: ignore[union-attr]
                "custom_data": pulumi.Output.all(host_key.private, host_key.public).apply(
                    lambda pair: custom_data(user, {"private": pair[0], "public": pair[1]}, more)
                ),
                "more": more,
                "tags": args["tags"],
            },
            own,
        )
        # a jump host is ssh's way alone, and a private route leads to the databases, too
        open_at = net.private_address if args["private_route"] or net.public_address is None else net.public_address
        address = net.private_address if args.get("jump_host") else open_at
        key_name = args["stack"].replace("/", "-")
        identity = login.private.apply(lambda key: write_key(key_name, key, kept=login.kept)) if login else given
        plain = pulumi.Output.all(
            address=address,
            port=SSH_PORT,
            # where the key's file is tells nothing about the key
            identity_file=pulumi.Output.unsecret(pulumi.Output.from_input(identity)),
            host_key=host_key.public,
            jump_host=args.get("jump_host"),
        ).apply(_options)
        url = pulumi.Output.concat("ssh://", user, "@", address, f":{SSH_PORT}")
        self.engine = pulumi.Output.all(url=url, ssh_opts=plain, machine=made.life).apply(
            lambda known: Engine(url=known["url"], ssh_opts=known["ssh_opts"], machine=known["machine"])
        )
        # what comes after it finds a machine that is ready, and whose forerunner's containers were stopped
        self._settled = GracefulStop(
            f"{name}-stop",
            {
                "engine": self.engine,
                "key": login.private if login else "",
                "machine": made.life,
                "stack": args["stack"],
            },
            pulumi.ResourceOptions(parent=self, depends_on=[made.ready]),
        )
        self.provider = DockerProvider(
            f"{name}-engine",
            url,
            pulumi.Output.all(plain, made.life).apply(lambda known: known[0] + _shared_connection(known[1])),
            pulumi.ResourceOptions(parent=self, depends_on=[self._settled]),
        )
        self.fate = {
            # skipped with the machine, which a destroy needs not reach then
            "deleted_with": made.machine,
            # and made anew with it, also where it was deleted behind our back
            "replacement_trigger": made.life,
            "delete_before_replace": True,
        }
        self.docker_host = url
        self.address = pulumi.Output.from_input("127.0.0.1")
        self.public_address = open_at
        self.subnet_id = net.subnet_id
        self.ssh = pulumi.Output.all(plain, address).apply(lambda k: shlex.join(["ssh", *k[0], f"{user}@{k[1]}"]))
        self.alias = args["base"]
        self.ssh_config = pulumi.Output.all(plain, address).apply(
            # the private address may be that of another stack's machine, too, which is reached another way
            lambda k: _config_block(
                [self.alias, k[1]] if address is net.public_address else [self.alias], user, str(k[1]), k[0]
            )
        )
        # of what stands: a run that ends before the machine is ready leaves the one before
        stands = self._settled.id.apply(lambda _: recipe)
        self.register_outputs(
            {"dockerHost": self.docker_host, "address": address, "group": group_name, "recipe": stands}
        )

    def standing(self) -> pulumi.Output[Engine]:
        """See `DockerHost`; a machine that is replaced is ready before."""
        return pulumi.Output.all(self.engine, self._settled.id).apply(lambda known: known[0])

    def resident(self, parent: pulumi.Resource, **more: Any) -> pulumi.ResourceOptions:
        """See `DockerHost`; nothing comes before the machine is ready."""
        options = super().resident(parent, **more)
        # nor while the Docker provider gets the new machine's connection: Pulumi would ask it about the images that
        # depend on a replaced one, while it closes the connection to the old one, and fail
        options.depends_on = [*(more.get("depends_on") or []), self._settled, self.provider]
        return options

    def _group(self, name: str, group: str, args: AzureHostArgs) -> pulumi.Output[str]:
        return resources.ResourceGroup(
            f"{name}-group",
            resource_group_name=group,
            location=args["location"],
            # by it a run that follows one that was killed knows that it is ours
            tags=args["tags"] | {STACK_TAG: args["stack"]},
            # see `AzureNetwork`; what is in it is deleted one by one, so that a destroy may end anywhere
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        ).name


def _recipe(args: AzureHostArgs, public: str | None, more: str) -> str:
    """What tells whether anything of the host is going to change."""
    return hashlib.sha256(json.dumps([args, public, more], sort_keys=True).encode()).hexdigest()


def _ask_before_a_change(name: str, recipe: str) -> None:
    """Finds out that Azure can't be asked before the containers are stopped for a new machine.

    Raises:
        pulumi.RunError: if it can't, such as by a login that has expired.
    """
    before = recorded().get((AZURE_HOST, name), {})
    if before.get("group") and before.get("recipe") != recipe:
        look_up("azure-native:resources:getResourceGroup", resourceGroupName=before["group"])


def _refuse_key_of_another(name: str, identity_file: str, public: str) -> None:
    """Refuses what would replace the machine by turns, where each of a team has a key of their own at the same path.

    Raises:
        pulumi.RunError: if the machine that stands has another key, by the same setting.
    """
    machine, provider, stop = (
        recorded().get(of, {})
        for of in ((VM, f"{name}-machine-vm"), (DOCKER, f"{name}-engine"), (STOP, f"{name}-stop"))
    )
    ssh = ((machine.get("osProfile") or {}).get("linuxConfiguration") or {}).get("ssh") or {}
    keys = [" ".join(str(key["keyData"]).split()[:2]) for key in ssh.get("publicKeys") or []]
    # after an update that failed before it was settled the provider has the path of the machine before
    settled = stop.get("machine") == machine.get("vmId")
    same = settled and f"IdentityFile={identity_file}" in json.loads(provider.get("sshOpts") or "[]")
    if same and keys and public not in keys:
        raise pulumi.RunError(
            f"{SETTING}: {identity_file} is another key than the machine was made with, {keys[0]}: put that one there, "
            "or only its .pub if an agent has it; to make the machine anew with yours, name it by another path"
        )


def _options(args: dict[str, Any]) -> list[str]:
    # -i would not expand the variable by which the file is named
    options = ssh_options({**args, "identity_file": None})
    options += ["-o", f"IdentityFile={args['identity_file']}", "-o", "IdentitiesOnly=yes"]
    if args["jump_host"]:
        options += ["-o", f"ProxyJump={args['jump_host']}"]
    return options


def _shared_connection(life: str) -> list[str]:
    """Lets the Docker provider's many logins share one connection: a third of a second each instead of two."""
    folder, told = key_folder()
    # named by the machine's own id: a connection to the one before would only hang
    socket = f"c-{life[:8]}"
    if len(str(Path(folder, socket))) > LONGEST_CONTROL_PATH:
        return []
    return ["-o", "ControlMaster=auto", "-o", f"ControlPath={told}/{socket}", "-o", "ControlPersist=60"]


def _config_block(names: list[str], user: str, address: str, options: list[str]) -> str:
    lines = [f"Host {' '.join(names)}", f"  HostName {address}", f"  User {user}", f"  Port {SSH_PORT}"]
    for option in options:
        if option != "-o":
            key, _, value = option.partition("=")
            lines.append(f"  {key} {value}")
    return "\n".join(lines) + "\n"
