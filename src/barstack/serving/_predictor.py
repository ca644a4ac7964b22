"""A loaded artifact: forecasts for many bars at once, or bar by bar."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from barstack.bars import Bars, Panel, as_panel, bars_from_frame
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import Forecast
from barstack.core.times import decide_at_close, format_duration, iso, parse_duration
from barstack.datasets import rows_with_history
from barstack.ensembles import TrainedEnsemble
from barstack.features import FeatureTable, check_known, read_series

if TYPE_CHECKING:
    import pandas as pd


class Predictor:
    """Forecasts from one artifact. Holds no arithmetic of its own."""

    def __init__(self, trained: TrainedEnsemble) -> None:
        self.trained = trained

    def __repr__(self) -> str:
        members = ", ".join(self.trained.members)
        through = iso(self.trained.trained_through)
        return f"Predictor({members}; trained through {through})"

    @property
    def about(self) -> dict[str, Any]:
        """Where the artifact comes from: study, data fingerprint, scores, verdict."""
        return self.trained.about

    def forecasts(
        self, bars: Any, *, symbol: str | None = None, series: Mapping[str, Any] | None = None
    ) -> dict[str, Forecast]:
        """Forward forecasts of the ensemble and of every member, by name.

        bars    `Bars`, several by symbol, or a pandas or polars table of one symbol
        symbol  of a table; by default the only one the artifact was trained on
        series  a table for each series that the artifact was trained with, by name, read as its
                study said

        Forecasts the rows decided at or after the last training label was known, past every
        warm-up and with every series known. Raises `LeakError` when there is none of the
        former, `DataError` of the latter.
        """
        features = self.trained.features
        panel, known = self._panel(bars, symbol), read_series(features.series, series)
        check_known(features.series, known, panel)
        table = features.compute(panel, known)
        unseen = table.decisions.decided_at >= self.trained.trained_through
        if not unseen.any():
            raise LeakError(
                f"The newest of these bars closed at {iso(table.decisions.decided_at.max())}; the "
                f"artifact was trained through {iso(self.trained.trained_through)} and has seen "
                "what followed them. Give newer bars, or train on older ones."
            )
        rows = rows_with_history(table, np.flatnonzero(unseen), self.trained.lookback_bars)
        if not len(rows):
            raise DataError(
                f"All {unseen.sum():,} bars to forecast lie within the warm-up of the features"
                + (f", or {', '.join(known)} says nothing at them" if known else "")
                + ". Give the bars before them too."
            )
        return self.trained.forecast(table, rows)

    def predict(
        self, bars: Any, *, symbol: str | None = None, series: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecasts as a pandas frame, one row for each decision.

        Columns decided_at, symbol, the ensemble's forecasts such as return_4h, then those of
        each member such as ridge.return_4h. Arguments and errors as in `forecasts`.
        """
        return _frame(self.forecasts(bars, symbol=symbol, series=series))

    def stream(
        self,
        history: Any = None,
        *,
        symbol: str | None = None,
        series: Mapping[str, Any] | None = None,
    ) -> Stream:
        """A stream of one symbol, warmed up by `history` where given.

        series  what is known so far of each series, as in `forecasts`; hand in the rest with
                `know` as it becomes known
        """
        if symbol is None and isinstance(history, Bars):
            symbol = history.symbol
        symbol = symbol or self._only_symbol()
        stream = Stream(self.trained, symbol, series)
        if history is not None:
            panel = self._panel(history, symbol)
            if symbol not in panel:
                raise DataError(f"The history has no bars of {symbol}, but of {', '.join(panel)}.")
            stream.warm_up(panel[symbol])
        return stream

    def _panel(self, bars: Any, symbol: str | None) -> dict[str, Bars]:
        if isinstance(bars, Bars) or (isinstance(bars, Mapping) and not hasattr(bars, "columns")):
            panel = as_panel(bars)
        else:
            name = symbol or self._only_symbol()
            about = self.trained.bars
            length_us = parse_duration(about["bar"]) if about["bar"] else None
            if (
                hasattr(bars, "__len__") and len(bars) == 1 and not about["resample"]
            ):  # too few to see how long they are
                length_us = about["length_us"]
            panel = {name: _from_table(bars, name, about, length_us)}
        _check_length(panel, self.trained.bars["length_us"])
        return panel

    def _only_symbol(self) -> str:
        symbols = self.trained.bars["symbols"]
        if len(symbols) != 1:
            raise ConfigError(f"Which symbol? Trained on {', '.join(symbols)}. Give symbol=...")
        return str(symbols[0])


