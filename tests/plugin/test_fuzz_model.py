"""The whole protocol under random requests, kills and links in shares, compared with a model after each step.

`PLUGIN_FUZZ_REQUESTS` sets how many requests are sent at least (5000; 20000 is the long run), and
`PLUGIN_FUZZ_SEED` which ones: without it a long run draws others each time. `PLUGIN_FUZZ_SHRINK=1` makes the steps
that failed as few as possible, in minutes.
"""

import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.plugin.fuzz import draws, wire
from tests.plugin.fuzz.malformed import MESSAGES, Message
from tests.plugin.fuzz.model import Expected, folders
from tests.plugin.fuzz.world import Worlds, look, tree

pytestmark = pytest.mark.root

REQUESTS = int(os.environ.get("PLUGIN_FUZZ_REQUESTS", "5000"))
# The short run sends the same each time, so that one that fails does so for what was changed.
SEED = int(os.environ.get("PLUGIN_FUZZ_SEED") or (4 if REQUESTS <= 5000 else secrets.randbelow(1_000_000)))
SHRINK = os.environ.get("PLUGIN_FUZZ_SHRINK") == "1"
STEPS = 60
EXAMPLES = 8
STORM = 50
# A start of the plugin takes as long as two hundred requests.
RESTARTS = 1


# Which of what there is: what is drawn must not depend on who won a race, or Hypothesis can't replay it.
PICK = st.integers(0, 59)


def pick(number: int, choices: Iterable[str]) -> str:
    """The one of that number, counted round and round; empty if there is none."""
    ordered = sorted(choices)
    return ordered[number % len(ordered)] if ordered else ""


@pytest.fixture(autouse=True)
def _worlds() -> Iterator[None]:
    yield
    if Worlds.current is not None:
        Worlds.leave(empty=False)


