"""Whether an out-of-fold score promises more than later rows keep.

In each of three hundred worlds nothing can be forecast. Their first part is what a study has:
folds, members, ensembles, and the ensembles' out-of-fold score. The last part is touched by
nothing; there the final members and the final ensemble forecast. An honest out-of-fold score
differs from that on the later rows by chance alone. Two scores are held to it, both of expected
value 0 or less where nothing leaks: the correlation of forecasts and returns about zero (an IC
that takes no means out, as those of a past and a future are not independent), and
1 - loss / naive loss.

The same probe is shown stacks that do leak: some learn from members' forecasts of the rows that
those were fitted on, others, in a third of the worlds, from members fitted on random rows around
each tested one, whose labels overlap, as general AutoML libraries do by default.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from _benchmark import at_least, at_most
from _ensembles_detected import with_regimes
from _ensembles_members import (
    CODE,
    Made,
    Plan,
    digest,
    out_of_fold,
    place,
    read,
    trainer_of,
    write,
)
from _ensembles_methods import METAS, combined, methods, nothing, row_losses
from _ensembles_tables import computed, mean_se, rounded, show, z_of
from _kept import Kept

from barstack.bars import Bars
from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import signal_of
from barstack.core.times import KnownAt, TrainedThrough
from barstack.datasets import Dataset
from barstack.ensembles import Ensemble, Stacked, align, fit_known
from barstack.models import FittedModel
from barstack.worlds import WORLDS

ROOMS = (*CODE, "core", "models", "ensembles")
FEATURES = ("wick_balance", "log_volume", "log_return", "rsi", "realized_volatility", "body",
            "relative_volume", "bollinger_position")  # fmt: skip
FAMILIES = ("ridge", "logistic", "lightgbm", "extra_trees", "knn")
HORIZON = 6  # bars, so that labels overlap and a missing purge would show
PLANS = {
    task: Plan(task, FEATURES, HORIZON, folds=3, first_train=0.4, only=FAMILIES)
    for task in ("return", "direction")
}
NULLS = ("garch", "market", "martingale", "regime_volatility", "fat_tails", "jumps")
WORLDS_TRIED, BARS, TOUCHED = 300, 1_800, 0.65
LIMIT = 3.0
RANDOM_FOLDS, EVERY = 5, 3  # of members around each tested row, in one world of so many


class Null(NamedTuple):
    """A world in which nothing can be forecast."""

    kind: str
    seed: int


def leak(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    tried = [
        Null(NULLS[n % len(NULLS)], 50_000 + 1_000 * options.seed + n)
        for n in range(options.most or WORLDS_TRIED)
    ]
    figures: dict[str, Any] = {"worlds": len(tried)}
    worst: dict[str, float] = {}
    caught: dict[str, float] = {}
    for task, plan in PLANS.items():
        settings = {name: each.content() for name, each in methods(task).items()}
        tasks = {
            repr([plan, plan.members(), settings, BARS, TOUCHED, each]): (task, each)
            for each in tried
        }
        store = Kept("ensembles-leak", ROOMS)
        results = computed(store, _probe, tasks, options.processes, f"Null worlds, {task}")
        figures[task] = own = _summary(list(results.values()))
        _show(task, own)
        for name, each in own.items():
            caught_here = name.startswith("leaking")
            (caught if caught_here else worst)[f"{name} ({task})"] = each["z"]
    name = max(worst, key=lambda each: worst[each])
    figures["worst"] = name
    bars = {
        "stack_oof_minus_forward_z": at_most(worst[name], LIMIT),
        "leaking_stack_z": at_least(min(caught.values()), LIMIT),
    }
    return bars, figures | {"leaking": caught}


def _probe(task: tuple[str, Null]) -> dict[str, list[float]]:
    """By method: IC and skill out of fold, then IC and skill on later rows."""
    given = known(*task)
    honest, forward = given.pop("honest"), given.pop("later")
    found = {
        name: _scored(ensemble, honest, forward) for name, ensemble in methods(task[0]).items()
    }
    for what, leaking in given.items():
        for name, ensemble in _leaking(task[0]).items():
            found[f"leaking {name}, {what}"] = _scored(ensemble, leaking, forward)
    return found


def known(task: str, null: Null) -> dict[str, Stacked]:
    """Members' forecasts out of fold and of later rows, and two that leak; made once."""
    plan = PLANS[task]
    pieces = ["honest", "later", "members in sample"]
    pieces += ["random folds"] if null.seed % EVERY == 0 else []
    about = digest(plan, [*null, BARS, TOUCHED, RANDOM_FOLDS])
    files = {piece: place(f"{about}-{piece.replace(' ', '-')}") for piece in pieces}
    if not all(file.is_file() for file in files.values()):
        for piece, stacked in _made(plan, null, "random folds" in pieces).items():
            write(files[piece], Made(stacked, {}))
    found = {piece: read(file).stacked for piece, file in files.items()}
    for piece in ("honest", "later"):
        found[piece] = with_regimes(found[piece], [about, piece], lambda: _panel(null))
    regimes = found["honest"].context
    return {
        piece: stacked if piece == "later" else replace(stacked, context=regimes)
        for piece, stacked in found.items()
    }


def _panel(null: Null) -> dict[str, Bars]:
    world = {"world": null.kind, "bars": BARS, "horizons": [1], "seed": null.seed}
    return WORLDS.parse(world).make().panel


