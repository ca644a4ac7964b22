"""A loaded artifact: forecasts for many bars at once, of one row, or bar by bar."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Array, Floats, Ints
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.forecast import REGIMES, Forecast
from barstack.core.text import listed
from barstack.core.times import iso
from barstack.core.warn import warn
from barstack.ensembles import RegimeView
from barstack.features import FeatureTable, check_known, read_series

from ._artifact import Provenance, TrainedEnsemble
from ._inputs import (
    check_as_study,
    check_length,
    feature_rows,
    resampled,
    table_of,
    warn_of_strangers,
)
from ._one_row import OneRowEnsemble
from ._regimes import detector_of, regimes_at
from ._signature import verify
from ._streams import PanelStream, Stream, restored

if TYPE_CHECKING:
    import pandas as pd


class Predictor:
    """Forecasts from one artifact, in bulk, row by row or in a stream.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> predictor = bs.load(run.folder)
    >>> predictor.verdict
    'none'
    >>> list(predictor.predict(walk(420)))
    ['decided_at', 'symbol', 'return_1h', 'ridge.return_1h']
    """

    def __init__(self, trained: TrainedEnsemble, one_row: OneRowEnsemble | None = None) -> None:
        self.trained = trained
        self._one_row = one_row or OneRowEnsemble.plain(trained)

    def __repr__(self) -> str:
        members = ", ".join(self.trained.members)
        through = iso(self.trained.trained_through)
        return f"Predictor({members}; trained through {through})"

    @property
    def provenance(self) -> Provenance:
        """Where the artifact comes from: study, label, data fingerprint."""
        return self.trained.provenance

    @property
    def compiled(self) -> dict[str, str]:
        """How each member makes one forecast at a time: "compiled", or by its "predict"."""
        return {name: member.how for name, member in self._one_row.members.items()}

    def fast(self) -> Predictor:
        """The same, quicker in streams and for single rows.

        Networks are written for ONNX Runtime, which takes some seconds each and the extra `fast`;
        without it they run as before, and `compiled` says so. Each is compared with what it was
        made of, and `FaultError` is raised where the two differ by more than rounding. Other
        members are quick already.
        """
        return Predictor(self.trained, OneRowEnsemble.fast(self.trained))

    def forecasts(
        self, bars: Any, *, symbol: str | None = None, series: Mapping[str, Any] | None = None
    ) -> dict[str, Forecast]:
        """Forward forecasts of the ensemble and of every member, by name.

        bars    `Bars`, or a pandas or polars table of one symbol, or several of either by symbol
        symbol  of a table; by default the only one the artifact was trained on. `ConfigError`
                where `bars` name others
        series  a table for each series that the artifact was trained with, by name, read as its
                study read it

        Forecasts the rows decided at or after the last training label was known, past every
        warm-up and with every series known. Raises `LeakError` when no row is of the first kind,
        `DataError` when none is of the second. Warns of a symbol that the artifact was not trained
        on, where its accuracy was not measured.
        """
        features = self.trained.features
        panel, known = self._panel(bars, symbol), read_series(features.series, series)
        if symbol is not None and set(panel) != {symbol}:
            raise ConfigError(
                f"These are bars of {listed(list(panel), 5)}, and not of {symbol}. Leave "
                f"symbol={symbol!r} out, or give the bars of that symbol."
            )
        self._check_company(panel)
        warn_of_strangers(panel, self.trained.bars.symbols)
        check_known(features.series, known, panel)
        check_as_study(panel, self.trained)
        table = features.compute(panel, known)
        unseen = table.decisions.decided_at >= self.trained.trained_through
        if not unseen.any():
            raise LeakError(
                f"The newest of these bars closed at {iso(table.decisions.decided_at.max())}; the "
                f"artifact was trained through {iso(self.trained.trained_through)} and has seen "
                "what followed them. Give newer bars, or train on older ones."
            )
        rows = self.trained.with_history(table, np.flatnonzero(unseen))
        if not len(rows):
            raise DataError(
                f"All {unseen.sum():,} bars to forecast lie within the warm-up of the features, or "
                "too soon after a gap"
                + (f", or {', '.join(known)} says nothing at them" if known else "")
                + f". Give the bars before them too, {self.trained.history_bars:,} in all or more."
            )
        self._warn_of_short_history(panel, table, rows)
        return self.trained.forecast(table, rows, regimes=self.trained.regimes(panel, table, rows))

    def regimes(self, bars: Any, *, symbol: str | None = None) -> pd.DataFrame:
        """Probabilities of regimes at every bar, as the ensemble weighs its members by.

        Columns decided_at, symbol, and one for each regime; alike where too few bars lead up to
        one. `ConfigError` where the ensemble needs none.
        """
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        if (detector := self.trained.detector) is None:
            raise ConfigError("This ensemble weighs members without regimes.")
        table = detector_of(detector).feature_set.compute(self._panel(bars, symbol))
        found = regimes_at(detector, table, np.arange(len(table.values)))
        frame = pd.DataFrame(found, columns=list(REGIMES))
        frame.insert(0, "decided_at", table.decisions.decided_at)
        frame["decided_at"] = frame["decided_at"].dt.tz_localize("UTC")
        frame.insert(1, "symbol", table.decisions.symbol)
        return frame

    def predict(
        self, bars: Any, *, symbol: str | None = None, series: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecasts as a pandas frame, one row for each decision.

        Columns decided_at, symbol, the ensemble's forecasts such as return_4h, then those of
        each member such as ridge.return_4h; `attrs["verdict"]` is the verdict's word. Arguments
        and errors as in `forecasts`. Warns where the bars end with those that were trained on,
        so that only the newest can be forecast.
        """
        found = self.forecasts(bars, symbol=symbol, series=series)
        decided_at = next(iter(found.values())).decisions.decided_at
        if (decided_at == self.trained.trained_through).all():
            warn(
                f"These bars end at {iso(decided_at.max())}, through which the artifact was "
                "trained: only the newest is forecast. Give newer bars to forecast more."
            )
        frame = _frame(found)
        frame.attrs["verdict"] = self.verdict
        return frame

    @property
    def verdict(self) -> str:
        """The verdict on an edge in a word: none, unproven, supported, or "not given"."""
        return self.trained.edge

    def _warn_of_short_history(self, panel: Panel, table: FeatureTable, rows: Ints) -> None:
        """Say where fewer bars came before a forecast than features need to forget."""
        start = 0
        for symbol, bars in panel.items():
            own = rows[(rows >= start) & (rows < start + len(bars))] - start
            start += len(bars)
            if len(own):
                before = int(own[0]) + 1
                if lack := self.trained.lacks_history(symbol, bars.opened_at[0], before):
                    warn(lack)

    def detect_regime(self, bars: Any, *, symbol: str | None = None) -> tuple[str, float]:
        """The likeliest regime at the newest of these bars, and its probability."""
        table = self.regimes(bars, symbol=symbol)
        if (symbols := sorted(set(table["symbol"])))[1:]:
            raise ConfigError(f"Which symbol? These are bars of {', '.join(symbols)}.")
        newest = table.iloc[-1]
        regime = max(REGIMES, key=lambda name: newest[name])
        return regime, float(newest[regime])

    def _by_regime(self) -> RegimeView:
        return RegimeView(self.trained.ensemble, self.trained.target.horizons)

    def get_regime_weights(self, regime: str, horizon: str | None = None) -> dict[str, float]:
        """By member, the weights of a `regime_aware` ensemble were the market surely in a regime.

        horizon  by default the first
        """
        return self._by_regime().get_regime_weights(regime, horizon)

    def select_best_models(
        self, regime: str, top_k: int = 3, horizon: str | None = None
    ) -> list[str]:
        """The members that did best in a regime, the best first."""
        return self._by_regime().select_best_models(regime, top_k, horizon)

    def predict_row(
        self,
        feature_row: Any,
        *,
        symbol: str | None = None,
        regimes: Mapping[str, float] | None = None,
    ) -> dict[str, dict[str, float]]:
        """One forecast from features that you computed: by name, of the ensemble, then each member.

        feature_row  a mapping or pandas Series of name to value, or an array in the order of
                     `trained.features.columns`; where members look back, a table of the latest
                     `trained.lookback_bars` rows, oldest first, with no gap between them
        symbol       whose row it is, for members that tell symbols apart; by default the only one
                     the artifact was trained on
        regimes      probability of each regime, for an ensemble that needs them: see `regimes`

        The row carries no time: the caller makes sure that it was decided after training had
        ended. Raises `DataError` for names, numbers and rows that are not what is needed.
        """
        trained = self.trained
        table = feature_rows(feature_row, trained.features.columns, trained.lookback_bars)
        columns, symbols = trained.target.columns, trained.bars.symbols
        only = symbols[0] if len(symbols) == 1 else None
        return {
            name: dict(zip(columns, map(float, numbers.ravel()), strict=True))
            for name, numbers in self._one_row.predict(
                table, symbol or only, regimes=self._given(regimes)
            ).items()
        }

    def _given(self, regimes: Mapping[str, float] | None) -> Floats | None:
        """(1, 6) probabilities, from names; `DataError` unless they are a distribution."""
        if self.trained.detector is None:
            return None
        if regimes is None or sorted(regimes) != sorted(REGIMES):
            raise DataError(
                "This ensemble weighs its members by regime. Give `regimes`, a probability for "
                f"each of {', '.join(REGIMES)}, as Predictor.regimes has them."
            )
        found = np.array([[regimes[name] for name in REGIMES]], float)
        if not (found >= 0.0).all() or abs(found.sum() - 1.0) > 1e-6:
            shown = {name: float(value) for name, value in regimes.items()}
            raise DataError(
                f"Probabilities of regimes {shown} are not all 0 or more, or do not add up to one."
            )
        return found

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
        stream = Stream(self._one_row, symbol, series)
        if history is not None:
            panel = self._panel(history, symbol)
            if symbol not in panel:
                raise DataError(f"The history has no bars of {symbol}, but of {', '.join(panel)}.")
            stream.warm_up(panel[symbol])
        warn_of_strangers([symbol], self.trained.bars.symbols)
        return stream

    def panel_stream(
        self, history: Panel | None = None, *, series: Mapping[str, Any] | None = None
    ) -> PanelStream:
        """A stream of all symbols of the artifact, which may look at one another.

        history  bars of each symbol to warm up with
        series   as in `stream`
        """
        stream = PanelStream(self._one_row, series)
        if history is not None:
            stream.warm_up(self._panel(history, None))
        return stream

    def restore(self, folder: Path | str) -> Stream | PanelStream:
        """The stream whose `snapshot` lies in a folder: it goes on as one that never stopped.

        Raises
        ------
        ConfigError
            There is no such folder.
        DataError
            The snapshot is of another artifact.
        StorageError
            It is damaged.
        """
        return restored(self._one_row, Path(folder))

    def _panel(self, bars: Any, symbol: str | None) -> dict[str, Bars]:
        """Bars by symbol, all of the training's length."""
        bar_format = self.trained.bars
        if isinstance(bars, Bars):
            panel = {bars.symbol: bars}
        elif isinstance(bars, Mapping) and not hasattr(bars, "columns"):
            panel = as_panel(
                {
                    name: each if isinstance(each, Bars) else table_of(each, name, bar_format)
                    for name, each in bars.items()
                }
            )
        else:
            name = symbol or self._only_symbol()
            panel = {name: table_of(bars, name, bar_format)}
        panel = {name: resampled(each, bar_format) for name, each in panel.items()}
        check_length(panel, bar_format.length_us)
        return panel

    def _check_company(self, panel: Panel) -> None:
        """Where symbols look at one another, those of the training, no more and no fewer."""
        trained = self.trained.bars.symbols
        if self.trained.features.needs_market and sorted(panel) != sorted(trained):
            raise ConfigError(
                f"The features of this artifact compare {', '.join(trained)} with one another, and "
                f"here are bars of {', '.join(panel)}. Give bars of all of them, and no others."
            )

    def _only_symbol(self) -> str:
        symbols = self.trained.bars.symbols
        if len(symbols) != 1:
            raise ConfigError(f"Which symbol? Trained on {', '.join(symbols)}. Give symbol=...")
        return str(symbols[0])


def load(folder: Path | str, *, signed_by: Path | str | None = None) -> Predictor:
    """A predictor from an artifact's folder, or from a run's folder that holds one.

    signed_by  public key of whoever must have signed it; by default what the environment names in
               BARSTACK_SIGNED_BY; with neither, signatures are not checked

    Raises `ArtifactError` unless every byte is as it was saved, and signed where that is required.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> load(run.folder).predict(walk(420)).shape
    (21, 4)
    """
    folder = Path(folder)
    if (folder / "artifact").is_dir():
        folder = folder / "artifact"
    if key := signed_by or os.environ.get("BARSTACK_SIGNED_BY"):
        verify(folder, Path(key))
    return Predictor(TrainedEnsemble.load(folder))


def _frame(forecasts: dict[str, Forecast]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

    (_, ensemble), *members = forecasts.items()
    columns: dict[str, Array] = ensemble.columns()
    del columns["trained_through"]
    for name, member in members:
        numbers = member.columns()
        columns |= {f"{name}.{column}": numbers[column] for column in ensemble.target.columns}
    frame = pd.DataFrame(columns)
    frame["decided_at"] = frame["decided_at"].dt.tz_localize("UTC")
    return frame.sort_values(["decided_at", "symbol"], ignore_index=True)
