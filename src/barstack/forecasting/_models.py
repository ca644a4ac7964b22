"""A folder of artifacts, queried by ticker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.errors import BarstackError, ConfigError, DataError, LeakError, did_you_mean
from barstack.core.times import as_time, format_duration, iso

from ._manifest import Manifest, verified_manifest
from ._predictor import Predictor, load


class Models:
    """The artifacts in a folder, such as `runs`: list them, describe them, forecast with them.

    folder  holds artifacts or folders of runs, or is one of either
    fast    whether each is compiled for single rows when first used, see `Predictor.fast`

    A ticker that several were trained on is answered by the one trained through the latest moment;
    where they are for bars of several lengths, say which with `bar`. What is damaged is listed
    with its error and not used. The folder is read again on every call; an artifact is loaded when
    first used, and again when it has changed.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> Models(runs).list_available_models()[0]["tickers"]
    ['WALK']
    """

    def __init__(self, folder: Path | str, *, fast: bool = False) -> None:
        self.folder = Path(folder)
        self._fast = fast
        self._shelf = Shelf(self.folder)
        self._loaded: dict[Path, tuple[_State, Predictor]] = {}

    def list_available_models(self) -> list[dict[str, Any]]:
        """One entry for each artifact: model, tickers, bar, task, horizons, members, ensemble.

        model  the name of its folder; `error` takes the place of the rest where it is damaged
        """
        return [self._shelf.entry(path) for path in self._shelf.artifacts()]

    def get_model_info(self, ticker: str, *, bar: str | None = None) -> dict[str, Any]:
        """Full description of the model used for a ticker, as plain data.

        bar  the length of bars it is for, such as "1h", where there are models of several
        """
        path, damaged = self._of(ticker, bar)
        predictor, manifest = self._predictor(path), self._shelf.manifest(path)
        trained = predictor.trained
        provenance = trained.provenance
        return (
            self._shelf.entry(path)
            | {
                "folder": str(path),
                "columns": list(trained.features.columns),
                "lookback_bars": trained.lookback_bars,
                "history_bars": trained.history_bars,
                "weights": trained.ensemble.weights(trained.target),
                "label": provenance.label,
                "verdict": None if trained.verdict is None else asdict(trained.verdict),
                "data_sha256": provenance.data_sha256,
                "versions": dict(manifest.versions),
            }
            | ({"damaged": damaged} if damaged else {})
        )

    def predict_numeric_returns(
        self,
        ticker: str,
        feature_row: Any,
        *,
        decided_at: datetime | None = None,
        bar: str | None = None,
        regimes: Mapping[str, float] | None = None,
    ) -> dict[str, Any]:
        """The return at each horizon, by the ensemble and by every member.

        feature_row  by name or in the order of the model's columns; where members look back, a
                     table of the latest rows, see `Predictor.predict_row`
        decided_at   when the row was known, with its timezone: `LeakError` where the model had by
                     then not ended its training. Without it that is for you to see to
        bar          as in `get_model_info`
        regimes      as in `Predictor.predict_row`

        Models of classes forecast probabilities and no return: `Predictor.predict_row` answers.
        """
        path, damaged = self._of(ticker, bar, "return")
        predictor = self._predictor(path)
        target = predictor.trained.target
        if target.task != "return":
            raise ConfigError(
                f"The model of {ticker} in {path} forecasts {', '.join(target.columns)}, which are "
                f"no returns. Ask bs.load({str(path)!r}).predict_row(feature_row) for them."
            )
        if decided_at is not None:
            _check_later(predictor, decided_at, ticker)
        answers = predictor.predict_row(feature_row, symbol=ticker, regimes=regimes)
        by_horizon = {
            name: dict(zip(target.horizons, numbers.values(), strict=True))
            for name, numbers in answers.items()
        }
        trained = predictor.trained
        members = {each: by_horizon[each] for each in trained.members}
        lower = {"ensembles": {each: by_horizon[each] for each in trained.lower}}
        return {
            "ticker": ticker,
            "model": name_of(path),
            "trained_through": str(trained.trained_through),
            "verdict": predictor.verdict,
            "ensemble": by_horizon[trained.name],
            "members": members,
            **(lower if trained.lower else {}),
        } | ({"damaged": damaged} if damaged else {})

    def _of(self, ticker: str, bar: str | None, task: str | None = None) -> tuple[Path, list[str]]:
        """The artifact that was trained the latest, and the damaged ones, whose tickers none knows.

        task  of which one is taken if there is any
        """
        entries = {path: self._shelf.entry(path) for path in self._shelf.artifacts()}
        known = {symbol for each in entries.values() for symbol in each.get("tickers", ())}
        damaged = [each["model"] for each in entries.values() if "error" in each]
        if ticker not in known:
            also = f" {len(damaged)} artifact(s) there are damaged." if damaged else ""
            raise ConfigError(
                f"No model in {self.folder} was trained on {ticker!r}. "
                f"{did_you_mean(str(ticker), known)}{also}"
            )
        own = {path: each for path, each in entries.items() if ticker in each.get("tickers", ())}
        of_task = {path: each for path, each in own.items() if each["task"] == task} or own
        found = {path: each for path, each in of_task.items() if bar in (None, each["bar"])}
        lengths = sorted({each["bar"] for each in of_task.values()})
        if not found or len({each["bar"] for each in found.values()}) > 1:
            raise ConfigError(
                f"Models of {ticker} in {self.folder} are for bars of {', '.join(lengths)}"
                + (f", none for {bar}" if bar else "")
                + f". Say which: bar={lengths[0]!r}."
            )
        through = {path: as_time(each["trained_through"]) for path, each in found.items()}
        return max(through, key=lambda path: (through[path], path)), damaged

    def _predictor(self, path: Path) -> Predictor:
        state = _state(path)
        known = self._loaded.get(path)
        if known is None or known[0] != state:
            predictor = load(path)
            known = state, predictor.fast() if self._fast else predictor
            self._loaded[path] = known
        return known[1]


def _check_later(predictor: Predictor, decided_at: datetime, ticker: str) -> None:
    if not isinstance(decided_at, datetime) or decided_at.tzinfo is None:
        raise DataError(
            f"decided_at has no timezone: {decided_at!r}. Give a datetime that has one, such as "
            "datetime(2026, 1, 5, 16, tzinfo=UTC)."
        )
    decided = np.datetime64(decided_at.astimezone(UTC).replace(tzinfo=None), "us")
    through = predictor.trained.trained_through
    if decided < through:
        raise LeakError(
            f"A row of {ticker} decided at {iso(decided)} lies before {iso(through)}, through "
            "which its model was trained: it has seen what followed. Give a newer row."
        )


_LISTED = ("task", "horizons", "members", "trained_through")
_SIGNS = ("manifest.json", "manifest.sha256")

# Name, size and time of change of every file: as long as they stay, its bytes are not read again.
_State = tuple[tuple[str, int, int], ...]


class Shelf:
    """Artifacts in a folder of runs or artifacts, or in one of either; looked at on every call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[Path, tuple[_State, Manifest]] = {}

    def artifacts(self) -> list[Path]:
        """Folders in the order of their names."""
        if not self.folder.is_dir():
            raise ConfigError(f"There is no folder {self.folder}. Give one of runs or artifacts.")
        inner = sorted(each for each in self.folder.iterdir() if not each.name.startswith("."))
        places = [self.folder, *inner]  # without the hidden store, whose steps are no runs
        found = [path for each in places for path in (each, each / "artifact") if _is_one(path)]
        return list(dict.fromkeys(found))

    def entry(self, path: Path) -> dict[str, Any]:
        """The entry of one in `Models.list_available_models`."""
        try:
            manifest = self.manifest(path)
            bars = manifest.bars
            return {
                "model": name_of(path),
                "tickers": list(bars.symbols),
                "bar": format_duration(bars.length_us),
                "bar_us": bars.length_us,
                "ensemble": manifest.ensembles[-1].ensemble,
            } | {name: getattr(manifest, name) for name in _LISTED}
        except BarstackError as error:
            return {"model": name_of(path), "error": str(error)}

    def manifest(self, path: Path) -> Manifest:
        """Of an artifact whose bytes are those it was sealed with."""
        state = _state(path)
        known = self._known.get(path)
        if known is None or known[0] != state:
            known = state, verified_manifest(path)
            self._known[path] = known
        return known[1]


def name_of(path: Path) -> str:
    """That of its folder, or of its run's."""
    return path.parent.name if path.name == "artifact" else path.name


def _is_one(path: Path) -> bool:
    # What has lost one of the two is still an artifact, and is listed with what is wrong.
    return path.is_dir() and (
        path.name == "artifact" or any((path / sign).is_file() for sign in _SIGNS)
    )


def _state(path: Path) -> _State:
    found = []
    for folder, _, files in os.walk(path):
        for name in files:
            file = os.path.join(folder, name)
            facts = os.lstat(file)
            found.append((file, facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(found))
