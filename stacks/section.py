"""What every part of the settings has in common."""

from __future__ import annotations

import re
from datetime import date
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator
from pydantic.alias_generators import to_camel

# a longer text of digits has been rounded on its way here
LARGEST = 2**63 - 1
# what Pulumi makes of a date that stands in a file without quotes
MADE_OF_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, names are written in camelCase."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False)

    @model_validator(mode="before")
    @classmethod
    def _texts_as_written(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        kinds = {field.alias or name: field.annotation for name, field in cls.model_fields.items()}
        return {name: _as_text(value, kinds.get(name)) for name, value in given.items()}


def _as_text(value: Any, annotation: Any) -> Any:
    """Returns `value` as text where that is meant: `pulumi config set --path` writes 2024 as number, true as boolean.

    A fraction is left: of 1.1 nobody knows whether it was written 1.10. So is a password, which may have been 0123, and
    a date is one again.
    """
    kinds = _kinds(annotation)
    inside = [get_args(kind)[-1] for kind in kinds if get_origin(kind) is type(value)]
    if inside and isinstance(value, list):
        return [_as_text(item, inside[0]) for item in value]
    if inside and isinstance(value, dict):
        return {name: _as_text(item, inside[0]) for name, item in value.items()}
    # pydantic would take true for the number 1
    if isinstance(value, bool) and int in kinds and bool not in kinds:
        return str(value).lower()
    if isinstance(value, str) and {str, SecretStr} & set(kinds) and MADE_OF_DATE.fullmatch(value):
        return date.fromisoformat(value[:10])
    is_meant = str in kinds and not {int, float, bool} & set(kinds)
    return str(value).lower() if is_meant and isinstance(value, int) and abs(value) <= LARGEST else value


def _kinds(annotation: Any) -> list[Any]:
    """The kinds of a value that a setting may have."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kinds(parts[0])
    if origin in (Union, UnionType):
        return [kind for part in parts for kind in _kinds(part)]
    return [type(value) for value in parts] if origin is Literal else [annotation]


def form(pattern: str, complaint: str) -> AfterValidator:
    """A check that text has the form `pattern`, with the `complaint` about what has not."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(complaint)
        return text

    return AfterValidator(check)
