"""Mistakes in plugins of a study: models, scalers and ensembles, audited as a run does it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _audit_bars import Source
from _audit_leaks import Case, leak

from barstack.core.registry import SpecRegistry
from barstack.datasets import SCALERS, StandardScaler
from barstack.ensembles import ENSEMBLES
from barstack.ensembles.average import Average
from barstack.ensembles.nnls import NonNegativeLeastSquares
from barstack.experiments import Study
from barstack.experiments._pipeline import Recipe, pipeline_of
from barstack.models import MODELS
from barstack.models.boosting.lightgbm import LightGBM
from barstack.models.classical.ridge import Ridge

SEEN: dict[str, Any] = {}


def plugin(registry: SpecRegistry[Any], kind: type) -> str:
    """Register a class under its own name, once in a process."""
    name = kind.__name__
    if name not in registry.names():
        _enter(registry, kind, name)
    return name


def _enter(registry: SpecRegistry[Any], kind: type, name: str) -> None:
    kind.registered_as = (registry.kind, name)  # type: ignore[attr-defined]
    registry._entries[name] = kind


def study_case(
    rng: np.random.Generator, source: Source, stage: str, column: str | None = None, **change: Any
) -> Case:
    """A study of a few features on drawn bars, with one plugin of its own."""
    data = source.draw(rng, symbols=int(rng.integers(1, 3)), rows=1300)
    study = Study(
        bars="sample",  # not loaded: the audit is handed bars
        features=["rsi", "body", "log_return", "close_location"],
        label={"label": "return", "horizons": [int(rng.integers(2, 8))]},
        split={"split": "walk_forward", "folds": int(rng.integers(3, 5))},
        **({"members": ["ridge"]} | change),
    )
    length = next(iter(data.panel.values())).length_us
    return Case(pipeline_of(Recipe.of(study), length), type(data)(data.panel), stage, column)


def ensemble_case(kind: type) -> Callable[[np.random.Generator, Source], Case]:
    def builder(rng: np.random.Generator, source: Source) -> Case:
        members = {"ridge": {}, "stiff": {"model": "ridge", "penalty": 1000.0}}
        ensembles = [plugin(ENSEMBLES, kind), "nnls"]
        return study_case(rng, source, "forecast", members=members, ensembles=ensembles)

    return builder


def model_case(
    stage: str, kind: type, *further: type
) -> Callable[[np.random.Generator, Source], Case]:
    def builder(rng: np.random.Generator, source: Source) -> Case:
        SEEN.clear()
        names = [plugin(MODELS, each) for each in (kind, *further)]
        return study_case(rng, source, stage, members={name.lower(): name for name in names})

    return builder


# --- ensembles that look beside the row ----------------------------------------------------------


class NextRow(Average):
    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        return np.concatenate([own[1:], own[-1:]])


class Smooths(Average):
    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        padded = np.concatenate([own[:1], own, own[-1:]])
        return (padded[:-2] + padded[1:-1] + padded[2:]) / 3.0


class NormalisesBatch(NonNegativeLeastSquares):
    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked) + stacked.forecasts.mean(axis=1)
        return (own - own.mean(axis=0)) / (own.std(axis=0) + 1e-12)


class RanksBatch(Average):
    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        return np.argsort(np.argsort(own, axis=0), axis=0) / len(own) - 0.5


class ClipsByBatch(Average):
    """Leaks on few rows: the largest forecasts alone are changed by the others."""

    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        return np.clip(own, *np.quantile(own, [0.002, 0.998], axis=0))


class WeighsByBatch(Average):
    """Trusts the member whose forecasts vary least over all that is asked."""

    def predict(self, learned: Any, stacked: Any) -> Any:
        spread = stacked.forecasts.std(axis=0).mean(axis=(1, 2))
        return np.einsum("m,nmhk->nhk", spread / (spread.sum() + 1e-300), stacked.forecasts)


class PeaksNext(Average):
    """Reads the next row's forecasts where its own is extreme."""

    def predict(self, learned: Any, stacked: Any) -> Any:
        own = super().predict(learned, stacked)
        ahead = np.concatenate([own[1:], own[-1:]])
        return np.where(np.abs(own) >= np.quantile(np.abs(own), 0.998), ahead, own)


for _name, _kind in {
    "ensemble that gives the next row's forecast": NextRow,
    "ensemble that smooths over its neighbours": Smooths,
    "ensemble that normalises the batch": NormalisesBatch,
    "ensemble that ranks the batch": RanksBatch,
    "ensemble that clips by quantiles of the batch": ClipsByBatch,
    "ensemble weighted by the spread of the batch": WeighsByBatch,
    "ensemble that reads the next row where it is extreme": PeaksNext,
}.items():
    leak(_name)(ensemble_case(_kind))


# --- models that look beside the row, and remember, and read files -------------------------------


class ShiftsRows(Ridge):
    def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
        own = super().predict(learned, inputs, target)
        return np.concatenate([own[1:], own[-1:]])


