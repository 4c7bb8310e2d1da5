"""The picture of a stack on Azure, drawn from what the stack registers."""

from __future__ import annotations

from html import escape
from typing import Any

from tests.unit.azure_parts import (
    ACCOUNT,
    ADDRESS,
    CARD,
    GROUP,
    KEY,
    NETWORK,
    RULES,
    RUN,
    SHARE,
    SUBNETWORK,
    VM,
    AzureRecorder,
)

CONTAINER, VOLUME = "docker:index/container:Container", "docker:index/volume:Volume"
PLUGIN = "datadocker-engine:index:EnginePlugin"
WIDTH, LINE, BOX, GAP = 1000, 18, 170, 24
GREY, BLUE, GREEN = "#f4f5f7", "#e8f0fe", "#e6f4ea"


class Drawing:
    """Boxes with lines of text, and lines between boxes."""

    def __init__(self) -> None:
        self.shapes: list[str] = []
        self.places: dict[tuple[str, str], tuple[int, int, int]] = {}

    def area(self, x: int, y: int, width: int, height: int, title: str, fill: str) -> None:
        self.shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="#888"/>'
        )
        self.text(x + 10, y + 20, title, "bold")

    def box(self, kind: str, name: str, x: int, y: int, lines: list[str], width: int = BOX) -> int:
        """Draws it and returns where the next one may begin."""
        height = LINE * len(lines) + 10
        self.shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="#fff" stroke="#888"/>'
        )
        for i, line in enumerate(lines):
            self.text(x + 8, y + LINE * (i + 1), line, "normal" if i else "bold")
        self.places[kind, name] = (x, y + height // 2, width)
        return y + height + 8

    def text(self, x: int, y: int, text: str, weight: str) -> None:
        self.shapes.append(f'<text x="{x}" y="{y}" font-weight="{weight}">{escape(text)}</text>')

    def join(self, left: tuple[str, str], right: tuple[str, str]) -> None:
        (x1, y1, width), (x2, y2, _) = self.places[left], self.places[right]
        self.shapes.append(f'<line x1="{x1 + width}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#1a73e8"/>')

    def svg(self, height: int) -> str:
        body = "\n".join(self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="sans-serif" font-size="12">\n{body}\n</svg>\n'
        )


def draw(stack: AzureRecorder) -> str:
    """Returns the picture of what `stack` recorded."""
    made = {typ: list(stack.all(typ).items()) for typ in {m.typ for m in stack.made}}
    host = stack.one(GROUP, "host-group")["resourceGroupName"]
    data = stack.one(GROUP, "files-group")["resourceGroupName"]
    containers = [c["name"] for _, c in sorted(made[CONTAINER])]
    volumes = [v for _, v in sorted(made[VOLUME])]
    height = 150 + max(len(containers), len(volumes)) * (LINE + 18) + 30
    drawing = Drawing()
    drawing.area(10, 10, 700, height - 20, f"goes with the stack: resource group {host}", GREY)
    drawing.area(730, 10, 260, height - 20, f"stays: {data}", GREEN)
    below = 40
    for what, typ, lines in _network():
        for name, props in made[typ]:
            below = drawing.box(typ, name, 20, below, [what, *lines(props)])
    vm = stack.one(VM, "host-machine-vm")
    image = vm["storageProfile"]["imageReference"]
    title = f"{vm['vmName']}: {image['offer']}, {vm['hardwareProfile']['vmSize']}"
    drawing.area(215, 40, 485, height - 60, title, BLUE)
    for name, _ in made[RUN]:
        drawing.box(RUN, name, 225, 70, ["run command", "waits for cloud-init"])
    for name, props in made[PLUGIN]:
        drawing.box(PLUGIN, name, 520, 70, [f"plugin {props['driver']}"])
    for name, props in made[KEY]:
        drawing.box(KEY, name, 520, 106, [f"key of {props['account'][:12]}…"])
    below = 150
    for name in containers:
        below = drawing.box(CONTAINER, name, 225, below, [name])
    below = 150
    for volume in volumes:
        below = drawing.box(VOLUME, volume["name"], 520, below, [f"volume {volume['name']}"])
    for _, account in made[ACCOUNT]:
        lines = [f"account {account['accountName'][:12]}…", f"{account['sku']['name']}, {account['kind']}"]
        drawing.box(ACCOUNT, account["accountName"], 745, 40, lines, 230)
    below = 150
    for _, share in sorted(made[SHARE], key=lambda item: str(item[1]["shareName"])):
        title = f"share {share['shareName']}, {share['shareQuota']:.0f} GiB, {share['enabledProtocols']}"
        below = drawing.box(SHARE, share["shareName"], 745, below, [title], 230)
    for _, container in sorted(made[CONTAINER]):
        for mounted in container["volumes"]:
            drawing.join((CONTAINER, container["name"]), (VOLUME, mounted["volumeName"]))
    for volume in volumes:
        drawing.join((VOLUME, volume["name"]), (SHARE, volume["driverOpts"]["share"]))
    return drawing.svg(height)


def _network() -> list[tuple[str, str, Any]]:
    return [
        ("public address", ADDRESS, lambda p: [f"{p['sku']['name']}, {p['publicIPAllocationMethod']}"]),
        ("security group", RULES, lambda p: [f"{r['access']} {r['destinationPortRange']}" for r in p["securityRules"]]),
        ("network interface", CARD, lambda p: []),
        ("network", NETWORK, lambda p: p["addressSpace"]["addressPrefixes"]),
        ("subnet", SUBNETWORK, lambda p: [p["addressPrefix"]]),
    ]
