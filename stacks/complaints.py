"""What is wrong with a setting: the form in which every check says it, and pydantic's findings in that form."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple, get_args

import pulumi
from pydantic import BaseModel, SecretStr, ValidationError

# pydantic's error types in the words of a configuration file; braces are filled from the error's context
SHOULD_BE = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "an object",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} characters",
    "too_short": "at least {min_length} long",
    "too_long": "at most {max_length} long",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "literal_error": "{expected}",
    "union_tag_invalid": "{expected_tags}",
    "plain_type": "text, a number, true or false",
}
# how pydantic names the kinds of a value that may be any of them
PLAIN = ("str", "int", "float", "bool")
# setting → where in the file each of its items stands
Places = dict[str, list[str]]


class Complaint(NamedTuple):
    """What is wrong with a setting."""

    setting: str
    """Where."""
    what: str
    """What it is, and what to do."""
    rests_on: tuple[str, ...] = ()
    """Settings that are left out, or whose default counts: if one of them is wrong by itself, nothing is known."""


class SettingsError(pulumi.RunError):
    """The configuration of a stack is wrong. Its text has one line a complaint."""

    def __init__(self, lines: list[str]) -> None:
        """`lines`: one complaint each, ready to be read."""
        self.lines = lines
        super().__init__("\n".join(lines))


def complain(error: ValidationError, model: type[BaseModel], secret: frozenset[str]) -> list[Complaint]:
    """Returns what each of `error`'s findings says: setting, value, what is allowed.

    Values of unknown keys, of secret fields and of top-level keys named in `secret` are left out.
    """
    errors = error.errors(include_url=False)
    # what is merely misspelt is not missing, too
    misspelt = {meant(found["loc"], model) for found in errors if found["type"] == "extra_forbidden"}
    complaints = [
        _complaint(found, model, secret)
        for found in errors
        if found["type"] != "missing" or _follow(found["loc"], model)[0] not in misspelt
    ]
    return list(dict.fromkeys(complaints))


def meant(loc: tuple[int | str, ...], model: type[BaseModel]) -> str:
    """Returns the path of the setting that the unknown one at `loc` is close to; its name is empty if there is none."""
    path, holder, _ = _follow(loc, model)
    return path.removesuffix(str(loc[-1])) + (closest(str(loc[-1]), _aliases(holder)) or "")


def _complaint(found: Any, model: type[BaseModel], secret: frozenset[str]) -> Complaint:
    where, holder, hidden = _follow(found["loc"], model)
    kind, value = found["type"], found["input"]
    if found["loc"][-1] in PLAIN and kind != "extra_forbidden":
        # one of the several kinds that it may be
        where, kind = where.removesuffix(f".{found['loc'][-1]}"), "plain_type"
    context = found.get("ctx", {})
    if kind == "extra_forbidden" and ":" in str(found["loc"][-1]):
        name = str(found["loc"][-1]).split(":", 1)[1]
        return Complaint(where, f"no such setting; did you mean {pulumi.get_project()}:{name}?")
    if kind == "extra_forbidden":
        return Complaint(where, f"no such setting; {_nearest(found['loc'][-1], holder)}")
    if kind == "missing":
        return Complaint(where, f"is missing; {_keys(holder)}")
    if kind == "union_tag_not_found":
        return Complaint(f"{where}.kind", f"is missing; should be {' or '.join(_kinds(found['loc'], model))}")
    if kind == "union_tag_invalid":
        where, value = f"{where}.kind", context["tag"]
    if kind in ("model_type", "model_attributes_type"):
        kinds = _kinds(found["loc"], model) if len(found["loc"]) == 1 else []
        example = f", such as {{kind: {kinds[0]}}}; its kind is {' or '.join(kinds)}" if kinds else f"; {_keys(holder)}"
        what = f"should be an object{example}"
    elif kind in SHOULD_BE:
        what = f"should be {SHOULD_BE[kind].format(**context)}"
        if kind in ("literal_error", "union_tag_invalid"):
            what = what.replace("'", "").replace(", ", " or ")
        if kind == "string_type" and isinstance(value, int | float | date):
            option = "--secret" if hidden else "--type string"
            what += f": put it in quotes, or set it by ./pulumiw config set --path {option}"
    else:
        what = found["msg"].removeprefix("Value error, ")
    hidden = hidden or found["loc"][0] in secret or not isinstance(value, str | int | float)
    return Complaint(where, what if hidden else f"{value!r}: {what}")


def _kinds(loc: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    field = next(f for n, f in model.model_fields.items() if (f.alias or n) == loc[0])
    return [k for m in _models(field.annotation) for k in _literals(m.model_fields.get("kind"))]


def _follow(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, type[BaseModel] | None, bool]:
    """Walks `loc` through the models: the setting's path, the model that holds it, is it secret."""
    path, here, secret = "", model, False
    choices: list[type[BaseModel]] = []
    holder: type[BaseModel] | None = model
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
            continue
        tagged = [c for c in choices if step in _literals(c.model_fields.get("kind"))]
        if tagged and len(choices) > 1:
            here, choices, holder = tagged[0], tagged, tagged[0]
            continue
        if step == "[key]":
            continue
        path += f".{step}" if path else str(step)
        holder = here
        field = next(
            (f for n, f in (here.model_fields if here else {}).items() if (f.alias or n) == step),
            None,
        )
        choices = _models(field.annotation) if field else []
        secret = secret or (field is not None and _mentions(field.annotation, SecretStr))
        here = choices[0] if choices else None  # type: ignore[assignment]
    if len(choices) == 1:
        holder = choices[0]
    return path, holder, secret


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in get_args(annotation) for m in _models(part)]


def _mentions(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_mentions(part, wanted) for part in get_args(annotation))


def _literals(field: Any) -> tuple[Any, ...]:
    return get_args(field.annotation) if field else ()


def _aliases(model: type[BaseModel] | None) -> list[str]:
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def _keys(model: type[BaseModel] | None) -> str:
    return f"it takes {', '.join(_aliases(model))}"


def _nearest(key: object, model: type[BaseModel] | None) -> str:
    return nearest(str(key), _aliases(model)) or _keys(model)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns "did you mean …?" with the one of `known` that is close to `name`, or nothing."""
    close = closest(name, known)
    return f"did you mean {close}?" if close else ""


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Returns the one of `known` that is close to `name`, if any; at a `cutoff` of 1 only itself is."""
    folded = {k.lower().replace("_", ""): k for k in known}
    close = difflib.get_close_matches(name.lower().replace("_", ""), folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else None
