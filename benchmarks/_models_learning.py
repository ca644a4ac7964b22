"""Learning is real: every model on worlds where it is known what can be learned, and by whom.

Skill is 1 - loss / naive loss on later rows of the same world: squared error of returns, or log
loss of directions for models that forecast no return; the naive loss is the better of no change and
the training mean. Over seeds it has a mean and a standard error; models are compared seed by seed.

    linear       the newest bar tells, in proportion     every model beats the naive forecasts
    interaction  two features tell, multiplied           models that bend beat the best straight one
    order        the order of the latest bars tells      models of windows beat the best of one bar
    noise        nothing tells                           no model beats the naive forecasts
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from _benchmark import at_most
from _kept import Kept
from rich.console import Console
from rich.progress import track
from rich.table import Table

from barstack.datasets import Dataset
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.worlds import WORLDS

BARS, TRAINED = 5_000, 3_500
FEATURES = ("wick_balance", "log_volume")
SIGNALS: dict[str, dict[str, Any]] = {
    "linear": {"world": "linear", "r2": 0.08, "horizons": [1]},
    "interaction": {"world": "interaction", "r2": 0.08, "horizons": [1]},
    "order": {"world": "order", "r2": 0.15, "horizons": [1]},
    "noise": {"world": "garch"},
}
STRAIGHT = ("dlinear", "elastic_net", "logistic", "ridge", "sklearn")  # by name: Bayesian ridge
Skills = npt.NDArray[np.float64]


def learning(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`. Goes on where it was stopped."""
    # Worlds have one structure for all tickers, and no weights of the user's own.
    apart = ("pretrained", "wrappers")
    known = [name for name in MODELS.names() if MODELS.get(name).family not in apart]
    names = [name for name in known if not name.startswith("naive_")]
    chosen = options.only.split(",") if options.only else names
    seeds = range(options.seed, options.seed + options.seeds)
    losses = _losses([*chosen, "naive_mean", "naive_zero"], seeds)
    skills = {
        name: {world: _skills(losses, name, world, seeds) for world in SIGNALS} for name in chosen
    }
    failed = {world: sorted(_failed(world, skills)) for world in SIGNALS}
    _show(skills, failed)
    bars = {f"{world}_failed": at_most(len(each), 0) for world, each in failed.items()}
    mean = {
        name: {world: [round(float(each), 4) for each in _mean(own)] for world, own in each.items()}
        for name, each in skills.items()
    }
    figures = {"seeds": options.seeds, "bars": BARS, "trained": TRAINED, "worlds": SIGNALS}
    return bars, figures | {"failed": failed, "skill_and_standard_error": mean}


def _failed(world: str, skills: dict[str, dict[str, Skills]]) -> Iterator[str]:
    """Models that do not do on a world what they should, by at least two standard errors."""
    own = {name: each[world] for name, each in skills.items()}
    of_one_bar = [name for name in own if MODELS.get(name)().lookback_bars == 1]
    for name, skill in own.items():
        if world == "noise":
            # Two standard errors would name one good model of forty; 3.5 one in two thousand.
            failed = _t(skill) > 3.5
        elif world == "linear":
            failed = _t(skill) < 2.0
        else:
            rivals = STRAIGHT if world == "interaction" else of_one_bar
            there = [each for each in rivals if each in own and each != "logistic"]
            failed = False
            if name not in rivals and there:
                best = max(there, key=lambda each: own[each].mean())
                failed = _t(skill - own[best]) < 2.0
        if failed:
            yield name


def _losses(names: list[str], seeds: range) -> Kept:
    """Loss by (model, world, seed, task)."""
    kept = Kept("models_learning")
    wanted = [
        (name, world, seed, task)
        for seed in seeds
        for world in SIGNALS
        for name in names
        for task in (("return", "direction") if name.startswith("naive_") else (_task(name),))
    ]
    left = [key for key in wanted if key not in kept]
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, fresh) as pool:
        for key, loss in track(
            zip(left, pool.map(_loss, left, chunksize=4), strict=True), "Fitting", len(left)
        ):
            kept[key] = loss
    return kept


def _task(name: str) -> str:
    return "return" if "return" in MODELS.get(name).tasks else "direction"


def _loss(key: tuple[str, str, int, str]) -> float:
    """Mean loss of one model on later rows of one world."""
    name, world, seed, task = key
    dataset = _dataset(world, seed, task)
    settings: dict[str, Any] = {"model": name}
    if "feature_share" in MODELS.get(name).model_fields:
        settings["feature_share"] = 1.0  # or a tree would see one of the two and no interaction
    rows = np.flatnonzero(~np.isnat(dataset.labels.all_known_at) & dataset.usable)
    fitted = train(MODELS.parse(settings), dataset, rows[rows < TRAINED], seed=seed)
    later = rows[rows > TRAINED]
    said = fitted.forecast(dataset.features, later).values[:, 0, 0]
    came = dataset.labels.values[later, 0]
    if task == "return":
        return float(((said - came) ** 2).mean())
    return float(-np.log(np.where(came > 0.5, said, 1.0 - said)).mean())


def _dataset(world: str, seed: int, task: str) -> Dataset:
    panel = WORLDS.parse(SIGNALS[world] | {"bars": BARS, "seed": seed}).make().panel
    features = FeatureSet(features=tuple(Feature(feature=name) for name in FEATURES))
    labels = LABELS.parse({"label": task, "horizons": [1]})
    return Dataset(features.compute(panel), labels.compute(panel))


def _skills(losses: Kept, name: str, world: str, seeds: range) -> Skills:
    """(n_seeds,)"""
    task = _task(name)
    each = []
    for seed in seeds:
        naive = min(losses[n, world, seed, task] for n in ("naive_mean", "naive_zero"))
        each.append(1.0 - losses[name, world, seed, task] / naive)
    return np.array(each)


def _mean(skill: Skills) -> tuple[float, float]:
    """Mean over seeds, and its standard error."""
    return float(skill.mean()), float(skill.std(ddof=1) / np.sqrt(len(skill)))


def _t(skill: Skills) -> float:
    mean, error = _mean(skill)
    return mean / error if error else float(np.sign(mean)) * np.inf if mean else 0.0


def _show(skills: dict[str, dict[str, Skills]], failed: dict[str, list[str]]) -> None:
    table = Table(title="skill in %, with its standard error; ! where it is not as it should be")
    table.add_column("model")
    for world in SIGNALS:
        table.add_column(world, justify="right", no_wrap=True)
    for name, each in skills.items():
        cells = []
        for world, skill in each.items():
            mean, error = _mean(skill)
            mark = "!" if name in failed[world] else " "
            cells.append(f"{100 * mean:.1f} ± {100 * error:.1f}{mark}")
        table.add_row(name, *cells)
    Console(width=100).print(table)
