"""How a measure spreads over experiments that share something: box plots, sensitivities."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from barstack.tracking import Experiment

from ._measures import ShownMeasure

_SETTINGS = {
    "learning_rate": "Learning rate",
    "batch_size": "Batch size",
    "weight_decay": "Weight decay",
    "period": "History",
    "horizon_name": "Horizon",
}
_NUMBERS = ("learning_rate", "batch_size", "weight_decay")


@dataclass(frozen=True)
class Spread:
    """A box plot of one group: extremes, quartiles (linear interpolation), median and mean."""

    name: str
    count: int
    lowest: float
    lower: float
    median: float
    upper: float
    highest: float
    mean: float


def spread(name: str, values: Sequence[float]) -> Spread:
    """Of at least one value.

    >>> spread("lstm", [1.0, 2.0, 3.0, 4.0]).lower
    1.75
    """
    ordered = sorted(values)

    def at(share: float) -> float:
        place = share * (len(ordered) - 1)
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (place - below) * (ordered[above] - ordered[below])

    return Spread(
        name=name,
        count=len(ordered),
        lowest=ordered[0],
        lower=at(0.25),
        median=at(0.5),
        upper=at(0.75),
        highest=ordered[-1],
        mean=math.fsum(ordered) / len(ordered),
    )


def spreads(
    rows: Sequence[Experiment],
    measure: ShownMeasure,
    group: Callable[[Experiment], Hashable],
    order: Callable[[Any], Any],
) -> list[Spread]:
    """One for each group of completed experiments.

    group  what those of a group share; an experiment for which it is None or "" is left out
    order  key by which groups are sorted
    """
    values: dict[Hashable, list[float]] = {}
    for row in rows:
        key, value = group(row), measure.of(row)
        if row.status == "completed" and key not in (None, "") and value is not None:
            values.setdefault(key, []).append(value)
    named = sorted(values, key=order)
    return [spread(_named(key), values[key]) for key in named]


def per_model(rows: Sequence[Experiment], measure: ShownMeasure) -> list[Spread]:
    """A box for each model, the best median first."""
    found = spreads(rows, measure, lambda row: row.model_name, str)
    sign = -1.0 if measure.higher else 1.0
    return sorted(found, key=lambda each: sign * each.median)


def sensitivities(
    rows: Sequence[Experiment], measure: ShownMeasure, natural: Callable[[str], Any]
) -> list[tuple[str, list[Spread]]]:
    """By setting that varies: learning rate, batch, weight decay, history and horizon."""
    found = []
    for column, head in _SETTINGS.items():
        order = float if column in _NUMBERS else natural
        own = spreads(rows, measure, attrgetter(column), order)
        if len(own) > 1:
            found.append((head, own))
    return found


def _named(key: Hashable) -> str:
    return f"{key:g}" if isinstance(key, int | float) else str(key)


@dataclass(frozen=True)
class Scale:
    """A common axis: places in percent of its width."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value lies, from 0 to 100.

        >>> Scale(0.4, 0.6, ()).at(0.5)
        50.0
        """
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(max(share, 0.0), 1.0), 3)


def scale_of(found: Sequence[Spread], centre: float | None) -> Scale:
    """An axis that holds all boxes, and the centre of the measure where it has one."""
    ends = [each.lowest for each in found] + [each.highest for each in found]
    ends += [] if centre is None else [centre]
    low, high = min(ends), max(ends)
    margin = 0.04 * (high - low) or abs(low) * 0.04 or 1.0
    low, high = low - margin, high + margin
    return Scale(low, high, tuple(round_values(low, high)))


def round_values(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers within an interval, at most one more than `most`, for the ticks of an axis.

    >>> round_values(0.441, 0.583)
    [0.45, 0.5, 0.55]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{each * step:.12g}") for each in range(first, last + 1)]
