"""The registered checks, and running them on every symbol at the requested levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from barstack.core.arrays import Ints
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.registry import Registry

from .._bars import Bars, Panel, as_panel
from .._sessions import ALWAYS
from ._finding import NO_TIMES, Defect, Finding, Level
from ._structure import STRUCTURAL
from ._subject import Subject

CheckFunction = Callable[[Subject], Defect | None]


@dataclass(frozen=True)
class Check:
    """A check function with its name, default level, and what it looks for."""

    name: str
    level: Level
    about: str
    function: CheckFunction

    @property
    def origin(self) -> str:
        """Module and name of its function."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


CHECKS: Registry[Check] = Registry("check", "barstack.bars.checks")


def check(level: Level, about: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register `function(subject) -> Defect | None` as a check of the function's name."""

    def decorate(function: CheckFunction) -> CheckFunction:
        CHECKS.add(function.__name__, Check(function.__name__, level, about, function))
        return function

    return decorate


Wanted = Literal["refuse", "warn", "ignore"]
LEVELS: tuple[str, ...] = get_args(Wanted)


def levels_of(wanted: Mapping[str, str] | None = None) -> dict[str, Level]:
    """The level of every check to run; `wanted` overrides defaults, `ignore` excludes checks.

    Raises `ConfigError` for an unknown check or level, and for a structural check below refuse.

    >>> levels = levels_of({"spikes": "refuse", "jumps": "ignore"})
    >>> levels["spikes"], "jumps" in levels
    ('refuse', False)
    """
    wanted = dict(wanted or {})
    for name, level in wanted.items():
        if level not in LEVELS:
            raise ConfigError(
                f"checks.{name}: unknown level {level!r}. {did_you_mean(level, LEVELS)}"
            )
        if name in STRUCTURAL:
            if level != "refuse":
                raise ConfigError(
                    f"checks.{name}: always refuses and cannot be set to {level!r}, because bars "
                    f"that fail it are meaningless ({STRUCTURAL[name]}). Correct the source."
                )
        elif name not in CHECKS.names():
            known = [*CHECKS.names(), *STRUCTURAL]
            raise ConfigError(f"Unknown check {name!r}. {did_you_mean(name, known)}")
    levels: dict[str, Level] = {}
    for name in CHECKS.names():
        level = wanted.get(name, CHECKS.get(name).level)
        if level != "ignore":
            levels[name] = "refuse" if level == "refuse" else "warn"
    return levels


def find(
    panel: Bars | Panel,
    *,
    calendar: str = ALWAYS,
    hours: str = "regular",
    levels: Mapping[str, str] | None = None,
    outside_at: Mapping[str, Ints] | None = None,
) -> list[Finding]:
    """All findings, those that refuse first, then by symbol and check.

    calendar, hours  the sessions that the bars should fill
    levels           "refuse", "warn" or "ignore" by check, where not the default
    outside_at       by symbol, starts of the bars left out as outside the sessions, if known

    >>> from barstack.testing import walk
    >>> find(walk(bars=52), calendar="XNYS")  # four days; its Fridays are half ones
    []
    """
    run = levels_of(levels)
    found = []
    for symbol, bars in as_panel(panel).items():
        if not len(bars):
            continue
        left_out = (outside_at or {}).get(symbol, NO_TIMES)
        subject = Subject(bars, calendar, hours, left_out)
        for name, level in run.items():
            defect = CHECKS.get(name).function(subject)
            if defect is not None:
                found.append(Finding.of(defect, name, symbol, level))
    return sorted(found, key=lambda each: (each.level != "refuse", each.symbol, each.check))
