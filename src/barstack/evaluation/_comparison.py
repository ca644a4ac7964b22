"""Forecasters of one run or several, side by side on the decisions that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

import numpy as np
import polars as pl

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError
from barstack.core.forecast import Target, level_name, signal_of
from barstack.core.horizon import Horizon

from . import _metrics as metrics
from ._findings import Correlation
from ._gains import ic_difference
from ._scores import ic_se
from ._standard_errors import TimeBlocks, blocks_of, jackknife_se, overlap_of, reach

_ROW = ["decided_at", "symbol"]
_SAME = 1e-9  # of returns: what one and the same label may differ by between two runs


@dataclass(frozen=True)
class Compared:
    """One forecaster at one horizon, on the shared decisions.

    behind  by how much its IC lies below that of the best, with the standard error of just that
            difference: of two forecasters that err alike it is small
    reach   standard errors that a 95 % interval reaches each way
    """

    name: str
    directional_accuracy: float | None
    directional_accuracy_se: float | None
    ic: float | None
    ic_se: float | None
    behind: float | None
    behind_se: float | None
    reach: float = 2.0

    @property
    def distinguished(self) -> bool:
        """Whether the 95 % interval of its distance to the best leaves out 0."""
        if self.behind is None or self.behind_se is None:
            return False
        return self.behind > self.reach * self.behind_se


@dataclass(frozen=True)
class Comparison:
    """Everyone at one horizon, best information coefficient first."""

    horizon: str
    n_decisions: int
    first_at: str
    last_at: str
    entries: list[Compared]
    correlation: Correlation

    @property
    def sentence(self) -> str:
        """Who is best, and whether the difference is significant."""
        best, when = self.entries[0], Horizon.parse(self.horizon).in_words
        if best.ic is None:
            return f"{when} ahead nobody's forecasts change, so nobody is best."
        rest = self.entries[1:]
        alike = sum(not each.distinguished for each in rest)
        error = "" if best.ic_se is None else f" ± {best.ic_se:.3f}"
        text = f"Best {when} ahead: {best.name}, IC {best.ic:.3f}{error}"
        if best.ic_se is None or best.ic <= best.reach * best.ic_se:
            return f"{text}: not distinguishable from no skill at all."
        if not rest:
            return f"{text}."
        if len(rest) == 1:
            return f"{text}; the other {'cannot' if alike else 'can'} be distinguished from it."
        return f"{text}; {alike} of the {len(rest)} others cannot be distinguished from it."

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self) | {"sentence": self.sentence}


def compare(tables: Mapping[str, pl.DataFrame]) -> list[Comparison]:
    """Comparisons of forecasters at each horizon that all of them forecast.

    Parameters
    ----------
    tables
        By name, forecasts with realised returns, as `test.parquet` of a member has them.

    Raises
    ------
    ConfigError
        Where they share no horizon or no decision.
    DataError
        Where realised returns differ: runs on other bars or with other labels are not comparable.
    """
    tables = {name: _renamed(table) for name, table in tables.items()}
    horizons = [
        name.removeprefix("realised_")
        for name in next(iter(tables.values())).columns
        if name.startswith("realised_") and all(name in table.columns for table in tables.values())
    ]
    if not horizons:
        raise ConfigError(f"{', '.join(tables)} share no horizon. Compare runs of the same label.")
    return [_at(horizon, tables) for horizon in horizons]


def _renamed(table: pl.DataFrame) -> pl.DataFrame:
    """With the names of today for columns that version 0.1 called came_4h."""
    old = [name for name in table.columns if name.startswith("came_")]
    return table.rename({name: "realised_" + name.removeprefix("came_") for name in old})


def _at(horizon: str, tables: Mapping[str, pl.DataFrame]) -> Comparison:
    known = {
        name: table.filter(pl.col(f"realised_{horizon}").is_not_null())
        for name, table in tables.items()
    }
    shared = reduce(
        lambda one, two: one.join(two, on=_ROW), (each.select(_ROW) for each in known.values())
    ).sort(_ROW)
    if len(shared) < 2:
        raise ConfigError(
            f"{', '.join(tables)} share {len(shared)} decisions at {horizon}. Compare runs on the "
            "same symbols and the same time."
        )
    same = {
        name: shared.join(table, on=_ROW, maintain_order="left") for name, table in known.items()
    }
    first = next(iter(same.values()))
    realised = first[f"realised_{horizon}"].to_numpy()
    for name, table in same.items():
        gap = np.abs(table[f"realised_{horizon}"].to_numpy() - realised)
        if gap.max() > _SAME:
            row = int(gap.argmax())
            ours, theirs = table[f"realised_{horizon}"][row], realised[row]
            where = f"{first['symbol'][row]} at {first['decided_at'][row]}"
            raise DataError(
                f"{name} and {next(iter(same))} have different realised returns: that of "
                f"{where} is {ours:.6g} for one and {theirs:.6g} for the other. Compare "
                "runs on the same bars and label."
            )
    times = first["decided_at"].to_numpy()
    blocks = blocks_of(times, overlap_of(times, first[f"known_at_{horizon}"].to_numpy()))
    signals = {name: signal_in(table, horizon) for name, table in same.items()}
    order = sorted(signals, key=lambda name: _or_last(metrics.ic(signals[name], realised)))
    best = signals[order[0]]
    entries = [_entry(name, signals[name], best, realised, blocks) for name in order]
    matrix = [[_present(metrics.ic(signals[a], signals[b])) for b in order] for a in order]
    first_at, last_at = (str(times[place])[:16].replace("T", " ") for place in (0, -1))
    correlation = Correlation(horizon, order, matrix)
    return Comparison(horizon, len(shared), first_at, last_at, entries, correlation)


def signal_in(table: pl.DataFrame, horizon: str) -> Floats:
    """(n_rows,) positive for up, as `Forecast.signal` has it; `DataError` where there is none."""
    median, up = f"{level_name(0.5)}_{horizon}", f"p_up_{horizon}"
    buy, sell = f"p_buy_{horizon}", f"p_sell_{horizon}"
    for name in (f"return_{horizon}", median):
        if name in table.columns:
            return np.asarray(table[name])
    if up in table.columns:
        return np.asarray(2.0 * table[up] - 1.0)
    if buy in table.columns:
        shares = table.select(sell, f"p_hold_{horizon}", buy).to_numpy()[:, None, :]
        return signal_of(shares, Target("three_class", (horizon,)))[:, 0]
    raise DataError(
        f"A table of forecasts has nothing for {horizon}, only {', '.join(table.columns)}. Run the "
        "study again; finished steps are reused."
    )


def _entry(
    name: str, signal: Floats, best: Floats, realised: Floats, blocks: TimeBlocks
) -> Compared:
    hits, ic = metrics.hits(signal, realised), metrics.ic(signal, realised)
    accuracy = metrics.mean(hits)
    behind, behind_se = ic_difference(best, signal, realised, blocks)

    def error(value: float, statistic: Callable[[Floats], Floats], terms: Floats) -> float | None:
        return jackknife_se(statistic, terms, blocks) if np.isfinite(value) else None

    return Compared(
        name,
        _present(accuracy),
        error(accuracy, metrics.mean_of_sums, metrics.mean_terms(hits)),
        _present(ic),
        ic_se(signal, realised, blocks) if np.isfinite(ic) else None,
        behind,
        behind_se,
        reach(blocks.count),
    )


def _present(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _or_last(ic: float) -> float:
    """Sorts the highest first, and those without one last."""
    return -ic if np.isfinite(ic) else np.inf
