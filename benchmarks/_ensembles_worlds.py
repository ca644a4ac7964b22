"""Worlds whose best forecast is known: how close each method comes, free of the returns' noise.

The squared error of a forecast f of returns y is E(y - b)² + E(f - b)², with b the best forecast:
only the second part differs between methods, and it is computed, not estimated from y. So is the
capture: with E(y | bars) = b, IC / Bayes IC is the correlation of f with b. The same of realised
returns stands beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from _benchmark import at_least, at_most
from _ensembles_detected import with_regimes
from _ensembles_members import CODE, Made, Plan, digest, make, place, read, write
from _ensembles_methods import (
    BEST_EARLIER,
    DEFAULT,
    EQUAL,
    forecasts,
    judged,
    methods,
    row_losses,
    scores,
)
from _ensembles_tables import computed, mean_se, ranks, ratio_se, rounded, show, z_of
from _kept import Kept

from barstack.core.arrays import Floats
from barstack.worlds import WORLDS, World

ROOMS = (*CODE, "core", "models", "ensembles")
FEATURES = ("wick_balance", "log_volume", "log_return", "rsi", "realized_volatility", "body",
            "relative_volume", "bollinger_position")  # fmt: skip
FAMILIES = ("ridge", "elastic_net", "lightgbm", "hist_gradient_boosting", "extra_trees", "knn",
            "svm", "mlp")  # fmt: skip
PLAN = Plan(features=FEATURES, horizon=1, only=FAMILIES)
BARS = 3_000
MARGIN = 1e-3  # of the loss of equal weights
PLANTED = ("linear", "interaction", "regime_dependent", "order", "decaying")
STRENGTHS, NOISES, DRAWS = (0.005, 0.02, 0.06), ("garch", "market"), 3
NOTHING = ("garch", "market", "regime_volatility", "fat_tails", "jumps")  # to forecast, twice each


class Case(NamedTuple):
    """One world, by its settings."""

    kind: str
    r2: float | None
    noise: str | None
    seed: int

    @property
    def world(self) -> World:
        """As barstack makes it."""
        settings = {"world": self.kind, "bars": BARS, "horizons": [1], "seed": self.seed}
        own = {"r2": self.r2, "noise": self.noise}
        if self.kind == "decaying":
            own["half_life_bars"] = BARS / 2
        return WORLDS.parse(settings | {name: each for name, each in own.items() if each})


def cases(seed: int) -> list[Case]:
    """A hundred, ninety with something to find and ten with nothing.

    Each has a seed of its own: worlds of one seed share their noise, whatever is planted in them.
    """
    planted = [
        (kind, r2, noise)
        for _ in range(DRAWS)
        for kind in PLANTED
        for r2 in STRENGTHS
        for noise in NOISES
    ]
    empty = [(kind, None, None) for _ in range(2) for kind in NOTHING]
    return [Case(*each, 1_000 * seed + n) for n, each in enumerate([*planted, *empty])]


def worlds(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    every = cases(options.seed)
    if options.most:
        every = every[:: max(len(every) // options.most, 1)]
    settings = {name: each.content() for name, each in methods(PLAN.task).items()}
    tasks = {repr([PLAN, PLAN.members(), settings, BARS, each]): each for each in every}
    found = computed(Kept("ensembles-worlds", ROOMS), _score, tasks, options.processes, "Worlds")
    return summary(every, list(found.values()))


def known(case: Case) -> Made:
    """Members' forecasts in a world and the best ones, made once."""
    file = place(digest(PLAN, [*case, BARS]))
    if not file.is_file():
        world = case.world.make()
        made = make(PLAN, world.panel)
        at = world.truth.decisions.find(made.stacked.decisions)
        write(file, Made(made.stacked, made.seconds, world.truth.forecast[at]))
    return read(file)


def _score(case: Case) -> dict[str, Any]:
    """Of every method: expected loss, capture, realised loss and IC; and of the best forecast."""
    made = known(case)
    about = digest(PLAN, [*case, BARS])
    stacked = with_regimes(made.stacked, about, lambda: case.world.make().panel)
    rows = judged(stacked)
    assert made.truth is not None
    best = made.truth[:, :, None]
    noise = float(row_losses(best, stacked)[rows].mean())
    usual = noise + float((best[rows] ** 2).mean())
    found: dict[str, Any] = {}
    for method, values, seconds in forecasts(stacked, 0):
        expected = noise + float(((values[rows] - best[rows]) ** 2).mean())
        own = scores(values, stacked, rows)
        found[method] = [expected / usual, _correlation(values[rows], best[rows]), *own, seconds]
    truth = scores(best, stacked, rows)
    return {
        "scores": found,
        "best": [noise / usual, *truth],
        "member_s": sum(made.seconds.values()),
    }


