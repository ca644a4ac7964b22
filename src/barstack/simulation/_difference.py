"""Why two runs of the path differ: each difference is traced to the first link that differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from barstack.core.arrays import Array
from barstack.core.times import iso

from ._simulation import Simulation, words_of

Cause = Literal["bars", "forecast", "risk", "latency", "fill", "costs"]
_SHOWN = 5
_DECISION = ("position", "kind", "price", "stop", "take", "trail", "hold_bars", "valid_bars")


@dataclass(frozen=True)
class PathDifference:
    """One difference between two runs.

    Attributes
    ----------
    cause
        The first link of the path that differs: "bars", "forecast" (the decision itself), "risk"
        (what limits made of it), "latency" (when its order filled), "fill" (whether, how much or at
        which price), or "costs".
    symbol
        Of which symbol.
    at
        Microseconds of the bar, decision or fill.
    what
        Both sides, in words.
    """

    cause: Cause
    symbol: str
    at: int
    what: str


@dataclass(frozen=True)
class PathDifferences:
    """All differences between two runs, in order of time.

    Attributes
    ----------
    found
        Each with its cause.
    equity
        At the end, of the one and the other.
    """

    found: tuple[PathDifference, ...]
    equity: tuple[float, float]

    @property
    def counts(self) -> dict[str, int]:
        """Number by cause."""
        return dict(Counter(each.cause for each in self.found).most_common())

    def __str__(self) -> str:
        if not self.found:
            return "The two runs are the same."
        first = self.found[:_SHOWN]
        lines = [f"{each.cause}: {each.symbol} at {iso(np.int64(each.at))}: {each.what}"
                 for each in first]  # fmt: skip
        counted = ", ".join(f"{count:,} by {cause}" for cause, count in self.counts.items())
        return "\n".join([f"{len(self.found):,} differences: {counted}.", *lines])


def explain_difference(one: Simulation, other: Simulation) -> PathDifferences:
    """Attribute every difference between two runs to bars, forecast, risk, latency, fill or costs.

    A difference is of the first link that differs: where bars up to a decision are not the same,
    what follows in that symbol is due to the bars; where they are and the decision is another, to
    the forecast; and so on.

    >>> from barstack.simulation import Targets, simulate_targets
    >>> from barstack.testing import walk
    >>> bars = walk(bars=30)
    >>> targets = Targets.of("WALK", bars.closed_at[5], 1.0)
    >>> one = simulate_targets(bars, targets)
    >>> other = simulate_targets(bars, targets, {"limits": {"max_gross": 0.5}})
    >>> explain_difference(one, other).counts
    {'risk': 3}
    """
    found: list[PathDifference] = []
    for symbol in sorted({*one.symbols, *other.symbols}):
        found += _of_symbol(one, other, symbol)
    found.sort(key=lambda each: (each.at, each.symbol))
    return PathDifferences(tuple(found), (one.equity, other.equity))


def _of_symbol(one: Simulation, other: Simulation, symbol: str) -> list[PathDifference]:
    bars_at = _first_bar(one, other, symbol)
    found = []
    if bars_at is not None:
        found.append(
            PathDifference("bars", symbol, bars_at, "from this close on bars are not the same")
        )
    blamed: dict[int, Cause] = {}

    def add(cause: Cause, at: int, key: int, what: str) -> None:
        if bars_at is not None and at >= bars_at:
            cause = "bars"
        # Later links of a decision that differs already are due to what differed first.
        earlier = [each for each in found if each.at <= at]
        if key:
            cause = blamed.setdefault(key, cause)
        elif earlier:  # an exit from a position that differs already
            cause = max(earlier, key=lambda each: each.at).cause
        found.append(PathDifference(cause, symbol, at, what))

    links = (
        ("forecast", _decisions(one, symbol), _decisions(other, symbol)),
        ("risk", _log(one, symbol), _log(other, symbol)),
    )
    for cause, mine, theirs in links:
        for key in sorted({*mine, *theirs}):
            if mine.get(key) != theirs.get(key):
                what = f"{mine.get(key, 'nothing')} against {theirs.get(key, 'nothing')}"
                add(cause, key, key, what)  # type: ignore[arg-type]
    # Fills of decisions before exits, which are due to them.
    for key, mine, theirs in reversed(_paired_fills(one, other, symbol)):
        at = mine["at"] if mine is not None else theirs["at"]
        if mine is None or theirs is None:
            add("fill", int(at), key, f"{_fill(mine)} against {_fill(theirs)}")
        elif mine["at"] != theirs["at"]:
            add("latency", int(at), key, f"{_fill(mine)} against {_fill(theirs)}")
        elif (mine["price"], mine["quantity"]) != (theirs["price"], theirs["quantity"]):
            add("fill", int(at), key, f"{_fill(mine)} against {_fill(theirs)}")
        elif _cost(mine) != _cost(theirs):
            add("costs", int(at), key, f"{_cost(mine):g} against {_cost(theirs):g}")
    return found


def _first_bar(one: Simulation, other: Simulation, symbol: str) -> int | None:
    """Close of the first bar that is not the same; None where all are."""
    if symbol not in one.panel or symbol not in other.panel:
        only = one.panel.get(symbol) or other.panel[symbol]
        return int(only.records["closed_at"][0]) if len(only) else None
    mine, theirs = one.panel[symbol].records, other.panel[symbol].records
    count = min(len(mine), len(theirs))
    same = mine[:count] == theirs[:count]
    if not same.all():
        row = int(np.argmin(same))
        return int(min(mine["closed_at"][row], theirs["closed_at"][row]))
    if len(mine) == len(theirs):
        return None
    longer = mine if len(mine) > count else theirs
    return int(longer["closed_at"][count])


def _decisions(run: Simulation, symbol: str) -> dict[int, str]:
    own = run.targets
    (rows,) = np.nonzero(own.decisions.symbol == symbol)
    times = own.decisions.decided_at.astype("datetime64[us]").astype(np.int64)
    return {
        int(times[row]): ", ".join(
            f"{name} {getattr(own, name)[row]:g}"
            for name in _DECISION
            if np.isfinite(getattr(own, name)[row])
        )
        for row in rows
    }


def _log(run: Simulation, symbol: str) -> dict[int, str]:
    """By decision what became of its order, without what merely followed from its fills."""
    found: dict[int, str] = {}
    for each in run.log[run.log["symbol"] == _code(run, symbol)]:
        text = f"{words_of(each['reason'])} to {each['allowed']:g}"
        key = int(each["decided_at"])
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _code(run: Simulation, symbol: str) -> int:
    return run.symbols.index(symbol) if symbol in run.symbols else -1


def _paired_fills(one: Simulation, other: Simulation, symbol: str) -> list[tuple[int, Any, Any]]:
    """Fills of the same decision, or exits in their order, side by side."""
    sides: list[dict[tuple[int, int], Array]] = []
    for run in (one, other):
        seen: Counter[int] = Counter()
        rows: dict[tuple[int, int], Array] = {}
        for fill in run.fills[run.fills["symbol"] == _code(run, symbol)]:
            key = int(fill["decided_at"])
            rows[key, seen[key]] = fill
            seen[key] += 1
        sides.append(rows)
    mine, theirs = sides
    return [(key[0], mine.get(key), theirs.get(key)) for key in sorted({*mine, *theirs})]


def _fill(fill: Any) -> str:
    if fill is None:
        return "no fill"
    at, reason = iso(np.int64(fill["at"])), words_of(fill["reason"])
    return f"{fill['quantity']:+g} at {fill['price']:g} ({reason}, {at})"


def _cost(fill: Any) -> float:
    return float(fill["commission"] + fill["spread"] + fill["slippage"] + fill["impact"])
