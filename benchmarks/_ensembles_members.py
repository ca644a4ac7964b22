"""Members of the ensembles under test: their forward forecasts, made once and kept.

A plan says what is forecast and by whom. Members are fitted fold by fold by `FoldTrainer`, as a
study fits them; what is kept is a `Stacked` as arrays, so that another ensemble costs no fit.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _kept import code_of

from barstack.bars import Bars
from barstack.core.arrays import Bools, Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import Forecast, Target, concatenate
from barstack.core.seeds import derive_seed
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.datasets import Dataset
from barstack.ensembles import Stacked, align
from barstack.features import Feature, FeatureSet, named_set
from barstack.labels import LABELS
from barstack.models import MODELS, FittedModel, FoldTrainer
from barstack.splits import SPLITTERS, Fold
from barstack.tracking import OutOfFold

# What a member's forecast depends on; `core` is left out, whose arithmetic never changes it.
CODE = ("bars", "worlds", "features", "labels", "splits", "datasets",
        "models/boosting", "models/classical", "models/neural", "models/training")  # fmt: skip
OLDER = "BARSTACK_OLDER_MEMBERS"
FOLDER = Path(__file__).parent / "results" / ".ensembles"

# Of different families, at the sizes that small folds call for.
_BOTH: dict[str, dict[str, Any]] = {
    "lightgbm": {"trees": 100},
    "xgboost": {"trees": 100},
    "catboost": {"trees": 100},
    "hist_gradient_boosting": {"trees": 100},
    "extra_trees": {"trees": 60},
    "knn": {},
    "svm": {"exact_rows": 1_000, "landmarks": 150},
    "mlp": {"lookback": 4, "hidden": [32], "epochs": 8, "patience": 3, "batch": 256},
}
MEMBERS: dict[str, dict[str, dict[str, Any]]] = {
    "return": {"ridge": {}, "elastic_net": {}} | _BOTH,
    "direction": {"logistic": {}} | _BOTH,
}


@dataclass(frozen=True)
class Plan:
    """What is forecast, by which members, on which folds.

    features  the name of a set, or names of features
    only      names of members; all of the task where empty
    """

    task: str = "return"
    features: str | tuple[str, ...] = "fast25"
    horizon: int = 4
    folds: int = 5
    first_train: float = 0.4
    only: tuple[str, ...] = ()
    seed: int = 0

    def members(self) -> dict[str, dict[str, Any]]:
        """Settings by name."""
        own = MEMBERS[self.task]
        return {name: own[name] for name in self.only or own if name in own}

    def dataset(self, panel: Mapping[str, Bars]) -> Dataset:
        """Features and labels of the plan."""
        length_us = next(iter(panel.values())).length_us
        if isinstance(self.features, str):
            features = named_set(self.features, length_us)
        else:
            features = FeatureSet(features=tuple(Feature(feature=name) for name in self.features))
        labels = LABELS.parse({"label": self.task, "horizons": [self.horizon]})
        return Dataset(features.compute(dict(panel)), labels.compute(dict(panel)))

    def split(self, dataset: Dataset, usable: Bools | None = None) -> list[Fold]:
        """Forward folds of the rows to use, purged by when labels are known."""
        split = {"split": "walk_forward", "folds": self.folds, "first_train": self.first_train}
        known_at = dataset.labels.all_known_at
        usable = dataset.usable if usable is None else usable
        return SPLITTERS.parse(split).split(dataset.decisions, known_at, usable)

    def train(self, trainer: FoldTrainer, name: str, fold: int) -> FittedModel:
        """One member on the training rows of one fold."""
        model = MODELS.parse({"model": name, **self.members()[name]})
        return trainer.train(model, fold, derive_seed(self.seed, model.id, fold), threads=1)


def trainer_of(dataset: Dataset, folds: list[Rows]) -> FoldTrainer:
    """Trains on the rows of each fold whose labels are known."""
    known_at = dataset.labels.all_known_at
    return FoldTrainer(dataset, [rows[~np.isnat(known_at[rows])] for rows in folds])


@dataclass(frozen=True, eq=False)
class Made:
    """Members' forward forecasts with outcomes and raw features, and what they took.

    seconds  by member, of all folds
    truth    (n_rows,) the best possible forecast, in a world
    """

    stacked: Stacked
    seconds: dict[str, float]
    truth: Floats | None = None


def make(plan: Plan, panel: Mapping[str, Bars]) -> Made:
    """Fit all members on all folds and put their forecasts of the tests side by side."""
    dataset = plan.dataset(panel)
    folds = plan.split(dataset)
    trainer = trainer_of(dataset, [fold.train for fold in folds])
    members: dict[str, OutOfFold] = {}
    seconds: dict[str, float] = {}
    for name in plan.members():
        began = time.perf_counter()
        fits = [plan.train(trainer, name, fold) for fold in range(len(folds))]
        members[name] = out_of_fold(fits, dataset, folds)
        seconds[name] = time.perf_counter() - began
    features = dataset.features
    context = {"features": (features.decisions, features.values)}
    return Made(align(members, dataset.labels, context=context), seconds)


def out_of_fold(fits: list[FittedModel], dataset: Dataset, folds: list[Fold]) -> OutOfFold:
    """A member's forecasts of the tests of its folds."""
    parts: list[Forecast] = []
    for fit, fold in zip(fits, folds, strict=True):
        eligible = fold.test[dataset.labels.eligible[fold.test]]
        parts.append(fit.forecast(dataset.features, fit.forecastable(dataset, eligible)))
    lengths = [len(part) for part in parts]
    return OutOfFold(concatenate(parts), np.repeat(np.arange(len(parts)), lengths))