class Fuzz(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = Worlds.enter()
        self.model = self.world.model
        self.restarts = self.storms = 0

    def teardown(self) -> None:
        failing = sys.exc_info()[0] is not None
        empty = False
        try:
            self.world.drain()
            empty = True
        except Exception:
            if not failing:
                raise
        finally:
            Worlds.leave(empty=empty)

    @invariant()
    def everything_holds(self) -> None:
        self.world.holds()

    @rule(name=draws.NAMES, options=draws.OPTIONS)
    def create(self, name: str, options: dict[str, str]) -> None:
        self.world.call("Create", self.model.create(name, options), Name=name, Opts=options)
        self.get(name)

    @rule(name=draws.NAMES, options=draws.RARE_OPTIONS)
    def create_with_rare_options(self, name: str, options: dict[str, str]) -> None:
        self.world.call("Create", self.model.create(name, options), Name=name, Opts=options)

    @rule(name=draws.NAMES, options=draws.REMOTE_OPTIONS)
    def create_on_another_machine(self, name: str, options: dict[str, str]) -> None:
        self.world.call("Create", self.model.create(name, options), Name=name, Opts=options)
        self.get(name)

    @rule(name=draws.NAMES, options=draws.REMOTE_OPTIONS, bad=draws.BAD_REMOTE_OPTIONS)
    def create_on_another_machine_with_a_bad_option(
        self, name: str, options: dict[str, str], bad: tuple[str, str]
    ) -> None:
        self.world.call("Create", Expected(False, f'volume "{name}"'), Name=name, Opts=options | dict([bad]))

    @rule(name=draws.NAMES, options=draws.OPTIONS, bad=draws.BAD_OPTIONS)
    def create_with_a_bad_option(self, name: str, options: dict[str, str], bad: tuple[str, str]) -> None:
        given = {k: v for k, v in options.items() if k.lower() != bad[0].lower()} | dict([bad])
        self.world.call("Create", Expected(False, f'volume "{name}"'), Name=name, Opts=given)

    @rule(name=st.sampled_from(draws.BAD_NAMES), options=draws.OPTIONS)
    def create_with_a_bad_name(self, name: str, options: dict[str, str]) -> None:
        self.world.call("Create", Expected(False, "a name is"), Name=name, Opts=options)

    @rule(name=draws.ANY_NAMES)
    def get(self, name: str) -> None:
        if name in self.model.volumes:
            self.world.counts_hold(name)
        else:
            self.world.call("Get", self.model.known(name), Name=name)

    @rule(name=draws.ANY_NAMES)
    def path(self, name: str) -> None:
        answer = self.world.call("Path", self.model.known(name), Name=name)
        if answer.status == 200:
            assert answer.json == {"Mountpoint": str(self.world.plugin.mounts / name)}

    @rule(name=draws.ANY_NAMES)
    def remove(self, name: str) -> None:
        answer = self.world.call("Remove", self.model.remove(name), Name=name)
        assert answer.status != 200 or answer.json == {}

    def mountable(self) -> list[str]:
        """The volumes that are mounted or refused at once: after a restart an NFS server that is away is waited for."""
        return [name for name, options in self.model.volumes.items() if options["protocol"] != "nfs"]

    @rule(name=draws.ANY_NAMES, mount_id=draws.IDS)
    def mount(self, name: str, mount_id: str) -> None:
        if name in self.model.volumes and name not in self.mountable():
            return
        answer = self.world.call("Mount", self.model.mount(name, mount_id), Name=name, ID=mount_id)
        if answer.status == 200:
            assert answer.json == {"Mountpoint": str(self.world.plugin.mounts / name)}
            self.world.counts_hold(name)

    @rule(number=PICK, mount_id=draws.IDS)
    def mount_what_exists(self, number: int, mount_id: str) -> None:
        self.mount(pick(number, self.mountable()), mount_id)

    @rule(name=draws.ANY_NAMES, mount_id=draws.IDS)
    def unmount(self, name: str, mount_id: str) -> None:
        answer = self.world.call("Unmount", self.model.unmount(name, mount_id), Name=name, ID=mount_id)
        if answer.status == 200:
            assert answer.json == {}
            self.world.counts_hold(name)

    @rule(number=PICK)
    def unmount_what_is_mounted(self, number: int) -> None:
        name = pick(number, self.model.mounted())
        self.unmount(name, pick(number, self.model.ids.get(name, ())))

    @rule(number=PICK, file=st.sampled_from(["file", "ü", "-rf", "x"]), content=st.binary(max_size=8))
    def write_through_a_mount(self, number: int, file: str, content: bytes) -> None:
        """What a container writes is in the share's folder, and stays there."""
        name = pick(number, self.model.mounted())
        if not name:
            return
        place = f"{folders(self.model.volumes[name])[-1]}/{file}"
        if self.model.tree.get(place, ("file",))[0] == "file":
            target = self.world.plugin.mounts / name / file
            target.write_bytes(content)
            self.model.tree[place] = look(target)

    @rule(
        share=st.sampled_from(draws.SHARES),
        folder=st.sampled_from(["", "x", "x/y", "z"]),
        thing=st.sampled_from(
            [draws.CANARY, f"{draws.CANARY}/folder", "../../../canary", "/", ".", "gone", "fifo", "file"]
        ),
    )
    def plant(self, share: str, folder: str, thing: str) -> None:
        """Whoever can write to a share puts something else where a volume's folder would be."""
        place = f"{share}/{folder}".rstrip("/")
        path = self.world.shares / place
        inside = f"{place}/"
        used = any(f"{folders(self.model.volumes[n])[-1]}/".startswith(inside) for n in self.model.mounted())
        full = any(other.startswith(inside) for other in self.model.tree)
        above = self.model.tree.get(place.rpartition("/")[0], ("folder",))[0]
        if used or full or above != "folder" or not path.parent.is_dir():
            return
        if place in self.model.tree:
            path.rmdir() if self.model.tree[place][0] == "folder" else path.unlink()
        if thing == "fifo":
            os.mkfifo(path)
        elif thing == "file":
            path.write_text("in the way\n")
        else:
            path.symlink_to(thing.replace(draws.CANARY, str(self.world.canary)))
        self.model.tree[place] = look(path)

    @rule(number=PICK)
    def clear_away(self, number: int) -> None:
        place = pick(number, (p for p, entry in self.model.tree.items() if entry[0] != "folder"))
        if place:
            (self.world.shares / place).unlink()
            del self.model.tree[place]

    @rule(call=draws.CALLS, body=draws.STRANGE_BODIES, content_type=st.sampled_from(draws.CONTENT_TYPES))
    def send_strange_json(self, call: str, body: dict[str, Any], content_type: str) -> None:
        headers = {"Content_Type": content_type}
        answer = self.world.send(f"VolumeDriver.{call}", json.dumps(body).encode(), malformed=True, **headers)
        assert answer.status in ((200, 400) if call in ("List", "Capabilities") else (400, 404, 500)), answer

    @rule(
        call=draws.CALLS.filter(lambda call: call not in ("List", "Capabilities")),
        body=st.binary(min_size=1, max_size=32),
    )
    def send_anything(self, call: str, body: bytes) -> None:
        assert self.world.send(f"VolumeDriver.{call}", body, malformed=True).status != 200

    @rule(
        name=draws.NAMES,
        text=st.sampled_from(
            [
                ('{"Name":"../x","Name":"@"}', False),
                ('{"Name":"@","Opts":{"exclusive":"true","exclusive":"true"}}', False),
                ('\n\t {"Opts":null,"Name":"@","ID":null,"Extra":' + "[" * 300 + "]" * 300 + "} \r\n", True),
                ('{"Name":"@","Extra":' + '"' + draws.LONG + '"}', True),
                ('{"Name":"@","Extra":NaN}', None),
                ('{"Name":"@","Extra":-Infinity}', None),
                ('\ufeff{"Name":"@"}', None),
                ('{"Name":"@","Extra":' + "9" * 5000 + "}", None),
                ('{"Name":"@"}{}', False),
                ('{"Name":"@",}', False),
                ("{'Name':'@'}", False),
                ('{"Name":["@"]}', False),
                ('{"Name":"@","Opts":NaN}', False),
                ('{"Name":"@","Opts":[]', False),
                ('{"Name":"@","ID":{"a":1}}', False),
                ('{"Name":"@","Extra":' + '{"a":' * 100_000, False),
                ('{"Name":"@","Extra":"\n"}', False),
            ]
        ),
        call=st.sampled_from(["Get", "Path"]),
    )
    def send_odd_json(self, name: str, text: tuple[str, bool | None], call: str) -> None:
        """True: it is understood; None: either way will do."""
        body, good = text
        answer = self.world.send(f"VolumeDriver.{call}", body.replace("@", name).encode(), malformed=True)
        as_the_model = (answer.status == 200) is self.model.known(name).accepted
        assert as_the_model if good else answer.status == 400 or (good is None and as_the_model), answer

    @rule(message=st.sampled_from(MESSAGES))
    def send_malformed_http(self, message: Message) -> None:
        self.world.send_message(message)

    @rule(names=st.lists(draws.NAMES, min_size=2, max_size=10))
    def pipeline(self, names: list[str]) -> None:
        """Answers come in the order of the requests."""
        bodies = [json.dumps({"Name": name}).encode() for name in names]
        data = b"".join(
            wire.request("/VolumeDriver.Get", b).replace(b"Connection: close\r\n", b"") for b in bodies[:-1]
        )
        answers = self.world.exchange("pipeline", data + wire.request("/VolumeDriver.Get", bodies[-1]))
        assert len(answers) == len(names)
        for name, answer in zip(names, answers, strict=True):
            wire.well_formed(answer)
            self.world.compare(answer, self.model.known(name))
            assert f'"{name[:64]}' in answer.body.decode().replace("\\", ""), (name, answer)

    @precondition(lambda self: self.storms < 1)
    @rule(number=PICK, same_id=st.booleans())
    def mount_fifty_times_at_once(self, number: int, same_id: bool) -> None:
        """All of them, or for an exclusive volume only one; then let half of them go at once."""
        self.storms += 1
        name = pick(number, self.mountable()) or "storm"
        if name not in self.model.volumes:
            self.create(name, {"share": "dbs"})
        ids = ["storm" if same_id else f"storm{n}" for n in range(STORM)]
        answers = self.world.storm([("Mount", {"Name": name, "ID": mount_id}) for mount_id in ids])
        accepted = [i for i, answer in zip(ids, answers, strict=True) if answer.status == 200]
        # Whichever came first, the model gets it first; then the rest must be as it says.
        rest = Counter(ids) - Counter(accepted)
        for mount_id in [*accepted, *rest.elements()]:
            expected = self.model.mount(name, mount_id)
            assert expected.accepted is (mount_id in accepted), (expected, accepted)
        self.world.counts_hold(name)
        leaving = accepted[::2]
        answers = self.world.storm([("Unmount", {"Name": name, "ID": i}) for i in leaving] or [("List", {})])
        assert {answer.status for answer in answers} == {200}
        for mount_id in leaving:
            self.model.unmount(name, mount_id)
        self.world.counts_hold(name)

    @precondition(lambda self: self.storms < 2)
    @rule(name=draws.NAMES, one=draws.OPTIONS, other=draws.OPTIONS)
    def create_ten_times_at_once(self, name: str, one: dict[str, str], other: dict[str, str]) -> None:
        """The first wins, and the others agree with it or are refused."""
        self.storms += 1
        asked = [one, other] * 5
        answers = self.world.storm([("Create", {"Name": name, "Opts": options}) for options in asked])
        winners = [options for options, answer in zip(asked, answers, strict=True) if answer.status == 200]
        for options in winners:
            assert self.model.create(name, options).accepted
        for options, answer in zip(asked, answers, strict=True):
            self.world.compare(answer, self.model.create(name, options))

    @precondition(lambda self: self.restarts < RESTARTS)
    @rule(gently=st.booleans())
    def restart(self, gently: bool) -> None:
        self.restarts += 1
        if gently:
            assert self.world.plugin.stop() == 0
        else:
            self.world.plugin.kill()
        self.world.start()

    @precondition(lambda self: self.restarts < RESTARTS)
    @rule(number=PICK, call=st.sampled_from(["Mount", "Unmount", "Remove"]))
    def kill_in_the_middle_of_a_call(self, number: int, call: str) -> None:
        """Unanswered, it has happened or it has not."""
        self.restarts += 1
        world, model = self.world, self.model
        name = pick(number, model.volumes)
        if not name:
            return
        mount_id = pick(number, model.ids[name])
        with wire.connect(world.plugin.socket) as connection:
            body = json.dumps({"Name": name, "ID": mount_id}).encode()
            connection.sendall(wire.request(f"/VolumeDriver.{call}", body))
            world.plugin.kill()
        world.forget_half_written()
        world.requests["killed"] += 1
        world.start()
        before, found = model.ids[name][mount_id], world.call("Get", Name=name)
        if found.status != 200:
            assert call == "Remove"
            assert model.remove(name).accepted
            return
        count = found.json["Volume"]["Status"].get("mounts", 0)
        if count != model.ids[name].total():
            step = {"Mount": 1, "Unmount": -1, "Remove": 0}[call]
            assert count == model.ids[name].total() + step, (call, before, found)
            assert (model.mount if call == "Mount" else model.unmount)(name, mount_id).accepted
        elif call == "Mount":
            # A folder may have been made for a mount that was not.
            made = {p: e for p, e in tree(world.shares).items() if p in folders(model.volumes[name])}
            model.tree = made | model.tree


def test_the_plugin_behaves_as_the_model() -> None:
    rounds = 0
    while Worlds.requests.total() < REQUESTS:
        print(f"PLUGIN_FUZZ_SEED={SEED}, round {rounds}")
        # Each round has a seed of its own, and all of them follow from the first.
        run_state_machine_as_test(
            hypothesis.seed(SEED * 1000 + rounds)(Fuzz),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                database=None,
                deadline=None,
                phases=(Phase.generate, Phase.shrink) if SHRINK else (Phase.generate,),
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
        rounds += 1
    print(f"{Worlds.requests.total()} requests in {rounds} rounds: {dict(Worlds.requests)}")
