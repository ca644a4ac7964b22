"""Which features, with which parameters, on which timeframes: a spec, its columns, its stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from barstack.bars import (
    BAR,
    Bars,
    Panel,
    Series,
    aggregate,
    as_panel,
    check_higher,
    no_bar_forming,
)
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec
from barstack.core.times import ClosedAt, decide_at_close, format_duration, parse_duration

from ._kernel import FEATURES, Kernel, run_loop
from ._series_stream import SeriesStream, read_series

# Bars fed to one kernel before the next: this many stay in the processor's cache.
_BLOCK_BARS = 2048


class Feature(Spec):
    """One column: a registered feature, its parameters, and the timeframe it looks at."""

    feature: str
    params: dict[str, int | float] = Field(default_factory=dict)
    timeframe: str | None = None  # such as 4h or 1d; by default the bars' own

    @model_validator(mode="after")
    def _check(self) -> Feature:
        known = self.kernel.params
        for name, value in self.params.items():
            if name not in known:
                raise ConfigError(
                    f"Feature {self.feature!r} has no parameter {name!r}. "
                    f"{did_you_mean(name, known)}"
                )
            if isinstance(known[name], int) and (value != int(value) or value < 1):
                raise ConfigError(
                    f"Feature {self.feature!r}: {name} must be a whole number of at least 1, "
                    f"got {value}."
                )
        if self.timeframe is not None:
            parse_duration(self.timeframe)
        return self

    def identity(self) -> list[Any]:
        """The formula itself and all parameters: an edited kernel is another feature, while a
        default written out is not."""
        return [self.kernel.name, self.kernel.code_id, list(self.values), self.timeframe]

    @cached_property
    def kernel(self) -> Kernel:
        return FEATURES.get(self.feature)

    @cached_property
    def values(self) -> tuple[int | float, ...]:
        """Parameters in the kernel's order, each in the type of its default."""
        return tuple(
            type(default)(self.params.get(name, default))
            for name, default in self.kernel.params.items()
        )

    @property
    def name(self) -> str:
        """Column name, such as `rsi_14` or `rsi_14@1d`."""
        text = "_".join([self.feature, *(f"{value:g}" for value in self.values)])
        return f"{text}@{self.timeframe}" if self.timeframe else text

    @property
    def warmup(self) -> int:
        """Bars of its timeframe before the first value."""
        return self.kernel.warmup_for(self.values)


class FeatureSet(Spec):
    """Several features of the bars, in column order, then the columns of series."""

    features: tuple[Feature, ...]
    series: dict[str, Series] = Field(default_factory=dict)

    @field_validator("series")
    @classmethod
    def _sort(cls, series: dict[str, Series]) -> dict[str, Series]:
        """By name, as equal sets must have equal columns in whatever order they were written."""
        return dict(sorted(series.items()))

    @model_validator(mode="after")
    def _check(self) -> FeatureSet:
        if not self.features:
            raise ConfigError("A feature set needs at least one feature.")
        repeated = {name for name in self.columns if self.columns.count(name) > 1}
        if repeated:
            raise ConfigError(f"Features given twice: {', '.join(sorted(repeated))}. Remove one.")
        for name in self.series:
            if not name.replace("_", "").isalnum():
                raise ConfigError(f"Series name {name!r}: use letters, digits and _ only.")
        return self

    def identity(self) -> list[Any]:
        """Without series, what it was before there were any."""
        *front, fields = super().identity()
        return [*front, {name: item for name, item in fields.items() if item or name != "series"}]

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order; those of series such as `news.sentiment`."""
        own = (feature.name for feature in self.features)
        joined = (
            f"{name}.{column}" for name, spec in self.series.items() for column in spec.column_names
        )
        return (*own, *joined)

    def stream(
        self, bar_length_us: int, symbol: str = "", series: Mapping[str, Any] | None = None
    ) -> FeatureStream:
        """A stream before its first bar, for bars of this length.

        symbol, series  needed where there are series: whom it is about, and what is known so far
        """
        known = SeriesStream(self.series, read_series(self.series, series), symbol)
        return FeatureStream(self, bar_length_us, known)

    def compute(self, bars: Bars | Panel, series: Mapping[str, Any] | None = None) -> FeatureTable:
        """All features of all bars, each symbol by itself: its stream, fed everything at once.

        series  where the set has any: a `SeriesTable`, or a pandas or polars table, by name

        >>> from barstack.testing import walk
        >>> features = FeatureSet(features=[Feature(feature="rsi"), Feature(feature="body")])
        >>> features.compute(walk(bars=50)).values.shape
        (50, 2)
        """
        panel = as_panel(bars)
        known = read_series(self.series, series)
        blocks = [
            self.stream(bars.length_us, symbol, known).update(bars.records)
            for symbol, bars in panel.items()
        ]
        return FeatureTable(decisions_of(panel), self.columns, np.concatenate(blocks))


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of every decision.

    decisions  the rows
    columns    names, in order
    values     (n_rows, n_columns) float64, NaN in each column's warm-up
    """

    decisions: Decisions
    columns: tuple[str, ...]
    values: npt.NDArray[np.float64]


def decisions_of(panel: Panel) -> Decisions:
    """One decision at the close of every bar of every symbol."""
    return Decisions.concatenate(
        {symbol: decide_at_close(bars.closed_at) for symbol, bars in as_panel(panel).items()}
    )


class FeatureStream:
    """All features of one symbol, bar by bar. History is the same stream fed in one piece."""

    def __init__(self, features: FeatureSet, bar_length_us: int, series: SeriesStream) -> None:
        self.columns = features.columns
        self._series = series
        by_timeframe: dict[str | None, list[int]] = {}
        for column, feature in enumerate(features.features):
            by_timeframe.setdefault(feature.timeframe, []).append(column)
        self._states = [
            np.zeros(feature.kernel.memory_for(feature.values)) for feature in features.features
        ]
        self._features = features.features
        self._own = by_timeframe.pop(None, [])
        self._higher = [
            _Higher(parse_duration(timeframe), columns, bar_length_us)
            for timeframe, columns in by_timeframe.items()
            if timeframe is not None
        ]

    def update(self, records: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Features after each of the next bars.

        records  (n_bars,) of dtype `BAR`, later than all given before
        returns  (n_bars, n_columns)
        """
        out = np.empty((len(self._features), len(records)))
        for start in range(0, len(records), _BLOCK_BARS):
            block = records[start : start + _BLOCK_BARS]
            part = out[:, start : start + len(block)]
            for column in self._own:
                self._run(column, block, part[column])
            for higher in self._higher:
                self._run_higher(higher, block, part)
        closed_at = ClosedAt(np.ascontiguousarray(records["closed_at"]).view("datetime64[us]"))
        known = self._series.update(decide_at_close(closed_at))
        return np.ascontiguousarray(np.column_stack([out.T, *known]))

    def know(self, name: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, seen by decisions from its `known_at` on.

        row  as in the series' table: known_at, symbol where rows are about one, and the numbers
        """
        self._series.know(name, row)

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all state, as plain arrays; `restore` continues from them to the same bits."""
        arrays = {f"state_{i}": state.copy() for i, state in enumerate(self._states)}
        for i, higher in enumerate(self._higher):
            arrays[f"forming_{i}"] = higher.forming.copy()
            arrays[f"latest_{i}"] = higher.latest.copy()
        return arrays | self._series.snapshot()

    def restore(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take over the state of `snapshot`, of a stream of the same features."""
        for i, state in enumerate(self._states):
            state[:] = arrays[f"state_{i}"]
        for i, higher in enumerate(self._higher):
            higher.forming[:] = arrays[f"forming_{i}"]
            higher.latest[:] = arrays[f"latest_{i}"]
        self._series.restore(arrays)

    def _run(self, column: int, records: npt.NDArray[Any], out: npt.NDArray[np.float64]) -> None:
        feature = self._features[column]
        run_loop(feature.kernel, self._states[column], records, out, feature.values)

    def _run_higher(
        self, higher: _Higher, records: npt.NDArray[Any], out: npt.NDArray[np.float64]
    ) -> None:
        """Step on the higher bars that close in this block; between them, repeat the latest."""
        closed = np.zeros(2 * len(records), BAR)
        known_at_row = np.empty(2 * len(records), np.int64)
        count = aggregate(higher.forming, records, higher.length_us, closed, known_at_row)
        newest = np.searchsorted(known_at_row[:count], np.arange(len(records)), side="right")
        for place, column in enumerate(higher.columns):
            values = np.empty(count + 1)
            values[0] = higher.latest[place]
            self._run(column, closed[:count], values[1:])
            out[column] = values[newest]
            higher.latest[place] = values[-1]


class _Higher:
    """The bar of a higher timeframe that is forming, and the latest value of each column on it."""

    def __init__(self, length_us: int, columns: list[int], bar_length_us: int) -> None:
        check_higher(bar_length_us, length_us)
        self.length_us = length_us
        self.columns = columns
        self.forming = no_bar_forming()
        self.latest = np.full(len(columns), np.nan)


def higher_timeframe(bar_length_us: int) -> str:
    """The timeframe that named sets look up to: an hour, then a day, then a week.

    >>> higher_timeframe(parse_duration("5min")), higher_timeframe(parse_duration("1h"))
    ('1h', '1d')
    """
    for timeframe in ("1h", "1d", "1w"):
        length_us = parse_duration(timeframe)
        if length_us > bar_length_us and (length_us % bar_length_us == 0 or timeframe != "1h"):
            return timeframe
    raise ConfigError(
        f"Named feature sets look up to hours, days or weeks, and nothing is higher than "
        f"{format_duration(bar_length_us)} bars. List features instead, "
        "such as features: [log_return, rsi]."
    )
