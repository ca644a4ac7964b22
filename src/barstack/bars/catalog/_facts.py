"""What holds for all bars of a collection, in its file `about.json`."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import field_validator

from barstack.core.errors import ConfigError, StorageError
from barstack.core.files import new_file
from barstack.core.spec import Spec
from barstack.core.times import parse_duration

from .._sessions import ALWAYS

ABOUT = "about.json"


class Facts(Spec):
    """What holds for all bars of a collection.

    >>> Facts(bar="5min", calendar="XNYS").length_us // 60_000_000
    5
    """

    bar: str  # length of a bar, such as 5min
    calendar: str = ALWAYS  # exchange code such as XNYS; its sessions end bars and days
    hours: Literal["regular", "extended"] = "regular"  # which bars one gets by default
    source: str = ""  # where the bars came from, in words

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
        """Write them down, for good."""
        with new_file(folder / ABOUT, durable=True) as scratch:
            scratch.write_text(json.dumps(self.content(), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Facts:
        """Read them; FileNotFoundError where there are none, `StorageError` where damaged."""
        file = folder / ABOUT
        text = file.read_bytes()
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError, ConfigError) as error:
            raise StorageError(
                f"{file} is damaged: {error}. Write it again, such as "
                '{"bar": "5min", "calendar": "XNYS", "hours": "regular", "source": ""}.'
            ) from None
