"""What is left of the settings when all that is wrong by itself is taken out, so that the rest can be compared."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stacks.complaints import Complaint, Places, closest, meant
from stacks.settings import Settings

LISTS = ("volumes", "databases")
SECTIONS = ("host", "shares")
SETTINGS = [field.alias or name for name, field in Settings.model_fields.items()]
# what a section can't be without, where it is missing or wrong: nothing is compared with it
STAND_INS: dict[str, Any] = {"address": "there", "location": "westeurope", "sshFrom": ["192.0.2.1/32"]}


@dataclass(frozen=True)
class Remainder:
    """What is right by itself."""

    settings: Settings
    """It alone; defaults stand for the rest."""
    at: Places
    """Where in the file its volumes and databases stand."""
    wrong: frozenset[str]
    """The paths of what was taken out."""

    def sustains(self, complaint: Complaint) -> bool:
        """Whether nothing that was taken out could answer `complaint`."""
        return not any(
            path == taken or path.startswith(f"{taken}.") or taken.startswith(f"{path}[")
            for path in complaint.rests_on
            for taken in self.wrong
        )


def remainder(raw: Mapping[str, Any]) -> Remainder:
    """Takes out of `raw` what is wrong: of the sections and lists only the parts that are."""
    right: dict[str, Any] = {}
    wrong: set[str] = set()
    # what is merely misspelt is no reason to say that it is missing
    given = {_meant(key, raw): key for key in raw}
    raw = {key: raw[name] for key, name in given.items()}
    at: Places = {key: [] for key in LISTS}
    for key, value in raw.items():
        if key in SECTIONS:
            section, parts = _section(key, value)
            right |= section
            wrong |= parts
        elif key not in LISTS:
            if _errors({key: value}):
                wrong.add(key)
            else:
                right[key] = value
        else:
            right[key] = []
            for i, item in enumerate(value if isinstance(value, list) else []):
                if not _errors({key: [item]}):
                    right[key].append(item)
                    at[key].append(f"{given[key]}[{i}]")
    if "stack" in wrong or right.get("volumes") != raw.get("volumes"):
        # a broken stack or volume is no reason to say that the demo misses others
        right["stack"] = "databases"
    if right.get("volumes") != raw.get("volumes"):
        whole = Settings.model_validate(right)
        known = [volume.name for volume in whole.volumes]
        kept = [i for i, database in enumerate(whole.databases) if database.volume in known]
        right["databases"] = [right["databases"][i] for i in kept]
        at["databases"] = [at["databases"][i] for i in kept]
    return Remainder(Settings.model_validate(right), at, frozenset(wrong))


def _meant(key: str, raw: Mapping[str, Any]) -> str:
    near = key if key in SETTINGS else closest(key.rsplit(":", 1)[-1], SETTINGS)
    return near if near and near not in raw else key


def _section(key: str, given: object) -> tuple[dict[str, Any], set[str]]:
    """What of a section is right, if it is one at all, and the paths of what is not."""
    left, wrong = {key: copy.deepcopy(given)}, set[str]()
    # what was taken out may be missing then, or leave a list empty
    while errors := _errors(left):
        # from a list's end, so that places stay what they are
        for error in reversed(errors):
            # behind the key stands the section's kind
            steps = [step for step in error["loc"][2:] if step != "[key]"]
            if not steps:
                return {}, {key}
            holder: Any = left[key]
            for step in steps[:-1]:
                holder = holder[step]
            name = steps[-1]
            if error["type"] == "missing":
                holder.setdefault(name, STAND_INS[str(name)])
                continue
            near = meant(error["loc"], Settings).rsplit(".", 1)[-1] if error["type"] == "extra_forbidden" else ""
            if near and near not in holder:
                holder[near] = holder.pop(name)
                continue
            wrong.add(key + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps))
            # a tag's name and value may both be wrong
            if isinstance(holder, list) or name in holder:
                del holder[name]
    return left, wrong


def _errors(raw: Mapping[str, Any]) -> list[ErrorDetails]:
    try:
        Settings.model_validate(raw)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []
