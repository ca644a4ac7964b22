"""A set of features and series as a spec: its columns, its streams, its table over history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from barstack.bars import Bars, Panel, Series, SeriesTable, as_panel
from barstack.core.arrays import Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError
from barstack.core.frames import frame_of
from barstack.core.notebook import card, remark, table
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.spec import Spec
from barstack.core.times import (
    format_duration,
    parse_duration,
)

from ._engine import compute
from ._feature import Feature
from ._series import SeriesStream, read_series
from ._streams import FeaturePanelStream, FeatureStream
from ._view import market_of

if TYPE_CHECKING:
    import pandas as pd


class FeatureSet(Spec):
    """Several features of the bars, in column order, then the columns of series.

    >>> from barstack.testing import walk
    >>> chosen = FeatureSet(features=(Feature(feature="rsi"), Feature(feature="body")))
    >>> chosen.compute(walk(100)).values.shape
    (100, 2)
    """

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
        """Without series the same as in versions that had none."""
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

    @property
    def needs_market(self) -> bool:
        """Whether any feature uses other symbols."""
        return any(feature.needs_market for feature in self.features)

    def stream(
        self, bar_length_us: int, symbol: str = "", series: Mapping[str, Any] | None = None
    ) -> FeatureStream:
        """A stream of one symbol before its first bar, for bars of this length.

        symbol, series  required if the set has series: the symbol, and the rows known so far
        """
        if self.needs_market:
            raise ConfigError(
                f"{self._crossing}: compares a symbol with others. Stream them together, with "
                "panel_stream."
            )
        return self._stream(bar_length_us, symbol, read_series(self.series, series))

    def panel_stream(
        self, symbols: Sequence[str], bar_length_us: int, series: Mapping[str, Any] | None = None
    ) -> FeaturePanelStream:
        """A stream of several symbols before their first bars; arguments as in `stream`."""
        known = read_series(self.series, series)
        return FeaturePanelStream(
            {symbol: self._stream(bar_length_us, symbol, known) for symbol in symbols}
        )

    def compute(
        self,
        bars: Bars | Panel,
        series: Mapping[str, Any] | None = None,
        *,
        threads: int | None = None,
    ) -> FeatureTable:
        """All features of all bars: their streams, given everything at once.

        series   if the set has any: a `SeriesTable`, or a pandas or polars table, by name
        threads  at most so many; by default as many as there are processors. It affects only
                 the time.

        >>> from barstack.testing import walk
        >>> features = FeatureSet(features=[Feature(feature="rsi"), Feature(feature="body")])
        >>> features.compute(walk(bars=50)).values.shape
        (50, 2)
        """
        panel = as_panel(bars)
        known = read_series(self.series, series)
        joined = {symbol: SeriesStream(self.series, known, symbol) for symbol in panel}
        values = compute(
            self.features, panel, self._market(panel), joined, len(self.columns), threads
        )
        return FeatureTable(AT_EACH_CLOSE.decisions(panel), self.columns, values)

    def _stream(
        self, bar_length_us: int, symbol: str, known: Mapping[str, SeriesTable]
    ) -> FeatureStream:
        series = SeriesStream(self.series, known, symbol)
        return FeatureStream(self.features, bar_length_us, series)

    def _market(self, panel: Panel) -> dict[str, Floats]:
        if not self.needs_market:
            return {}
        if len(panel) == 1:
            raise ConfigError(
                f"{self._crossing}: compares a symbol with others, and there is only "
                f"{next(iter(panel))}. Give bars of several symbols, or leave these features out."
            )
        return market_of(panel)

    @property
    def _crossing(self) -> str:
        return ", ".join(each.name for each in self.features if each.needs_market)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of every decision.

    decisions  the rows
    columns    names, in order
    values     (n_rows, n_columns) float64, NaN in each column's warm-up

    >>> from barstack.features import Feature, FeatureSet
    >>> from barstack.testing import walk
    >>> table = FeatureSet(features=(Feature(feature="body"),)).compute(walk(bars=50))
    >>> table.columns, table.values.shape
    (('body',), (50, 1))
    """

    decisions: Decisions
    columns: tuple[str, ...]
    values: Floats

    def _repr_html_(self) -> str:
        """The columns with their spread, as notebooks show them."""
        rows = [
            (name, *_spread(self.values[:, at])) for at, name in enumerate(self.columns[:_SHOWN])
        ]
        more = len(self.columns) - len(rows)
        return card(
            f"{len(self.columns):,} features at {len(self.decisions):,} decisions",
            table(["feature", "share known", "mean", "deviation", "least", "most"], rows),
            remark(*([f"And {more:,} more; to_frame() has all."] if more > 0 else [])),
            note=", ".join(self.decisions.symbols[:5]),
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame with a row for each decision: decided_at in UTC, symbol, the features."""
        columns = {name: self.values[:, place] for place, name in enumerate(self.columns)}
        return frame_of(self.decisions, columns)


_SHOWN = 40  # features in a notebook


def _spread(values: Floats) -> tuple[float, ...]:
    """Share of values that are known, their mean, deviation, least and most."""
    known = values[np.isfinite(values)]
    if not len(known):
        return (0.0,)
    share = len(known) / len(values)
    return share, *(float(each) for each in (known.mean(), known.std(), known.min(), known.max()))


def higher_timeframe(bar_length_us: int) -> str:
    """The higher timeframe of named sets: an hour, then a day, then a week.

    >>> higher_timeframe(parse_duration("5min")), higher_timeframe(parse_duration("1h"))
    ('1h', '1d')
    """
    for timeframe in ("1h", "1d", "1w"):
        length_us = parse_duration(timeframe)
        if length_us > bar_length_us and (length_us % bar_length_us == 0 or timeframe != "1h"):
            return timeframe
    raise ConfigError(
        "Named feature sets use a higher timeframe of an hour, day or week, and none is higher "
        f"than {format_duration(bar_length_us)} bars. List features instead, "
        "such as features: [log_return, rsi]."
    )
