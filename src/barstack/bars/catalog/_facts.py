"""Facts that hold for all bars of a collection, in its file `about.json`."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from barstack.core.errors import ConfigError, StorageError
from barstack.core.files import make_folder, new_file
from barstack.core.spec import Spec
from barstack.core.times import parse_duration

from .._sessions import ALWAYS
from ._folders import bytes_of, locked

ABOUT = "about.json"


class Facts(Spec):
    """Facts that hold for all bars of a collection.

    >>> Facts(bar="5min", calendar="XNYS").length_us // 60_000_000
    5
    """

    bar: str  # length of a bar, such as 5min
    calendar: str = ALWAYS  # exchange code such as XNYS; its sessions end bars and days
    hours: Literal["regular", "extended"] = "regular"  # of the bars read by default
    source: str = ""  # where the bars come from, in words
    day_zone: str | None = None  # with 24/7, on whose clock bars longer than an hour begin

    @field_validator("bar")
    @classmethod
    def _check_bar(cls, text: str) -> str:
        parse_duration(text)
        return text

    @cached_property
    def length_us(self) -> int:
        """Length of a bar, microseconds."""
        return parse_duration(self.bar)

    def save(self, folder: Path) -> None:
        """Write them durably."""
        with new_file(folder / ABOUT, durable=True) as scratch:
            scratch.write_text(json.dumps(self.content(), indent=1) + "\n")

    def begin(self, folder: Path) -> Facts:
        """Write them unless there are some; those in force, `ConfigError` as in `compatible`."""
        make_folder(folder)
        with locked(folder / ".lock"):
            try:
                found = self.load(folder)
            except FileNotFoundError:
                self.save(folder)
                return self
        return found.compatible(folder, self)

    def compatible(self, folder: Path, wanted: Facts) -> Facts:
        """These facts of `folder`; `ConfigError` where bars as `wanted` do not belong there."""
        for what, theirs, ours, differ in (
            ("bars", self.bar, wanted.bar, self.length_us != wanted.length_us),
            ("calendar", self.calendar, wanted.calendar, self.calendar != wanted.calendar),
        ):
            if differ:
                raise ConfigError(
                    f"Collection {folder.name!r} has {what} {theirs}, not {ours}. A collection "
                    "holds bars of one length on one calendar: choose another name for these."
                )
        return self

    @classmethod
    def load(cls, folder: Path) -> Facts:
        """Read them; FileNotFoundError where there are none, `StorageError` where damaged."""
        file = folder / ABOUT
        text = bytes_of(file)
        try:
            content = json.loads(text)
            if not isinstance(content, dict):
                raise TypeError("it is not an object")
            if "calendar" not in content:  # 24/7 would be a guess, by which every night is a gap
                raise TypeError("it names no calendar")
            return cls(**content)
        except (ValueError, TypeError, ConfigError) as error:
            raise StorageError(
                f"{file} is damaged: {error}. Write it again, such as "
                '{"bar": "5min", "calendar": "XNYS", "hours": "regular", "source": ""}.'
            ) from None