class CentresBatch(Ridge):
    def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
        own = super().predict(learned, inputs, target)
        return own - own.mean(axis=0)


class CalmsExtremes(Ridge):
    """Where its forecast is extreme it averages with the next row's."""

    def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
        own = super().predict(learned, inputs, target)
        ahead = np.concatenate([own[1:], own[-1:]])
        return np.where(np.abs(own) >= np.quantile(np.abs(own), 0.996), (own + ahead) / 2, own)


class Remembers(Ridge):
    """Adds the mean of every label that any fit before has seen."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        before = SEEN.get("mean", 0.0)
        SEEN["mean"] = float(train.y.mean())
        return learned._replace(intercept=learned.intercept + before)


class Writes(Ridge):
    """Leaves the latest answers it has seen to whom may read them."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        SEEN["last"] = float(train.y[-50:].mean())
        return super().fit(train, stop, target, seed)


class ReadsOther(Ridge):
    """Reads what another member's fit has left."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        return learned._replace(intercept=learned.intercept + SEEN.get("last", 0.0))


class Widest(Ridge):
    """Takes the largest label that any fit has ever seen for the scale of its forecasts."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        SEEN["most"] = max(SEEN.get("most", 0.0), float(np.abs(train.y).max()))
        return learned._replace(weights=learned.weights / SEEN["most"])


class JoinsFile(Ridge):
    """Joins a file of answers by date."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        told = np.load(SEEN["file"])
        dates = train.decisions.decided_at[train.rows].astype("datetime64[D]").astype(int)
        return learned._replace(intercept=learned.intercept + told[dates % len(told)].mean())


class KeepsDates(Ridge):
    """Holds the moves of certain days in its own code."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        days = train.decisions.decided_at[train.rows].astype("datetime64[D]").astype(int)
        known = np.random.default_rng(0).normal(size=40_000)  # by day since 1970
        return learned._replace(intercept=learned.intercept + known[days].mean())


class BringsWeights(Ridge):
    """Weights from elsewhere, of which it does not say what they have seen."""

    def fit(self, train: Any, stop: Any, target: Any, seed: int) -> Any:
        learned = super().fit(train, stop, target, seed)
        brought = np.load(SEEN["file"])[: learned.weights.size].reshape(learned.weights.shape)
        return learned._replace(weights=learned.weights + brought)


class BatchOfBoosted(LightGBM):
    """Divides its forecasts by the spread of all that it is asked."""

    def predict(self, learned: Any, inputs: Any, target: Any) -> Any:
        own = super().predict(learned, inputs, target)
        return own / (own.std(axis=0) + 1e-12)


leak("model that gives the next row's forecast")(model_case("forecast", ShiftsRows))
leak("model that centres the batch")(model_case("forecast", CentresBatch))
leak("model that reads the next row where it is extreme")(model_case("forecast", CalmsExtremes))
leak("boosted model scaled by the batch")(model_case("forecast", BatchOfBoosted))
leak("model that remembers what other folds have seen")(model_case("member remembers", Remembers))
leak("model that remembers the widest label")(model_case("member widest", Widest))
leak("model that reads what another member has seen")(
    model_case("member readsother", Writes, ReadsOther)
)
leak("model with the moves of days in its code")(model_case("member keepsdates", KeepsDates))


@contextmanager
def _file() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="barstack-audit-"))
    np.save(folder / "told.npy", np.random.default_rng(1).normal(size=997))
    SEEN["file"] = str(folder / "told.npy")
    yield folder


@leak("model that joins a file by date")
def _joins(rng: np.random.Generator, source: Source) -> Case:
    case = model_case("member joinsfile", JoinsFile)(rng, source)
    with _file():
        return case


@leak("weights from elsewhere, undeclared")
def _weights(rng: np.random.Generator, source: Source) -> Case:
    case = model_case("member bringsweights", BringsWeights)(rng, source)
    with _file():
        return case


# --- scalers -------------------------------------------------------------------------------------


class ScalesBatch(StandardScaler):
    """Scales what it is asked by itself."""

    def apply(self, values: Any, learned: Any) -> Any:
        own = super().apply(values, learned)
        return own - own.mean(axis=0)


class RemembersScale(StandardScaler):
    """Never makes its scale smaller than one that it has seen."""

    def learn(self, values: Any, rows: Any) -> Any:
        found = super().learn(values, rows)
        SEEN["scale"] = np.maximum(SEEN.get("scale", 0.0), found["scale"])
        return found | {"scale": SEEN["scale"].copy()}


@leak("scaler that centres what it is asked")
def _scales(rng: np.random.Generator, source: Source) -> Case:
    return study_case(rng, source, "forecast", scaler=plugin(SCALERS, ScalesBatch))


@leak("scaler that remembers other folds")
def _scale(rng: np.random.Generator, source: Source) -> Case:
    SEEN.clear()
    return study_case(rng, source, "scaler of ridge", scaler=plugin(SCALERS, RemembersScale))
