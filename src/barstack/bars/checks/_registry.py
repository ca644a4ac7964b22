"""The names of checks; an outside package adds one with the same decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from barstack.core.registry import Registry

from ._finding import Defect, Level
from ._subject import Subject

CheckFunction = Callable[[Subject], Defect | None]


@dataclass(frozen=True)
class Check:
    """A check function with its name, what it does by default, and what it looks for."""

    name: str
    level: Level
    about: str
    function: CheckFunction

    @property
    def origin(self) -> str:
        """Where its function was written."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


CHECKS: Registry[Check] = Registry("check", "barstack.bars.checks")


def check(level: Level, about: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register `function(subject) -> Defect | None` as a check of the function's name."""

    def decorate(function: CheckFunction) -> CheckFunction:
        CHECKS.add(function.__name__, Check(function.__name__, level, about, function))
        return function

    return decorate
