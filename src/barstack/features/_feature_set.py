"""Which features, with which parameters, on which timeframes: a spec, its columns, its stream."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from barstack.bars import Bars, Panel, as_panel
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec
from barstack.core.times import decide_at_close, format_duration, parse_duration

from ._kernel import FEATURES, Kernel
from ._market import MARKET, market_of
from ._panel_stream import PanelStream
from ._stream import FeatureStream
from ._view import NO_MARKET

Floats = npt.NDArray[np.float64]

# Fewer values than this are computed sooner than threads are started.
_WORTH_THREADS = 1_000_000


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
            least = self.kernel.least
            if isinstance(known[name], int) and (value != int(value) or value < least):
                raise ConfigError(
                    f"Feature {self.feature!r}: {name} must be a whole number of at least {least}, "
                    f"got {value:g}."
                )
        if self.timeframe is not None:
            parse_duration(self.timeframe)
            if self.needs_market:
                raise ConfigError(
                    f"Feature {self.feature!r} looks at other symbols and has no timeframe "
                    f"{self.timeframe}: leave it out, or resample all bars."
                )
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
    def needs_market(self) -> bool:
        """Whether it looks at other symbols."""
        return not set(self.kernel.inputs).isdisjoint(MARKET)

    @property
    def warmup(self) -> int:
        """Bars of its timeframe before the first value."""
        return self.kernel.warmup_for(self.values)


class FeatureSet(Spec):
    """Several features, in column order."""

    features: tuple[Feature, ...]

    @model_validator(mode="after")
    def _check(self) -> FeatureSet:
        if not self.features:
            raise ConfigError("A feature set needs at least one feature.")
        repeated = {name for name in self.columns if self.columns.count(name) > 1}
        if repeated:
            raise ConfigError(f"Features given twice: {', '.join(sorted(repeated))}. Remove one.")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def needs_market(self) -> bool:
        """Whether any feature looks at other symbols."""
        return any(feature.needs_market for feature in self.features)

    def stream(self, bar_length_us: int) -> FeatureStream:
        """A stream before its first bar, for bars of this length."""
        if self.needs_market:
            named = ", ".join(each.name for each in self.features if each.needs_market)
            raise ConfigError(
                f"{named}: a symbol against others. Stream them together, with panel_stream."
            )
        return FeatureStream(self.features, bar_length_us)

    def panel_stream(self, symbols: Sequence[str], bar_length_us: int) -> PanelStream:
        """A stream of several symbols before their first bars, for bars of this length."""
        return PanelStream(self.features, symbols, bar_length_us)

    def compute(self, bars: Bars | Panel, *, threads: int | None = None) -> FeatureTable:
        """All features of all bars, each symbol by itself: its stream, fed everything at once.

        threads  at most so many at a time; by default as many as there are processors. It
                 changes nothing but the time.

        >>> from barstack.testing import walk
        >>> features = FeatureSet(features=[Feature(feature="rsi"), Feature(feature="body")])
        >>> features.compute(walk(bars=50)).values.shape
        (50, 2)
        """
        panel = as_panel(bars)
        market = self._market(panel)
        n_rows = sum(len(each) for each in panel.values())
        out = np.empty((n_rows, len(self.features)))
        if threads is None:
            threads = len(os.sched_getaffinity(0)) if out.size >= _WORTH_THREADS else 1
        parts = min(-(-threads // len(panel)), len(self.features))  # of each symbol's columns
        tasks = []
        start = 0
        for symbol, each in panel.items():
            rows = out[start : start + len(each)]
            start += len(each)
            others = market.get(symbol, NO_MARKET)
            tasks += [self._task(each, others, rows, part, parts) for part in range(parts)]
        _run(tasks, threads)
        return FeatureTable(decisions_of(panel), self.columns, out)

    def _market(self, panel: Panel) -> dict[str, Floats]:
        if not self.needs_market:
            return {}
        if len(panel) == 1:
            named = ", ".join(each.name for each in self.features if each.needs_market)
            raise ConfigError(
                f"{named}: a symbol against others, and there is only {next(iter(panel))}. Give "
                "bars of several symbols, or leave these features out."
            )
        return market_of(panel)

    def _task(
        self, bars: Bars, market: Floats, out: Floats, part: int, parts: int
    ) -> Callable[[], None]:
        columns = range(part, len(self.features), parts)
        stream = FeatureStream(self.features, bars.length_us, columns)
        return lambda: stream.update_into(out, bars.records, market)


def _run(tasks: list[Callable[[], None]], threads: int) -> None:
    if threads == 1 or len(tasks) == 1:
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


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
