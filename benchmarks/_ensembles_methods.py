"""The ways to combine that are compared, all by the same folds and the same rows.

Every registered ensemble that does the task takes part, `stack` once for each meta-learner.
Beside them: every member alone, the member that was best on earlier rows, and no forecast at all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Bools, Floats, Rows
from barstack.core.forecast import Target, signal_of
from barstack.ensembles import ENSEMBLES, Ensemble, Stacked, walk_forward
from barstack.evaluation import _metrics as metrics

# The ensemble that a newcomer is given, and what it is compared with.
DEFAULT = "inverse_variance"  # of a study that names none
EQUAL, BEST_EARLIER = "average", "best member earlier"
METAS = {
    "return": ("ridge", "elastic_net", "lightgbm", "xgboost", "catboost"),
    "direction": ("logistic", "lightgbm", "xgboost", "catboost"),
}


class Scores(NamedTuple):
    """How good forecasts are, on the rows of one series.

    loss     squared error over that of a forecast of no change, or log loss over that of even odds
    ic       correlation with the returns; 0 where the forecast never changes
    hits     share of moves whose sign was right, no forecast counting half
    """

    loss: float
    ic: float
    hits: float


def methods(task: str, context: tuple[str, ...] = ("features", "regimes")) -> dict[str, Ensemble]:
    """Ensembles by the name they have in the tables."""
    found: dict[str, Ensemble] = {}
    for name in ENSEMBLES.names():
        kind = ENSEMBLES.get(name)
        if task not in kind.tasks or not kind.__module__.startswith("barstack."):
            continue
        if "meta" in kind.model_fields:
            for meta in METAS[task]:
                found[f"{name} {meta}"] = ENSEMBLES.parse({"ensemble": name, "meta": meta})
        else:
            found[name] = ENSEMBLES.parse({"ensemble": name})
    return {name: each for name, each in found.items() if set(each.needs) <= set(context)}


def judged(stacked: Stacked) -> Bools:
    """(n_rows,) rows by which all are judged: from the second fold on, the label known."""
    assert stacked.fold is not None
    return np.asarray((stacked.fold > stacked.fold.min()) & ~np.isnat(stacked.all_known_at))


def combined(ensemble: Ensemble, stacked: Stacked, seed: int) -> tuple[Floats, float]:
    """(n_rows, n_horizons, n_outputs) forward forecasts, NaN in the first fold, and seconds."""
    began = time.perf_counter()
    own, _ = walk_forward(ensemble, stacked, seed=seed)
    seconds = time.perf_counter() - began
    assert stacked.fold is not None
    found = np.full((len(stacked), *own.forecast.values.shape[1:]), np.nan)
    found[np.concatenate([np.flatnonzero(stacked.fold == k) for k in np.unique(own.fold)])] = (
        own.forecast.values
    )
    return found, seconds


def best_earlier(stacked: Stacked) -> Floats:
    """Like `combined`: in each fold the one member with the least loss on known earlier rows."""
    assert stacked.fold is not None
    found = np.full_like(stacked.member(0), np.nan)
    known_at = stacked.all_known_at
    for fold in np.unique(stacked.fold)[1:]:
        test = stacked.fold == fold
        begins = stacked.decisions.decided_at[test].min()
        rows = np.flatnonzero((stacked.fold < fold) & (known_at <= begins))
        past = stacked.take(rows)
        losses = [row_losses(past.member(m), past).mean() for m in range(len(stacked.members))]
        found[test] = stacked.member(int(np.argmin(losses)))[test]
    return found


def forecasts(stacked: Stacked, seed: int) -> Iterator[tuple[str, Floats, float]]:
    """(name, forward forecasts, seconds) of every method, and of what it is compared with."""
    for name, ensemble in methods(stacked.target.task).items():
        yield name, *combined(ensemble, stacked, seed)
    yield BEST_EARLIER, best_earlier(stacked), 0.0
    for place, member in enumerate(stacked.members):
        yield f"= {member}", stacked.member(place), 0.0


def row_losses(values: Floats, stacked: Stacked) -> Floats:
    """(n_rows,) squared errors of returns, log losses of classes, at the first horizon."""
    assert stacked.y is not None
    if stacked.target.n_classes:
        return metrics.log_losses(values[:, 0], stacked.y[:, 0])
    return np.asarray((values[:, 0, 0] - stacked.y[:, 0]) ** 2)


def nothing(target: Target, n_rows: int) -> Floats:
    """The forecast of somebody who knows nothing: no change, or even odds."""
    shape = (n_rows, len(target.horizons), len(target.outputs))
    return np.full(shape, 1.0 / target.n_classes if target.n_classes else 0.0)


def scores(values: Floats, stacked: Stacked, rows: Rows | Bools) -> Scores:
    """Of forecasts (n_rows, n_horizons, n_outputs), on some of the rows."""
    own = stacked.take(np.arange(len(stacked))[rows])
    values = values[rows]
    assert own.returns is not None
    signal, returns = signal_of(values, own.target)[:, 0], own.returns[:, 0]
    naive = row_losses(nothing(own.target, len(own)), own).mean()
    ic = metrics.ic(signal, returns)
    return Scores(
        float(row_losses(values, own).mean() / naive),
        ic if np.isfinite(ic) else 0.0,
        metrics.directional_accuracy(signal, returns),
    )