class Stream:
    """One symbol, bar by bar: the features of history to the bit."""

    def __init__(
        self, trained: TrainedEnsemble, symbol: str, series: Mapping[str, Any] | None = None
    ) -> None:
        self.trained = trained
        self.symbol = symbol
        self.features = np.empty((0, len(trained.features.columns)))  # the latest rows
        self._stream = trained.features.stream(trained.bars["length_us"], symbol, series)
        self._decided_at = np.empty(0, "datetime64[us]")

    def warm_up(self, bars: Bars) -> None:
        """Pass by bars without forecasting."""
        self._take(bars)

    def know(self, series: str, row: Mapping[str, Any]) -> None:
        """One more row of a series, now that it is known; the next `update` may use it.

        row  as in the table the study read: known_at, symbol where rows are about one, numbers

        A bar's decision sees it if it was known by the bar's close. Raises `DataError` for a row
        that says it was known at or before the close of a bar already given: its decision was
        made without it. Rows about other symbols are passed by.
        """
        self._stream.know(series, row)

    def update(self, bar: Bars | Mapping[str, Any]) -> Forecast | None:
        """The ensemble's forecast after one more bar.

        bar  `Bars` of length one, or a mapping with timestamp (stamped as in training), open,
             high, low, close and volume

        None while features warm up, where a series says nothing, for bars that closed before
        training ended, and for bars outside the sessions it was trained on, which are passed by
        as they were in training. Raises `DataError` for a bar that is not valid or not newer than
        the last.
        """
        bars = bar if isinstance(bar, Bars) else _from_mapping(bar, self.symbol, self.trained.bars)
        if bars.outside and not len(bars):
            return None
        if len(bars) != 1:
            raise DataError(f"update takes one bar at a time, got {len(bars)}.")
        self._take(bars)
        if self._decided_at[-1] < self.trained.trained_through:
            return None
        n_rows = len(self.features)
        decisions = Decisions((self.symbol,), np.zeros(n_rows, np.int32), self._decided_at)  # type: ignore[arg-type]
        table = FeatureTable(decisions, self.trained.features.columns, self.features)
        rows = rows_with_history(table, np.array([n_rows - 1]), self.trained.lookback_bars)
        if not len(rows):
            return None
        return next(iter(self.trained.forecast(table, rows).values()))

    def _take(self, bars: Bars) -> None:
        if bars.symbol != self.symbol:
            raise DataError(f"This stream is of {self.symbol}, the bars are of {bars.symbol}.")
        if not len(bars):
            return
        decided_at = decide_at_close(bars.closed_at)
        if len(self._decided_at) and decided_at[0] <= self._decided_at[-1]:
            raise DataError(
                f"A bar of {self.symbol} closed at {iso(decided_at[0])} came after one closed at "
                f"{iso(self._decided_at[-1])}. Give bars in time order, each once."
            )
        _check_length({self.symbol: bars}, self.trained.bars["length_us"])
        keep = self.trained.lookback_bars
        fresh = self._stream.update(bars.records)
        self.features = np.concatenate([self.features, fresh])[-keep:]
        self._decided_at = np.concatenate([self._decided_at, decided_at])[-keep:]


def load(folder: Path | str) -> Predictor:
    """A predictor from an artifact's folder, or from a run's folder that holds one.

    Raises `ArtifactError` unless every byte of it is as it was saved.
    """
    folder = Path(folder)
    if (folder / "artifact").is_dir():
        folder = folder / "artifact"
    return Predictor(TrainedEnsemble.load(folder))


def _frame(forecasts: dict[str, Forecast]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

    (_, ensemble), *members = forecasts.items()
    columns: dict[str, npt.NDArray[Any]] = ensemble.columns()
    del columns["trained_through"]
    for name, member in members:
        numbers = member.columns()
        columns |= {f"{name}.{column}": numbers[column] for column in ensemble.target.columns}
    frame = pd.DataFrame(columns)
    frame["decided_at"] = frame["decided_at"].dt.tz_localize("UTC")
    return frame.sort_values(["decided_at", "symbol"], ignore_index=True)


def _from_table(
    frame: Any,
    symbol: str,
    about: dict[str, Any],
    length_us: int | None,
    mostly_inside: bool = True,
) -> Bars:
    return bars_from_frame(
        frame,
        symbol,
        calendar=about["calendar"],
        hours=about["hours"],
        stamp=about["stamp"],
        timezone=about["timezone"],
        length_us=length_us,
        mostly_inside=mostly_inside,
        where=f"bars of {symbol}",
    )


def _from_mapping(bar: Mapping[str, Any], symbol: str, about: dict[str, Any]) -> Bars:
    import polars as pl  # noqa: PLC0415 (streams of Bars need no tables)

    return _from_table(
        pl.DataFrame([dict(bar)]), symbol, about, about["length_us"], mostly_inside=False
    )


def _check_length(panel: Panel, length_us: int) -> None:
    for bars in panel.values():
        if bars.length_us != length_us:
            raise ConfigError(
                f"Bars of {bars.symbol} are {format_duration(bars.length_us)} long; the artifact "
                f"was trained on {format_duration(length_us)}. Resample them."
            )