def _made(plan: Plan, null: Null, random_folds: bool) -> dict[str, Stacked]:
    dataset = plan.dataset(_panel(null))
    decided_at, known_at = dataset.decisions.decided_at, dataset.labels.all_known_at
    cut = decided_at[int(TOUCHED * len(decided_at))]
    touched = dataset.usable & (decided_at < cut) & (known_at <= cut)
    folds, final = plan.split(dataset, touched), np.flatnonzero(touched)
    trainer = trainer_of(dataset, [*(fold.train for fold in folds), final])
    fits = {
        name: [plan.train(trainer, name, fold) for fold in range(len(folds) + 1)]
        for name in plan.members()
    }
    context = {"features": (dataset.decisions, dataset.features.values)}
    members = {name: out_of_fold(each[:-1], dataset, folds) for name, each in fits.items()}
    honest = align(members, dataset.labels, context=context)
    last = {name: each[-1] for name, each in fits.items()}
    later = np.flatnonzero(dataset.usable & (decided_at >= cut) & ~np.isnat(known_at))
    own = dataset.decisions.find(honest.decisions)
    in_sample = replace(_seen(honest, last, dataset, own), fold=honest.fold)
    found = {
        "honest": honest,
        "later": _seen(honest, last, dataset, later),
        "members in sample": in_sample,
    }
    if random_folds:
        found["random folds"] = _random_folds(plan, dataset, honest, final)
    return found


def _leaking(task: str) -> dict[str, Ensemble]:
    """Stacks that would be honest, were it not for what they are given."""
    known = methods(task)
    weighted = "nnls" if "nnls" in known else "stack"
    found = {weighted: known[weighted]}
    meta = f"stack {METAS[task][0]}"
    return found | ({meta: known[meta]} if meta in known else {})


def _seen(like: Stacked, fits: dict[str, FittedModel], dataset: Dataset, rows: Rows) -> Stacked:
    """Forecasts of some rows by final members, whether or not they have seen those."""
    for fit in fits.values():
        rows = fit.forecastable(dataset, rows)
    rows = rows[np.argsort(dataset.decisions.decided_at[rows], kind="stable")]
    values = np.stack([fit.predict(dataset.features, rows) for fit in fits.values()], axis=1)
    labels = dataset.labels
    return replace(
        like,
        decisions=dataset.decisions.take(rows),
        forecasts=values,
        # What they have truly seen is the leak; the contract's checks of times are not tested here.
        trained_through=TrainedThrough(np.full(len(rows), like.trained_through[0])),  # type: ignore[index]
        fold=np.zeros(len(rows), np.int64),
        y=labels.values[rows],
        known_at=KnownAt(labels.known_at[rows]),
        returns=labels.returns[rows],
        context={"features": dataset.features.values[rows]},
    )


def _random_folds(plan: Plan, dataset: Dataset, honest: Stacked, final: Rows) -> Stacked:
    """Members' forecasts of rows left out at random, unpurged."""
    at = dataset.decisions.find(honest.decisions)
    part = np.random.default_rng(0).integers(RANDOM_FOLDS, size=len(dataset.decisions))
    trainer = trainer_of(dataset, [final[part[final] != each] for each in range(RANDOM_FOLDS)])
    values = honest.forecasts.copy()
    for member, name in enumerate(plan.members()):
        for each in range(RANDOM_FOLDS):
            mine = part[at] == each
            fit = plan.train(trainer, name, each)
            values[mine, member] = fit.predict(dataset.features, at[mine])
    return replace(honest, forecasts=values)


def _scored(ensemble: Ensemble, stacked: Stacked, forward: Stacked) -> list[float]:
    """IC and skill out of fold, then those of the final fit on later rows."""
    values, _ = combined(ensemble, stacked, seed=0)
    assert stacked.fold is not None
    rows = np.flatnonzero(stacked.fold > stacked.fold.min())
    final = fit_known(ensemble, stacked).predict(forward)
    return [*_two(values[rows], stacked.take(rows)), *_two(final, forward)]


def _two(values: Floats, stacked: Stacked) -> list[float]:
    """Correlation about zero of signal and returns, and 1 - loss / naive loss."""
    assert stacked.returns is not None
    signal, returns = signal_of(values, stacked.target)[:, 0], stacked.returns[:, 0]
    size = float(np.sqrt((signal**2).sum() * (returns**2).sum()))
    naive = row_losses(nothing(stacked.target, len(stacked)), stacked).mean()
    skill = 1.0 - float(row_losses(values, stacked).mean() / naive)
    return [float((signal * returns).sum()) / size if size else 0.0, skill]


def _summary(results: list[dict[str, list[float]]]) -> dict[str, Any]:
    """By method: both scores out of fold and later, and their paired differences."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in results for name in each):
        own = np.array([each[name] for each in results if name in each])
        ic, skill = own[:, 0] - own[:, 2], own[:, 1] - own[:, 3]
        found[name] = {
            "worlds": len(own),
            "z": round(max(z_of(ic), z_of(skill)), 2),
            "ic_z": round(z_of(ic), 2),
            "skill_z": round(z_of(skill), 2),
            "ic": rounded(mean_se(own[:, 0])),
            "ic_later": rounded(mean_se(own[:, 2])),
            "skill": rounded(mean_se(own[:, 1])),
            "skill_later": rounded(mean_se(own[:, 3])),
        }
    return dict(sorted(found.items(), key=lambda item: -float(item[1]["z"])))


def _show(task: str, found: dict[str, Any]) -> None:
    rows = [
        (
            name,
            *(f"{100 * own[what][0]:+.2f} ± {100 * own[what][1]:.2f}"
              for what in ("ic", "ic_later", "skill", "skill_later")),
            f"{own['ic_z']:+.1f}",
            f"{own['skill_z']:+.1f}",
        )
        for name, own in found.items()
    ]  # fmt: skip
    columns = ("method", "IC, %", "later", "skill, %", "later", "IC, z", "skill, z")
    show(f"null worlds, {task}", columns, rows)
