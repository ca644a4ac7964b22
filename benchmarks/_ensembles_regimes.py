"""Regimes: detectors beside the exact filter, their past that must not change, and what they earn.

Filter: worlds with two hidden regimes whose exact forward filter is known. A detector learns from
the first half without labels; its states are called after the regime that they mostly fell on
there. What counts is the balanced accuracy on the second half, over that of the exact filter.

Past: every detector says of each bar the same bits whether or not later bars exist.

Step: one bar's features to the distribution over regimes; the least median of several rounds.

Gain: worlds in which one member is right in one regime and another in the other, and worlds without
regimes, both with the regimes that `regime_hmm` detects; losses are free of the returns' noise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from _benchmark import at_least, at_most
from _ensembles_bars import series
from _ensembles_detected import dataset_of, detector_of, with_regimes
from _ensembles_members import CODE, Plan, digest, make
from _ensembles_methods import combined, judged, row_losses
from _ensembles_tables import NOISE, computed, mean_se, ratio_se, rounded, show, z_of
from _ensembles_worlds import BARS, FEATURES, PLAN, Case, cases, known
from _kept import Kept

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.ensembles import ENSEMBLES, Ensemble, Stacked
from barstack.models import MODELS, FittedModel, OneRow, train
from barstack.models.regimes import DetectedRegimes
from barstack.worlds import WORLDS

ROOMS = (*CODE, "core", "models", "ensembles")
HIDDEN, HIDDEN_BARS = 24, 6_000
RATIOS, LENGTHS = (1.5, 2.0, 3.0), (100, 300)  # of the volatilities; mean bars of a regime
SWITCHING = 30
CUTS = (0.6, 0.75, 0.9)
STEPS, ROUNDS = 2_000, 40
STEP_LIMIT_US = 50.0
AWARE = "regime_aware"
SWITCHED = Plan(features=FEATURES, horizon=1, only=("ridge", "lightgbm", "extra_trees", "knn"))


def regimes(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    kept = Kept("ensembles-regimes", ROOMS)
    run = partial(_results, kept, options)
    numbers = range(options.most or HIDDEN)
    filters = run(_filter, {f"filter {n}": (n, options.seed) for n in numbers}, "Filters")
    share, figures = _filter_share(filters)
    names = [name for name in MODELS.names() if MODELS.get(name).family == "regime"]
    changes = run(_changes, {f"past {name}": (name, options.data) for name in names}, "Pasts")
    # By the clock, and so one after the other.
    steps = {name: _step(name, options.seed) for name in names}
    bars = {
        "regime_filter_share": at_least(share, 0.95),
        "regime_prefix_changes": at_most(sum(sum(each) for each in changes), 0),
        "regime_step_us_p50": at_most(
            max(each["p50_us"] for each in steps.values()), STEP_LIMIT_US
        ),
    }
    figures["prefix_changes"] = dict(zip(names, changes, strict=True))
    figures["step"] = steps
    if AWARE in ENSEMBLES.names():
        gains, more = _gains(run, options)
        bars |= more
        figures["gain"] = gains
    return bars, figures


def _results(kept: Kept, options: Any, work: Any, tasks: dict[str, Any], what: str) -> list[Any]:
    return list(computed(kept, work, tasks, options.processes, what).values())


def _filter(task: tuple[int, int]) -> dict[str, Any]:
    """Balanced accuracy of the exact filter and of detectors, on the second half of a world."""
    number, seed = task
    noise = {
        "regime_ratio": RATIOS[number % len(RATIOS)],
        "regime_bars": LENGTHS[number // len(RATIOS) % len(LENGTHS)],
    }
    settings = {"world": "hidden_regimes", "bars": HIDDEN_BARS, "noise": noise}
    world = WORLDS.parse(settings | {"seed": 10_000 + 1_000 * seed + number})
    panel = world.make().panel
    truth = world.regimes_of(*panel)
    found: dict[str, Any] = {"noise": noise}
    detectors = {
        "regime_hmm of two states": detector_of("regime_hmm", n_states=2),
        **{
            name: detector_of(name)
            for name in MODELS.names()
            if MODELS.get(name).family == "regime"
        },
    }
    for name, detector in detectors.items():
        dataset = dataset_of(detector, panel)
        rows = np.flatnonzero(dataset.usable)
        half = HIDDEN_BARS // 2
        fitted = train(detector, dataset, rows[rows < half], 0, threads=1)
        able = fitted.forecastable(dataset, rows)
        states = DetectedRegimes(fitted).states(dataset.features, able)
        early, late = able < half, able >= half
        # (n_states, 2) how the states of the first half fell on the world's regimes
        fell = states[early].T @ np.eye(2)[truth.state[able[early]]]
        fell /= np.maximum(fell.sum(axis=1, keepdims=True), 1e-12)
        turbulent = states[late][:, fell[:, 1] > 0.5].sum(axis=1)
        chance = np.column_stack([1.0 - turbulent, turbulent])
        own = able[late]
        found[name] = [
            truth.balanced_accuracy(chance, own),
            truth.balanced_accuracy(truth.filtered[own], own),
        ]
    return found


def _filter_share(filters: list[dict[str, Any]]) -> tuple[float, dict[str, Any]]:
    """The share that regime_hmm reaches, and that of every detector, over all worlds."""
    found: dict[str, Any] = {}
    for name in filters[0]:
        if name == "noise":
            continue
        own = np.array([each[name] for each in filters])
        share, error = ratio_se(own[:, 0], own[:, 1])
        found[name] = {
            "share": rounded((share, error)),
            "balanced_accuracy": rounded(mean_se(own[:, 0])),
            "exact": rounded(mean_se(own[:, 1])),
            "least_share": round(float((own[:, 0] / own[:, 1]).min()), 4),
        }
    each = [
        {"noise": one["noise"], "share": round(own[0] / own[1], 4)}
        for one in filters
        for own in [one["regime_hmm of two states"]]
    ]
    rows = [
        (
            name,
            *(f"{own[what][0]:.4f} ± {own[what][1]:.4f}"
              for what in ("balanced_accuracy", "exact", "share")),
            f"{own['least_share']:.3f}",
        )
        for name, own in found.items()
    ]  # fmt: skip
    columns = ("detector", "balanced accuracy", "exact filter", "share", "least")
    show(f"{len(filters)} worlds of two hidden regimes", columns, rows)
    return found["regime_hmm of two states"]["share"][0], {"filter": found, "each": each}


def _changes(task: tuple[str, Any]) -> list[int]:
    """Rows whose distribution differs in any bit once later bars exist, by set of bars."""
    name, data = task
    every = series(data)
    some = [every[place].bars(data) for place in (0, len(every) // 2, len(every) - 1)]
    some.append(WORLDS.parse({"world": "market", "bars": 3_000, "seed": 1}).make().panel)
    return [_changed(name, panel) for panel in some]


def _changed(name: str, panel: dict[str, Bars]) -> int:
    detector = detector_of(name)
    whole = dataset_of(detector, panel)
    rows = np.flatnonzero(whole.usable)
    half = rows[: len(rows) // 2]
    fitted = train(detector, whole, half, 0, threads=1)
    able = fitted.forecastable(whole, rows)
    said = fitted.predict(whole.features, able)
    changed = 0
    for cut in CUTS:
        length = int(cut * len(whole.decisions))
        early = dataset_of(detector, {symbol: bars[:length] for symbol, bars in panel.items()})
        before = able[able < length]
        again = fitted.predict(early.features, before)
        changed += int((again != said[: len(before)]).any(axis=(1, 2)).sum())
        alone = fitted.predict(early.features, before[-1:])
        changed += int((alone != said[len(before) - 1]).any())
    return changed


def _step(name: str, seed: int) -> dict[str, Any]:
    """Microseconds of one step, in the fastest form that a stream has."""
    detector = detector_of(name)
    settings = {"world": "market", "bars": 4_000, "seed": seed}
    dataset = dataset_of(detector, WORLDS.parse(settings).make().panel)
    rows = np.flatnonzero(dataset.usable)
    fitted: FittedModel = train(detector, dataset, rows[:1_500], 0)
    one = OneRow.fast(fitted)
    values = np.ascontiguousarray(dataset.features.values[rows])
    scaled = fitted.scaler.apply(values)
    lookback, carried = detector.lookback_bars, None if one.begin is None else one.begin()
    rounds: list[list[float]] = [[] for _ in range(ROUNDS)]
    ends = np.arange(lookback, min(len(rows), lookback + STEPS))
    for times, own in zip(rounds, np.array_split(ends, ROUNDS), strict=True):
        for end in own:
            window, newest = values[end - lookback : end], scaled[end - 1 : end]
            began = time.perf_counter_ns()
            if carried is None:
                one.predict(window)
            else:
                one.advance(carried, newest)
            times.append((time.perf_counter_ns() - began) / 1e3)
    # Other work on the machine only ever adds to a round.
    p50, p99 = (min(float(np.quantile(times, q)) for times in rounds) for q in (0.5, 0.99))
    how = "carried" if carried is not None else one.how
    print(f"{name:16} step {p50:.1f} us p50, {p99:.1f} us p99, {how}", flush=True)
    return {"p50_us": round(p50, 1), "p99_us": round(p99, 1), "how": how, "lookback": lookback}


def _gains(run: Any, options: Any) -> tuple[dict[str, Any], dict[str, dict[str, float]]]:
    """Loss of regime_aware less that of its base, where regimes matter and where there are none."""
    switching = {f"switching {n}": (n, options.seed) for n in range(options.most or SWITCHING)}
    there = run(_switching_gain, switching, "Switching worlds")
    steady = [each for each in cases(options.seed) if _steady(each)][: options.most or None]
    none = run(_steady_gain, {f"steady {each}": each for each in steady}, "Steady worlds")
    found = {
        "switching": _summary(there),
        "no_regimes": _summary(none),
        "base": _aware()[1].content(),
    }
    for what in ("switching", "no_regimes"):
        print(what, found[what], flush=True)
    bars = {
        "regime_aware_switching_z": at_most(found["switching"]["aware_minus_base_z"], -NOISE),
        "regime_aware_no_regimes_z": at_most(found["no_regimes"]["aware_minus_base_z"], NOISE),
    }
    return found, bars


def _steady(case: Case) -> bool:
    """Whether nothing in a world switches: neither what predicts nor volatility."""
    return case.kind != "regime_dependent" and case.noise != "market" and case.kind not in (
        "market", "regime_volatility",
    )  # fmt: skip


def _summary(results: list[list[float]]) -> dict[str, Any]:
    """results  each of aware, base, equal weights and the best possible, as expected losses"""
    aware, base, equal, best = np.array(results).T
    return {
        "worlds": len(results),
        "aware": rounded(mean_se(aware)),
        "base": rounded(mean_se(base)),
        "equal": rounded(mean_se(equal)),
        "best": rounded(mean_se(best)),
        "aware_minus_base": rounded(mean_se(aware - base), 6),
        "aware_minus_base_z": round(z_of(aware - base), 2),
        "aware_better_in": int((aware < base).sum()),
        "same_in": int((aware == base).sum()),
    }


def _aware() -> tuple[Ensemble, Ensemble]:
    """The regime-aware ensemble and its plain base."""
    aware = ENSEMBLES.parse(AWARE)
    return aware, ENSEMBLES.parse(aware.base)  # type: ignore[attr-defined]


def _switching_gain(task: tuple[int, int]) -> list[float]:
    """A wick that predicts a rise in one regime and a fall in the other, and a member for each."""
    number, seed = task
    noise = {"regime_ratio": 2.5, "regime_bars": 200}
    settings = {"world": "regime_dependent", "bars": BARS, "horizons": [1], "noise": noise}
    own = {"r2": (0.02, 0.04)[number % 2], "seed": 20_000 + 1_000 * seed + number}
    world = WORLDS.parse(settings | own).make()
    stacked = make(SWITCHED, world.panel).stacked
    stacked = _with_rules(stacked)
    stacked = with_regimes(stacked, ["switching", number, seed], lambda: world.panel)
    truth = world.truth.forecast[world.truth.decisions.find(stacked.decisions)]
    return _losses(stacked, truth[:, :, None])


def _with_rules(stacked: Stacked) -> Stacked:
    """Two members more: follow the wick, and go against it."""
    assert stacked.y is not None
    assert stacked.fold is not None
    wick = stacked.context["features"][:, FEATURES.index("wick_balance")]
    first = stacked.fold == stacked.fold.min()
    size = 0.15 * stacked.y[first].std() / wick[first].std()
    rules = (size * np.column_stack([wick, -wick]))[:, :, None, None]
    return replace(
        stacked,
        members=(*stacked.members, "follow", "fade"),
        forecasts=np.concatenate([stacked.forecasts, rules], axis=1),
    )


def _steady_gain(case: Case) -> list[float]:
    made = known(case)
    about = digest(PLAN, [*case, BARS])
    stacked = with_regimes(made.stacked, about, lambda: case.world.make().panel)
    assert made.truth is not None
    return _losses(stacked, made.truth[:, :, None])


def _losses(stacked: Stacked, best: Floats) -> list[float]:
    """Expected losses of aware, base, equal weights and the best, over that of no forecast."""
    rows = judged(stacked)
    noise = float(row_losses(best, stacked)[rows].mean())
    usual = noise + float((best[rows] ** 2).mean())
    return [
        *(
            (noise + float(((values[rows] - best[rows]) ** 2).mean())) / usual
            for values in _three(stacked)
        ),
        noise / usual,
    ]


def _three(stacked: Stacked) -> Iterator[Floats]:
    for ensemble in (*_aware(), ENSEMBLES.parse("average")):
        yield combined(ensemble, stacked, 0)[0]
