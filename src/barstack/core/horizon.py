"""How far ahead a forecast looks, as one canonical value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Any, Literal

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from .errors import ConfigError
from .times import format_duration, parse_duration

# A count of more digits than a 64-bit integer holds is refused.
_COUNT = re.compile(r"\s*([0-9]{1,18})\s*(?:(bar|session)s?)?\s*")


@total_ordering
@dataclass(frozen=True, slots=True)
class Horizon:
    """A number of bars, a number of sessions, or a length of time.

    Horizons that mean the same are equal. Those of one unit are ordered; to compare a number of
    bars with a length of time is a `TypeError`.

    Attributes
    ----------
    unit
        What `count` counts; `us` are microseconds on the clock.
    count
        1 or more.

    >>> Horizon.parse("60min") == Horizon.parse("1h"), Horizon.parse(12) == Horizon.parse("12bars")
    (True, True)
    >>> [Horizon.parse(each).name for each in (12, "24h", "1sessions")]
    ['12bars', '1d', '1session']
    """

    unit: Literal["bars", "sessions", "us"]
    count: int

    def __post_init__(self) -> None:
        if self.count < 1:
            least = "1session" if self.unit == "sessions" else "1"
            raise ConfigError(
                f"A horizon of {self.count} {self.unit} does not lie ahead; give {least} or more."
            )

    @classmethod
    def parse(cls, value: Any) -> Horizon:
        """Read `12` (bars), `12bars`, `4h`, `60min` or `2sessions`; return a `Horizon` as it is.

        Raises
        ------
        ConfigError
            Where the value is none of these, or does not lie ahead.
        """
        if isinstance(value, Horizon):
            return value
        if isinstance(value, str):
            match = _COUNT.fullmatch(value)
            if match is None:
                return cls("us", parse_duration(value))
            return cls("sessions" if match[2] == "session" else "bars", int(match[1]))
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise ConfigError(
                f"{value!r:.80} is not a horizon. Write a duration such as 4h, or a number of bars "
                "or sessions such as 12 or 2sessions."
            )
        return cls("bars", int(value))

    @property
    def name(self) -> str:
        """The form used in names of columns: `12bars`, `4h`, `1session`."""
        return f"{self.count}bars" if self.unit == "bars" else str(self.content())

    def content(self) -> str | int:
        """Plain data from which `parse` makes an equal horizon."""
        if self.unit == "us":
            return format_duration(self.count)
        return self.count if self.unit == "bars" else self._spelled("")

    @property
    def in_words(self) -> str:
        """As it stands in a sentence.

        >>> [Horizon.parse(each).in_words for each in (1, 12, "4h", "2sessions")]
        ['1 bar', '12 bars', '4h', '2 sessions']
        """
        return self.name if self.unit == "us" else self._spelled(" ")

    @property
    def adjective(self) -> str:
        """As it stands before a noun.

        >>> [Horizon.parse(each).adjective for each in (12, "4h", "2sessions")]
        ['12-bar', '4h', '2-session']
        """
        return self.name if self.unit == "us" else f"{self.count}-{self.unit[:-1]}"

    def _spelled(self, space: str) -> str:
        return f"{self.count}{space}{self.unit if self.count > 1 else self.unit[:-1]}"

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Horizon({self.name!r})"

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, Horizon) or other.unit != self.unit:
            return NotImplemented
        return self.count < other.count

    def check_bar_length(self, bar_us: int, symbol: str) -> None:
        """`ConfigError` where it is a length of time and no whole number of bars of `bar_us`."""
        if self.unit != "us":
            return
        bar = format_duration(bar_us)
        if self.count < bar_us:
            raise ConfigError(
                f"Horizon {self} is shorter than a bar of {symbol} ({bar}). Ask for one bar or "
                "more."
            )
        if self.count % bar_us:
            below = self.count - self.count % bar_us
            raise ConfigError(
                f"Horizon {self} is no whole number of bars of {symbol}, {bar} each: it would end "
                f"at a later close than it names. Ask for {format_duration(below)} or "
                f"{format_duration(below + bar_us)}."
            )

    # The two methods below let a field of a spec be a `Horizon`, read from and written as its
    # plain form.
    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.parse,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.content),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string"}, {"type": "integer"}]}
