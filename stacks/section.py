"""What every part of the settings has in common."""

from __future__ import annotations

import re

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """A part of the settings: unknown keys are errors, names are written in camelCase."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False)


def form(pattern: str, complaint: str) -> AfterValidator:
    """A check that text has the form `pattern`, with the `complaint` about what has not."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(complaint)
        return text

    return AfterValidator(check)
