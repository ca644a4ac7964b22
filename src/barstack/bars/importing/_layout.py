"""How a foreign table is to be read, as settings, and the clues that led to them."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, field_validator

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec
from barstack.core.times import parse_duration

from .._bars import COLUMNS
from .._clocks import check_zone
from .._format import BarFormat
from .._sessions import ALWAYS

ZEROS = "zeros"  # what `volume` says where a table has none
EPOCHS = {"epoch s": 1_000_000, "epoch ms": 1_000, "epoch us": 1, "epoch ns": None}
ROLES = ("time", "date", *COLUMNS)


class Layout(Spec):
    """The columns of a table, and how its times and numbers are written.

    >>> Layout(columns={"time": "Date", "close": "Last"}, decimal=",").decimal
    ','
    """

    # time, date, open, high, low, close, volume -> the table's own name
    columns: dict[str, str] = Field(default_factory=dict)
    symbol_column: str | None = None  # names the symbol of each row
    time_format: str | None = None  # such as %d/%m/%Y %H:%M or epoch ms; by default ISO 8601
    separator: str = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", "'", " "] = ""
    encoding: str = "utf-8"
    header_lines: int = Field(1, ge=0)  # with 0 the columns are column_1, column_2, ...
    skip_lines: int = Field(0, ge=0)  # lines above the header

    @field_validator("columns")
    @classmethod
    def _check_roles(cls, columns: dict[str, str]) -> dict[str, str]:
        for role in columns:
            if role not in ROLES:
                raise ConfigError(f"Unknown column {role!r}. {did_you_mean(role, ROLES)}")
        if "date" in columns and "time" not in columns:
            raise ConfigError("A column of dates beside one of times: name both, or name it time.")
        return columns

    @field_validator("time_format")
    @classmethod
    def _check_format(cls, text: str | None) -> str | None:
        if text is not None and text not in EPOCHS and "%" not in text:
            raise ConfigError(
                f"{text!r} is not how times are written. Write %d/%m/%Y %H:%M and the like, or "
                f"{', '.join(EPOCHS)}."
            )
        return text

    @field_validator("separator")
    @classmethod
    def _check_separator(cls, text: str) -> str:
        if len(text) != 1 or not text.isascii():
            raise ConfigError(f"A separator is one character, such as ; or a tab, not {text!r}.")
        return text

    @field_validator("encoding")
    @classmethod
    def _check_encoding(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ConfigError(
                f"Unknown encoding {name!r}. Name one such as utf-8, cp1252, utf-16."
            ) from None
        return name


class Reading(Layout):
    """A layout and the format of the bars in it: all that is needed to read a table.

    >>> Reading(columns={"time": "Date", "close": "Last"}, calendar="XNYS").settings()
    {'columns': {'time': 'Date', 'close': 'Last'}, 'calendar': 'XNYS'}
    """

    calendar: str = ALWAYS
    hours: Literal["regular", "extended"] = "regular"
    stamp: Literal["open", "close"] = "open"
    timezone: str | None = None
    bar: str | None = None
    day_zone: str | None = None

    @field_validator("timezone", "day_zone")
    @classmethod
    def _check_zone(cls, name: str | None) -> str | None:
        if name is not None:
            check_zone(name)
        return name

    @field_validator("bar")
    @classmethod
    def _check_length(cls, text: str | None) -> str | None:
        if text is not None:
            parse_duration(text)
        return text

    def settings(self) -> dict[str, Any]:
        """Settings that differ from the defaults, as provider `files` of a study takes them."""
        defaults = Reading().content()
        return {name: value for name, value in self.content().items() if value != defaults[name]}

    @property
    def bar_format(self) -> BarFormat:
        """The format of the bars alone."""
        return BarFormat(
            calendar=self.calendar,
            hours=self.hours,
            stamp=self.stamp,
            timezone=self.timezone,
            bar=self.bar,
            day_zone=self.day_zone,
        )

    @property
    def layout(self) -> Layout:
        """The layout alone."""
        return Layout(**{name: getattr(self, name) for name in Layout.model_fields})


Given = Mapping[str, Any]  # what the user has given, by setting


@dataclass(frozen=True)
class Clue:
    """One guessed setting, the evidence, and how certain it is.

    setting    field of `Reading`, or `columns.close` and the like
    value      its likely value; None when nothing is known
    because    the evidence, as a sentence
    certainty  "given", "sure", "likely" or "unsure"; only the last must be answered
    choices    values to choose from when unsure
    """

    setting: str
    value: Any
    because: str
    certainty: str
    choices: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it must be answered."""
        return self.certainty == "unsure"

    @property
    def option(self) -> str:
        """The option of the command line that gives it."""
        if self.setting.startswith("columns."):
            return f"--columns {self.setting.removeprefix('columns.')}=NAME"
        return f"--{self.setting.replace('_', '-')}"

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "setting": self.setting,
            "value": self.value,
            "because": self.because,
            "certainty": self.certainty,
            "choices": list(self.choices),
        }


def as_given(setting: str, value: Any) -> Clue:
    """The clue of a setting that the user has given."""
    return Clue(setting, value, "As you say.", "given")
