"""Linear models on the folds of combinatorial purged cross-validation: shared beside fold by fold.

Each table of features is cut into 45 folds (10 groups, 2 tested) and 220 (12 groups, 3 tested);
each model has 12 penalties and 4 horizons. `train_folds` fits all of it, timed whole. Beside it
`train` fits one model on one fold at a time: a sample of these fits, with every penalty on folds
spread evenly, is timed and stands for all; their coefficients are compared. Seconds are those that
the process computed for, on one thread, so that a busy machine changes little.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import at_least, at_most

from barstack.bars import PROVIDERS, Panel
from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.features import FeatureTable, named_set
from barstack.labels import LABELS
from barstack.models import MODELS, FittedModel, train, train_folds
from barstack.splits import SPLITTERS
from features import SHARED

SPLITS = ((10, 2), (12, 3))  # groups, tested
HORIZONS = (1, 3, 6, 12)  # bars
EMBARGO = 60  # bars
PENALTIES = {"ridge": np.geomspace(1e-3, 1e2, 12), "elastic_net": np.geomspace(2e-3, 2e-1, 12)}
SAMPLE_S = 20.0  # of fits one at a time, for each model on each table and split
LARGE, SMALL = "124,000 x 107", "3,500 x 85"


def linear(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    found: dict[str, dict[str, Any]] = {}
    with import_module("threadpoolctl").threadpool_limits(1):
        for where, dataset in tables(options.data or SHARED / "us_equities_5m"):
            for groups, tested in SPLITS:
                folds = folds_of(dataset, groups, tested)
                for name in PENALTIES:
                    key = f"{name}, {where}, {len(folds)} folds"
                    found[key] = beside(name, dataset, folds)
                    print(f"{key:40}", found[key], flush=True)
    # With few rows a fit is mostly its own solving, which no fold can take from another.
    slowest = {
        size: min(each["speedup"] for key, each in found.items() if size in key)
        for size in (LARGE, SMALL)
    }
    worst = max(each["difference"] for each in found.values())
    return {
        "cpcv_linear_speedup": at_least(slowest[LARGE], 60.0),
        "cpcv_linear_speedup_few_rows": at_least(slowest[SMALL], 60.0),
        "cpcv_linear_difference": at_most(worst, 1e-10),
    }, {"fits": found}


def tables(folder: Path) -> Iterator[tuple[str, Dataset]]:
    """Ten symbols with all of core107, and the latest 3,500 rows of one with 85 of its columns."""
    symbols = sorted(file.stem for file in folder.glob("*.parquet"))[:10]
    source = {"provider": "files", "path": str(folder), "calendar": "XNYS", "symbols": symbols}
    panel = PROVIDERS.parse(source).load()
    yield LARGE, dataset_of(panel, 107, None)
    yield SMALL, dataset_of({symbols[0]: panel[symbols[0]]}, 85, 3500)


def dataset_of(panel: Panel, n_columns: int, n_rows: int | None) -> Dataset:
    """The latest `n_rows` whose features are complete, or all."""
    length_us = next(iter(panel.values())).length_us
    table = named_set("core107", length_us).compute(panel)
    labels = LABELS.parse({"label": "return", "horizons": list(HORIZONS)}).compute(panel)
    values = np.ascontiguousarray(table.values[:, :n_columns])
    if n_rows is not None:
        values[:-n_rows] = np.nan  # as in a warm-up
    return Dataset(FeatureTable(table.decisions, table.columns[:n_columns], values), labels)


def folds_of(dataset: Dataset, groups: int, tested: int) -> list[Rows]:
    """The rows that each fold trains on."""
    splitter = SPLITTERS.parse(
        {"split": "combinatorial_purged", "groups": groups, "tested": tested, "embargo": EMBARGO}
    )
    known_at = dataset.labels.all_known_at
    return [fold.train for fold in splitter.split(dataset.decisions, known_at, dataset.usable)]


def beside(name: str, dataset: Dataset, folds: Sequence[Rows]) -> dict[str, Any]:
    """Seconds of all fits, shared and one at a time, and how much they differ."""
    models = [MODELS.parse({"model": name, "penalty": float(each)}) for each in PENALTIES[name]]
    list(train_folds(models, dataset, folds[:2], seed=0))  # compiles, and finds rows' histories
    seconds = []
    for _ in range(3):
        start = time.process_time()
        shared = list(train_folds(models, dataset, folds, seed=0))
        seconds.append(time.process_time() - start)
    alone, worst = [], 0.0
    for number, place in enumerate(spread(len(folds))):
        penalty = number % len(models)
        start = time.process_time()
        one = train(models[penalty], dataset, folds[place], seed=0)
        alone.append(time.process_time() - start)
        worst = max(worst, difference(one, shared[place][penalty]))
        if sum(alone) > SAMPLE_S and number % len(models) == len(models) - 1:
            break
    fits = len(folds) * len(models)
    one_at_a_time = float(np.mean(alone)) * fits
    return {
        "shared_s": round(float(np.median(seconds)), 4),
        "one_at_a_time_s": round(one_at_a_time, 2),
        "speedup": round(one_at_a_time / float(np.median(seconds)), 1),
        "difference": worst,
        "fits": fits,
        "fits_timed_alone": len(alone),
        "rows": int(np.mean([len(rows) for rows in folds])),
    }


def spread(n_folds: int) -> Iterator[int]:
    """Folds spread evenly, however many are taken; 12 of each in all."""
    for turn in range(12):
        for place in range(n_folds):
            yield (place * 7 + turn) % n_folds  # 7 shares no factor with 45 or 220


def difference(one: FittedModel, two: FittedModel) -> float:
    """The largest difference of coefficients, intercepts too, in parts of the largest of them."""
    pairs = [np.vstack([each.learned.weights, each.learned.intercept]) for each in (one, two)]
    return float(np.abs(pairs[0] - pairs[1]).max() / np.abs(pairs[0]).max())