def _correlation(values: Floats, best: Floats) -> float:
    if not np.ptp(values) or not np.ptp(best):
        return 0.0
    return float(np.corrcoef(values.ravel(), best.ravel())[0, 1])


def summary(
    every: list[Case], results: list[dict[str, Any]]
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Means over worlds, and the share of worlds where each is no worse than equal weights."""
    planted = np.array([each.r2 is not None for each in every])
    best_ic = np.array([each["best"][2] for each in results])
    table = {
        name: np.array([each["scores"][name] for each in results]) for name in results[0]["scores"]
    }
    losses = {name: own[:, 0] for name, own in table.items()}
    combining = [name for name in table if not name.startswith("=")]
    rank = ranks({name: losses[name] for name in combining})
    found: dict[str, Any] = {}
    for name, own in table.items():
        excess = losses[name] / losses[EQUAL] - 1.0
        found[name] = {
            "loss": rounded(mean_se(own[:, 0])),
            "capture": rounded(mean_se(own[planted, 1])),
            "realised_capture": rounded(ratio_se(own[planted, 3], best_ic[planted])),
            "directional_accuracy": rounded(mean_se(own[:, 4])),
            "minus_equal": rounded(mean_se(losses[name] - losses[EQUAL])),
            "minus_equal_z": round(z_of(losses[name] - losses[EQUAL]), 2),
            "minus_best_earlier_z": round(z_of(losses[name] - losses[BEST_EARLIER]), 2),
            "no_worse_share": float((excess <= MARGIN).mean()),
            "worst_excess": round(float(excess.max()), 4),
            "beats_equal_in": int((excess < 0.0).sum()),
            "rank": rank.get(name),
            "seconds": round(float(own[:, 5].sum()), 2),
        }
    _show(found, len(every))
    own = np.stack([table[name][:, 1] for name in table if name.startswith("=")])
    captures = {
        name: rounded(mean_se(each[planted]))
        for name, each in {
            "default": table[DEFAULT][:, 1],
            "best_member_earlier": table[BEST_EARLIER][:, 1],
            "best_member_in_hindsight": own.max(axis=0),
            "default_minus_best_earlier": table[DEFAULT][:, 1] - table[BEST_EARLIER][:, 1],
        }.items()
    }
    bars = {
        "worlds_no_worse_share": at_least(found[DEFAULT]["no_worse_share"], 0.95),
        "worlds_default_minus_equal_z": at_most(found[DEFAULT]["minus_equal_z"], 2.0),
    }
    safe = [name for name in combining if found[name]["no_worse_share"] >= 0.95]
    excess = losses[DEFAULT] / losses[EQUAL] - 1.0
    figures = {
        "worlds": len(every),
        "planted": int(planted.sum()),
        "default": DEFAULT,
        "capture": captures,
        "best_loss": rounded(mean_se(each["best"][0] for each in results)),
        "most_trustworthy": sorted(safe, key=lambda name: float(found[name]["rank"])),
        "default_is_worse_in": [
            [*case, round(float(more), 5)]
            for case, more in zip(every, excess, strict=True)
            if more > MARGIN
        ],
        "methods": dict(sorted(found.items(), key=lambda item: item[1]["loss"][0])),
    }
    return bars, figures


def _show(found: dict[str, Any], n_worlds: int) -> None:
    rows = [
        (
            name,
            *(f"{own[what][0]:.4f} ± {own[what][1]:.4f}"
              for what in ("loss", "capture", "realised_capture")),
            f"{own['minus_equal_z']:+.1f}",
            f"{own['no_worse_share']:.2f}",
            f"{100 * own['worst_excess']:.2f}",
            f"{own['minus_best_earlier_z']:+.1f}",
            "" if own["rank"] is None else f"{own['rank']:.1f}",
            f"{own['seconds']:.1f}",
        )
        for name, own in sorted(found.items(), key=lambda item: float(item[1]["loss"][0]))
    ]  # fmt: skip
    columns = ("method", "loss", "capture", "realised", "- equal, z", "no worse",
               "worst, %", "- best, z", "rank", "s")  # fmt: skip
    show(f"{n_worlds} worlds", columns, rows)
