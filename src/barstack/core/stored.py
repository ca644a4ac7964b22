"""What stored descriptions must hold to, each checked whole before any of it is used."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ArtifactError
from .forecast import NOW, Target, Task
from .horizon import Horizon
from .text import forbidden_character, printable
from .times import as_time, parse_duration

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?")
_LARGEST = 1e100  # sums and products of a few such numbers stay finite
_LONGEST_NAME = 1_000


def _moment(text: str) -> str:
    if not _MOMENT.fullmatch(text) or not "1900" <= text[:4] <= "2100":
        raise ValueError("is no moment of the years 1900 to 2100")
    as_time(text)  # says which month or day there is not
    return text


def _duration(text: str) -> str:
    parse_duration(text)
    return text


def _horizon(text: str) -> str:
    if text != NOW:
        Horizon.parse(text)
    return text


def _plain(name: str) -> str:
    if found := forbidden_character(name, allowed=""):
        raise ValueError(f"holds the character {found}")
    return name


def _once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("names something twice")
    return names


Name = Annotated[str, Field(min_length=1, max_length=_LONGEST_NAME), AfterValidator(_plain)]
Names = Annotated[list[Name], Field(min_length=1, max_length=100_000), AfterValidator(_once)]
Moment = Annotated[str, AfterValidator(_moment)]
Duration = Annotated[str, AfterValidator(_duration)]
Number = Annotated[float, Field(ge=-_LARGEST, le=_LARGEST)]
Positive = Annotated[float, Field(ge=1.0 / _LARGEST, le=_LARGEST)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Stored(BaseModel):
    """Plain data of known names, types and bounds; nothing is converted and nothing passed by."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )

    @classmethod
    def read(cls, content: Any, file: Path) -> Self:
        """The checked content; `ArtifactError` that names the first place that is wrong."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "it"
            whole = not first["loc"] or first["type"] == "missing"  # too long to show
            value = "" if whole else f", got {str(first['input'])[:80]}"
            message = first["msg"].removeprefix("Value error, ")
            raise ArtifactError(
                f"{file} does not hold what was saved: {printable(where[:200])}: {message}"
                f"{printable(value)}. Restore it from a copy, or run the study again."
            ) from None


class StoredTarget(Stored):
    """The part of a description that says what is forecast."""

    task: Task
    horizons: Annotated[
        list[Annotated[str, AfterValidator(_horizon)]],
        Field(min_length=1, max_length=1_000),
        AfterValidator(_once),
    ]
    levels: list[Annotated[float, Field(gt=0, lt=1)]] = Field(default=[], max_length=1_000)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        _ = self.target  # says what is wrong with the horizons or levels
        return self

    @property
    def target(self) -> Target:
        """As the rest of barstack has it."""
        return Target(self.task, tuple(self.horizons), tuple(self.levels))
