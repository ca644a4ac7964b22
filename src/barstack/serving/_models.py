"""A folder of artifacts, asked by ticker."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.errors import (
    ArtifactError,
    BarstackError,
    ConfigError,
    DataError,
    LeakError,
    did_you_mean,
)
from barstack.core.times import as_time, iso
from barstack.ensembles import verified_manifest

from ._predictor import Predictor, load

_LISTED = ("task", "horizons", "members", "ensemble", "trained_through")


class Models:
    """The artifacts in a folder, such as `runs`: what there is, and what it says.

    folder  holds artifacts or folders of runs, or is one of either
    fast    whether each is made quick for single rows when first asked, see `Predictor.fast`

    A ticker that several were trained on is answered by the one trained through the latest moment.
    What is damaged is listed with its error and asked nothing. The folder is looked at anew on
    every call; an artifact is loaded when first asked and again when it has changed.
    """

    def __init__(self, folder: Path | str, *, fast: bool = False) -> None:
        self.folder = Path(folder)
        self._fast = fast
        self._loaded: dict[tuple[Path, bytes], Predictor] = {}

    def list_available_models(self) -> list[dict[str, Any]]:
        """One entry for each artifact: model, tickers, bar, task, horizons, members, ensemble.

        model  the name of its folder; `error` takes the place of the rest where it is damaged
        """
        return [self._entry(path) for path in self._artifacts()]

    def get_model_info(self, ticker: str) -> dict[str, Any]:
        """All that is known of the model that answers for a ticker, as plain data."""
        path, damaged = self._of(ticker)
        predictor, manifest = self._predictor(path), verified_manifest(path)
        trained = predictor.trained
        about = dict(trained.about)
        return (
            self._entry(path)
            | {
                "folder": str(path),
                "columns": list(trained.features.columns),
                "lookback_bars": trained.lookback_bars,
                "weights": trained.ensemble.weights(trained.target),
                "label": about.get("label"),
                "verdict": about.get("verdict"),
                "scores": about.get("scores"),
                "data_sha256": about.get("data_sha256"),
                "versions": manifest["versions"],
            }
            | ({"damaged": damaged} if damaged else {})
        )

    def predict_numeric_returns(
        self, ticker: str, feature_row: Any, *, decided_at: datetime | None = None
    ) -> dict[str, Any]:
        """The return at each horizon, by the ensemble and by every member.

        feature_row  by name or in the order of the model's columns; where members look back, a
                     table of the latest rows, see `Predictor.predict_row`
        decided_at   when the row was known, with its timezone: `LeakError` where the model had by
                     then not ended its training. Without it that is for you to see to

        Models of classes forecast probabilities and no return: `Predictor.predict_row` answers.
        """
        path, damaged = self._of(ticker, "return")
        predictor = self._predictor(path)
        target = predictor.trained.target
        if target.task != "return":
            raise ConfigError(
                f"The model of {ticker} in {path} forecasts {', '.join(target.columns)}, which are "
                f"no returns. Ask bs.load({str(path)!r}).predict_row(feature_row) for them."
            )
        if decided_at is not None:
            _check_later(predictor, decided_at, ticker)
        answers = predictor.predict_row(feature_row, symbol=ticker)
        by_horizon = {
            name: dict(zip(target.horizons, numbers.values(), strict=True))
            for name, numbers in answers.items()
        }
        name = predictor.trained.name
        return {
            "ticker": ticker,
            "model": self._name(path),
            "trained_through": str(predictor.trained.trained_through),
            "ensemble": by_horizon.pop(name),
            "members": by_horizon,
        } | ({"damaged": damaged} if damaged else {})

    def _artifacts(self) -> list[Path]:
        if not self.folder.is_dir():
            raise ConfigError(f"There is no folder {self.folder}. Give one of runs or artifacts.")
        places = [self.folder, *sorted(each for each in self.folder.iterdir() if each.is_dir())]
        found = [path for each in places for path in (each, each / "artifact") if _is_one(path)]
        return [path for path in dict.fromkeys(found) if not path.name.startswith(".")]

    def _name(self, path: Path) -> str:
        return path.parent.name if path.name == "artifact" else path.name

    def _entry(self, path: Path) -> dict[str, Any]:
        try:
            manifest = verified_manifest(path)
            bars = manifest["bars"]
            as_time(manifest["trained_through"])
            return {
                "model": self._name(path),
                "tickers": list(bars["symbols"]),
                "bar_us": bars["length_us"],
            } | {name: manifest[name] for name in _LISTED}
        except BarstackError as error:
            return {"model": self._name(path), "error": str(error)}
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            wrong = ArtifactError(f"{path} does not hold what a manifest says: {error!r}.")
            return {"model": self._name(path), "error": str(wrong)}

    def _of(self, ticker: str, task: str | None = None) -> tuple[Path, list[str]]:
        """The artifact that was trained the latest, and the damaged ones, whose tickers none knows.

        task  of which one is taken if there is any
        """
        entries = {path: self._entry(path) for path in self._artifacts()}
        known = {symbol for each in entries.values() for symbol in each.get("tickers", ())}
        damaged = [each["model"] for each in entries.values() if "error" in each]
        if ticker not in known:
            also = f" {len(damaged)} artifact(s) there are damaged." if damaged else ""
            raise ConfigError(
                f"No model in {self.folder} was trained on {ticker!r}. "
                f"{did_you_mean(ticker, known)}{also}"
            )
        own = {path: each for path, each in entries.items() if ticker in each.get("tickers", ())}
        of_task = {path: each for path, each in own.items() if each["task"] == task}
        through = {
            path: as_time(each["trained_through"]) for path, each in (of_task or own).items()
        }
        return max(through, key=lambda path: (through[path], path)), damaged

    def _predictor(self, path: Path) -> Predictor:
        key = path, (path / "manifest.sha256").read_bytes()
        if key not in self._loaded:
            predictor = load(path)
            self._loaded[key] = predictor.fast() if self._fast else predictor
        return self._loaded[key]


def _is_one(path: Path) -> bool:
    return (path / "manifest.json").is_file()


def _check_later(predictor: Predictor, decided_at: datetime, ticker: str) -> None:
    if decided_at.tzinfo is None:
        raise DataError(f"decided_at {decided_at} has no timezone. Give it with one.")
    decided = np.datetime64(decided_at.astimezone(UTC).replace(tzinfo=None), "us")
    through = predictor.trained.trained_through
    if decided < through:
        raise LeakError(
            f"A row of {ticker} decided at {iso(decided)} lies before {iso(through)}, through "
            "which its model was trained: it has seen what followed. Give a newer row."
        )