def kept(plan: Plan, about: Any, panel: Callable[[], Mapping[str, Bars]]) -> Made:
    """What `make` gives, from a file where it has been made before.

    about  says which bars these are
    """
    file = place(digest(plan, about))
    if not file.is_file():
        write(file, make(plan, panel()))
    return read(file)


def digest(plan: Plan, about: Any) -> str:
    """Of the plan, its members' settings, and the bars."""
    content = json.dumps([asdict(plan), plan.members(), about], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def place(name: str, code: tuple[str, ...] = CODE) -> Path:
    """The file of this name that the code of today has made, or would make.

    With `OLDER` in the environment also what other code has made, where today's has not: forecasts
    of members are what ensembles are compared on, whichever commit they come from.
    """
    own = FOLDER / f"{name}-{code_of(code)[:8]}.npz"
    if not own.is_file() and os.environ.get(OLDER):
        found = sorted(FOLDER.glob(f"{name}-{'?' * 8}.npz"), key=lambda each: each.stat().st_mtime)
        return found[-1] if found else own
    return own


def write(file: Path, made: Made) -> None:
    """As arrays."""
    stacked, decisions = made.stacked, made.stacked.decisions
    about = {
        "members": stacked.members,
        "symbols": decisions.symbols,
        "target": stacked.target.to_json(),
        "seconds": made.seconds,
    }
    arrays = {
        "about": np.array(json.dumps(about)),
        "symbol_code": decisions.symbol_code,
        "decided_at": decisions.decided_at,
        "forecasts": stacked.forecasts,
        "trained_through": stacked.trained_through,
        "fold": stacked.fold,
        "y": stacked.y,
        "known_at": stacked.known_at,
        "returns": stacked.returns,
        "features": stacked.context["features"],
    }
    if made.truth is not None:
        arrays["truth"] = made.truth
    saved(file, arrays)


def saved(file: Path, arrays: Mapping[str, Any]) -> None:
    """Arrays in a file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    begun = file.with_suffix(f".{os.getpid()}.tmp")
    with begun.open("wb") as opened:
        np.savez(opened, **arrays)
    begun.rename(file)


def read(file: Path) -> Made:
    """What `write` wrote."""
    with np.load(file, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))
        stacked = Stacked(
            tuple(about["members"]),
            Decisions(
                tuple(about["symbols"]), arrays["symbol_code"], DecidedAt(arrays["decided_at"])
            ),
            Target.from_json(about["target"]),
            arrays["forecasts"],
            TrainedThrough(arrays["trained_through"]),
            arrays["fold"],
            arrays["y"],
            KnownAt(arrays["known_at"]),
            arrays["returns"],
            context={"features": arrays["features"]},
        )
        truth = arrays.get("truth")
    return Made(stacked, about["seconds"], truth)
