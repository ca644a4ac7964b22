"""The contract of every check of bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from barstack.bars import Bars
from barstack.bars.checks import Check, Defect, Subject, levels_of
from barstack.worlds import WORLDS

from ._expect import expect, same

_CALENDAR = "XNYS"


def sound_bars() -> Bars:
    """400 bars of half an hour that fill New York's sessions, made up and without a fault.

    >>> sound_bars()
    Bars(W0001, 400 x 30min, 2016-01-04 14:30 UTC .. 2016-02-17 19:30 UTC)
    """
    kind = {"world": "martingale", "bars": 400, "calendar": _CALENDAR, "bar": "30min"}
    world = WORLDS.parse(kind | {"horizons": [1]})
    return world.bars_of(world.names[0])


def spoilt(bars: Bars) -> Iterator[tuple[str, Bars]]:
    """Bars with what goes wrong in sources: a split, a bad print, stale prices, no volume, holes.

    >>> [what for what, _ in spoilt(sound_bars())][:3]
    ['sound', 'a split', 'a bad print']
    """
    middle = len(bars) // 2
    yield "sound", bars
    yield "a split", _with(bars, slice(middle, None), 0.5)
    yield "a bad print", _with(bars, slice(middle, middle + 1), 1.3)
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][middle : middle + 20] = records["close"][middle - 1]
    yield "stale prices", replace(bars, records=records)
    records = bars.records.copy()
    records["volume"] = 0.0
    yield "no volume", replace(bars, records=records)
    yield "holes", replace(bars, records=bars.records[np.arange(len(bars)) % 7 != 3].copy())
    yield "one bar", bars[:1]
    yield "two bars", bars[:2]


def _with(bars: Bars, rows: slice, factor: float) -> Bars:
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][rows] *= factor
    return replace(bars, records=records)


def check_says_what_and_what_to_do(check: Check, bars: Bars) -> None:
    """Whatever the bars, it returns nothing or a defect with two sentences and times of bars."""
    for name, each in spoilt(bars):
        defect = _found(check, each)
        if defect is None:
            continue
        where = f"{check.name} on {name}"
        expect(isinstance(defect, Defect), f"{where} returns a {type(defect).__name__}.")
        expect(defect.count >= 1, f"{where} counts {defect.count}; return None for nothing.")
        for sentence in (defect.what, defect.advice):
            expect(sentence.endswith("."), f"{where} says {sentence!r}, which is no sentence.")
        at = np.asarray(defect.at)
        same(at.dtype.kind, "i", f"The kind of numbers of `at`, of {where},")
        expect((np.diff(at) >= 0).all(), f"{where} gives times that do not rise.")


def check_leaves_bars_as_they_are(check: Check, bars: Bars) -> None:
    """It looks, and changes nothing."""
    for name, each in spoilt(bars):
        before = each.records.copy()
        _found(check, each)
        np.testing.assert_array_equal(each.records, before, f"{check.name} on {name}")


def check_repeats(check: Check, bars: Bars) -> None:
    """The same bars give the same defect."""
    for name, each in spoilt(bars):
        one, two = (_found(check, each) for _ in range(2))
        same(one is None, two is None, f"Whether {check.name} on {name} finds something again")
        if one is not None and two is not None:
            same((two.count, two.what), (one.count, one.what), f"What {check.name} finds again")
            np.testing.assert_array_equal(two.at, one.at)


def check_is_silent_where_nothing_is_wrong(check: Check, bars: Bars) -> None:
    """Sound bars have no defect."""
    defect = _found(check, bars)
    expect(defect is None, f"{check.name} finds a defect in sound bars: {defect and defect.what}")


def check_can_be_named_by_studies(check: Check, bars: Bars) -> None:
    """A study can set its level, or leave it out."""
    same(levels_of({check.name: "warn"})[check.name], "warn", "The level that a study sets")
    expect(check.name not in levels_of({check.name: "ignore"}), "An ignored check is run.")


BAR_CHECKS = (
    check_says_what_and_what_to_do,
    check_leaves_bars_as_they_are,
    check_repeats,
    check_is_silent_where_nothing_is_wrong,
    check_can_be_named_by_studies,
)


def _found(check: Check, bars: Bars) -> Defect | None:
    return check.function(Subject(bars, _CALENDAR))
