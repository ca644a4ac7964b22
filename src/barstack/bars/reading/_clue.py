"""One thing that was guessed of a table: its value, the evidence, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Given = Mapping[str, Any]  # what the user has said, by setting


@dataclass(frozen=True)
class Clue:
    """One guess.

    setting    field of `Reading`, or `columns.close` and the like
    value      what it is taken to be; None when nothing is known
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
        """Whether nobody may go on without an answer."""
        return self.certainty == "unsure"

    @property
    def option(self) -> str:
        """How to say it on the command line."""
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


def given(setting: str, value: Any) -> Clue:
    """What need not be guessed."""
    return Clue(setting, value, "As you say.", "given")
