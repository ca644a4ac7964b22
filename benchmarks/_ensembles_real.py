"""Real bars: every method on twelve symbols at each of three frequencies.

A series is one symbol at one frequency. Losses are over those of the naive forecast of the same
rows, so that series weigh alike. Symbols are what is drawn: the series of one symbol are averaged
first, and standard errors are over symbols. Symbols of one market move together, which makes the
true errors somewhat larger than these; paired differences suffer less.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _benchmark import at_least, at_most
from _ensembles_bars import Series, series
from _ensembles_detected import with_regimes
from _ensembles_members import CODE, Plan, digest, kept
from _ensembles_methods import BEST_EARLIER, DEFAULT, EQUAL, forecasts, judged, methods, scores
from _ensembles_tables import NOISE, by_group, computed, mean_se, ranks, rounded, show, z_of
from _kept import Kept

from barstack.core.arrays import Floats

PLANS = {task: Plan(task=task) for task in ("return", "direction")}
ROOMS = (*CODE, "core", "models", "ensembles")
MARGIN = 1e-3  # of the naive loss: what "no worse" leaves room for


def real(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    every = series(options.data)[: options.most or None]
    if options.most:
        every = series(options.data)[:: max(len(series(options.data)) // options.most, 1)]
    found: dict[str, Any] = {}
    for task, plan in PLANS.items():
        settings = {name: each.content() for name, each in methods(task).items()}
        tasks = {
            repr([task, plan.members(), settings, each.key, options.seed]): (
                task, each, options.data, options.seed,
            )
            for each in every
        }  # fmt: skip
        store = Kept(f"ensembles-real-{options.data or 'shared'}".replace("/", "-"), ROOMS)
        results = computed(store, _score, tasks, options.processes, f"Real bars, {task}")
        found[task] = summary(every, list(results.values()))
        _show(task, found[task])
    names, frequencies = {each.symbol for each in every}, {each.frequency for each in every}
    own = found["return"]
    bars = {
        "real_symbols": at_least(len(names), 12),
        "real_frequencies": at_least(len(frequencies), 3),
        "real_members": at_least(own["members"], 8),
        "real_default_minus_equal_z": at_most(own["methods"][DEFAULT]["minus_equal_z"], NOISE),
        "real_default_minus_best_earlier_z": at_most(
            own["methods"][DEFAULT]["minus_best_earlier_z"], NOISE
        ),
    }
    return bars, found


def _score(task: tuple[str, Series, Any, int]) -> dict[str, Any]:
    """Scores of all methods on one series."""
    name, one, data, seed = task
    made = kept(PLANS[name], one.key, lambda: one.bars(data))
    about = digest(PLANS[name], one.key)
    stacked = with_regimes(made.stacked, about, lambda: one.bars(data))
    rows = judged(stacked)
    found = {
        method: [*scores(values, stacked, rows), seconds]
        for method, values, seconds in forecasts(stacked, seed)
    }
    return {"rows": int(rows.sum()), "member_s": sum(made.seconds.values()), "scores": found}


def summary(every: list[Series], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over symbols of all series, and each method beside equal weights and the best."""
    symbols = [each.symbol for each in every]
    frequency = np.array([each.frequency for each in every])
    names = list(results[0]["scores"])
    table = {name: np.array([each["scores"][name] for each in results]) for name in names}
    losses = {name: own[:, 0] for name, own in table.items()}
    combining = [name for name in names if not name.startswith("=")]
    found: dict[str, Any] = {}
    rank = ranks({name: losses[name] for name in combining})
    for name, own in table.items():
        loss, ic, hits = (rounded(mean_se(by_group(own[:, k], symbols))) for k in range(3))
        found[name] = {"loss": loss, "ic": ic, "directional_accuracy": hits}
        found[name] |= {"seconds": round(float(own[:, 3].sum()), 2), "rank": rank.get(name)}
        for other, short in ((EQUAL, "equal"), (BEST_EARLIER, "best_earlier")):
            found[name] |= _beside(losses[name] - losses[other], symbols, short)
        found[name]["by_frequency"] = {
            each: {
                "loss": rounded(mean_se(losses[name][frequency == each])),
                "minus_equal_z": round(z_of((losses[name] - losses[EQUAL])[frequency == each]), 2),
            }
            for each in dict.fromkeys(frequency.tolist())
        }
    return {
        "series": len(every),
        "symbols": len(set(symbols)),
        "members": sum(name.startswith("=") for name in names),
        "rows": sum(each["rows"] for each in results),
        "member_s": round(sum(each["member_s"] for each in results), 1),
        "default": DEFAULT,
        "default_beats_equal_in": _wins(losses, DEFAULT, EQUAL, symbols),
        "default_beats_best_earlier_in": _wins(losses, DEFAULT, BEST_EARLIER, symbols),
        "most_trustworthy": trustworthy(found),
        "methods": dict(sorted(found.items(), key=lambda item: item[1]["loss"][0])),
    }


def _beside(difference: Floats, symbols: list[str], short: str) -> dict[str, Any]:
    """Loss less another's, paired: the mean over symbols, in how many it is negative."""
    own = by_group(difference, symbols)
    return {
        f"minus_{short}": rounded(mean_se(own)),
        f"minus_{short}_z": round(z_of(own), 2),
        f"beats_{short}_in": int((own < 0.0).sum()),
        f"worse_than_{short}_in": int((own > MARGIN).sum()),
    }


def _wins(losses: dict[str, Floats], one: str, other: str, symbols: list[str]) -> str:
    own = by_group(losses[one] - losses[other], symbols)
    alone = losses[one] - losses[other]
    return (
        f"{int((own < 0.0).sum())} of {len(own)} symbols, "
        f"{int((alone < 0.0).sum())} of {len(alone)} series"
    )


def trustworthy(found: dict[str, Any]) -> list[str]:
    """Methods at no frequency worse than equal weights beyond noise, those of best rank first."""
    safe = [
        name
        for name, own in found.items()
        if own["rank"] is not None
        and own["minus_equal_z"] <= NOISE
        and all(each["minus_equal_z"] <= NOISE for each in own["by_frequency"].values())
    ]
    return sorted(safe, key=lambda name: float(found[name]["rank"]))


def _show(task: str, found: dict[str, Any]) -> None:
    rows = [
        (
            name,
            *(f"{own[what][0]:.4f} ± {own[what][1]:.4f}" for what in ("loss", "ic")),
            f"{100 * own['directional_accuracy'][0]:.2f} ± "
            f"{100 * own['directional_accuracy'][1]:.2f}",
            f"{own['minus_equal_z']:+.1f}",
            f"{own['beats_equal_in']}",
            f"{own['minus_best_earlier_z']:+.1f}",
            f"{own['beats_best_earlier_in']}",
            "" if own["rank"] is None else f"{own['rank']:.1f}",
            f"{own['seconds']:.1f}",
        )
        for name, own in found["methods"].items()
    ]
    columns = ("method", "loss", "IC", "right, %", "- equal, z", "wins", "- best, z", "wins",
               "rank", "s")  # fmt: skip
    show(f"{task}: {found['series']} series of {found['symbols']} symbols", columns, rows)
