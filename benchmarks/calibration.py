"""The whole pipeline on worlds whose truth is known: false discoveries, power and capture.

    python benchmarks/calibration.py [--part null|planted|bars|summary|all] [--worlds 500]
                                     [--budget SECONDS] [--seed 0]

Every world is kept as soon as it is done, under results/.calibration.jsonl, so a run that was
stopped goes on, and `--budget` ends one after so many seconds. About 4 CPU seconds for each null
world, of which 500 are meant to be run, and about a minute for each planted one.

null      martingale, GARCH, regime volatility and seasonal worlds of 3,000 hours: a study of 50
          members and two ensembles on each, from features to the verdict
planted   linear, interaction and regime-dependent worlds at a Bayes R² of 3 %: capture is the
          ensemble's IC over the best possible one, beside the best member's and plain LightGBM's
bars      the figures of benchmarks/significance.py and conformal.py, as committed
summary   what is kept, as one result; the other parts end with it too
"""

from __future__ import annotations

import json
import tempfile
import time
from typing import Any

from _benchmark import HERE, arguments, at_least, at_most, finish
from _kept import Kept

from barstack import Study
from barstack.bars.sources import keep_frame
from barstack.experiments import run_study
from barstack.experiments._calibrate import error_rate
from barstack.worlds import WORLDS

NULLS = ("martingale", "garch", "regime_volatility", "seasonal")
PLANTED = ("linear", "interaction", "regime_dependent")
LATER = ("order", "lead_lag")  # whose members would need windows, and other symbols' bars
NULL_BARS, PLANTED_BARS = 3_000, 62_500
R2 = 0.03
NAIVE = 0.55  # directional accuracy that many take for an edge
FEATURES = ("body", "rsi", "lower_wick", "upper_wick")
MEMBERS: dict[str, Any] = {
    **{f"ridge_{n}": {"model": "ridge", "penalty": 10.0 ** (n / 5 - 2)} for n in range(40)},
    **{f"net_{n}": {"model": "elastic_net", "penalty": 0.01 * 2.0**-n} for n in range(10)},
}
LEARNERS: dict[str, Any] = {
    "ridge": "ridge",
    "lightgbm": "lightgbm",
    "forest": {"model": "extra_trees", "trees": 100},
}


def _study(made: Any, calendar: str, runs: str, **settings: Any) -> Study:
    frames = {symbol: bars.to_frame() for symbol, bars in made.panel.items()}
    bars = keep_frame(frames, runs=runs, calendar=calendar, stamp="open")
    return Study(bars=bars, horizons=[1], cost_bps=1.0, **settings)


def null_world(kind: str, seed: int) -> dict[str, Any]:
    """The verdict on a world without a signal, and what a naive reader would have seen."""
    world = WORLDS.parse({"world": kind, "bars": NULL_BARS, "bar": "1h", "seed": seed})
    with tempfile.TemporaryDirectory() as runs:
        study = _study(world.make(), world.calendar, runs, features=FEATURES, members=MEMBERS,
                       split={"split": "walk_forward", "folds": 4})  # fmt: skip
        run = run_study(study, runs=runs, workers=1)
        scores = [s for s in run.evaluation.scores if s.role in ("member", "ensemble")]
        hits = [s.directional_accuracy for s in scores if s.directional_accuracy is not None]
        alone = [s.p_value for s in scores if s.p_value is not None]
        return {
            "edge": run.verdict.edge,
            "trials": run.verdict.trials,
            "best_accuracy": max(hits),
            "least_p": min(alone),
        }


def planted_world(kind: str, seed: int) -> dict[str, Any]:
    """ICs of the ensemble, the best member and LightGBM alone over the best possible IC."""
    world = WORLDS.parse({"world": kind, "bars": PLANTED_BARS, "seed": seed, "r2": R2})
    made = world.make()
    best = next(each for each in made.truth.figures if each.horizon == "1bars").ic.value
    with tempfile.TemporaryDirectory() as runs:
        study = _study(made, world.calendar, runs, features=(*FEATURES, "relative_volume"),
                       members=LEARNERS, large_effect="planted",
                       split={"split": "walk_forward", "folds": 5})  # fmt: skip
        run = run_study(study, runs=runs, workers=1)
        ics = {s.name: s.ic or 0.0 for s in run.evaluation.scores}
        return {
            "edge": run.verdict.edge,
            "capture": ics[run.verdict.ensemble] / best,
            "best_member": max(ics[name] for name in LEARNERS) / best,
            "lightgbm": ics["lightgbm"] / best,
        }


def _compute(kept: Kept, part: str, worlds: int, seed: int, until: float) -> None:
    kinds, make = (NULLS, null_world) if part == "null" else (PLANTED, planted_world)
    for number in range(worlds):
        kind = kinds[number % len(kinds)]
        key = [part, kind, seed + number]
        if key in kept:
            continue
        if time.monotonic() > until:
            return
        began = time.process_time()
        kept[key] = make(kind, seed + number) | {"cpu_s": round(time.process_time() - began, 1)}
        print(*key, kept[key], flush=True)


def _summary(kept: Kept, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    found = {tuple(json.loads(key)): value for key, value in kept.values.items()}
    null = {key: each for key, each in found.items() if key[0] == "null"}
    planted = {key: each for key, each in found.items() if key[0] == "planted"}
    bars, figures = dict[str, Any](), dict[str, Any]({"seed": seed})
    if null:
        rate = error_rate(sum(each["edge"] == "supported" for each in null.values()), len(null))
        bars["null_worlds"] = at_least(len(null), 500)
        bars["null_fdr"] = at_most(round(rate.share, 4), 0.05)
        bars["null_fdr_upper95"] = at_most(round(rate.high, 4), 0.075)
        figures["null_by_kind"] = {
            kind: [
                sum(e["edge"] == "supported" for k, e in null.items() if k[1] == kind),
                sum(k[1] == kind for k in null),
            ]
            for kind in NULLS
        }
        naive = sum(each["best_accuracy"] > NAIVE for each in null.values())
        single = sum(each["least_p"] < 0.05 for each in null.values())
        figures["naive_best_accuracy_over_55"] = round(naive / len(null), 4)
        figures["naive_best_p_under_5"] = round(single / len(null), 4)
        figures["null_cpu_s"] = round(sum(e["cpu_s"] for e in null.values()) / len(null), 1)
    captures = {}
    for kind in PLANTED:
        own = [each for key, each in planted.items() if key[1] == kind]
        if own:
            captures[kind] = {
                name: round(sum(each[name] for each in own) / len(own), 3)
                for name in ("capture", "best_member", "lightgbm")
            } | {"worlds": len(own), "supported": sum(e["edge"] == "supported" for e in own)}
    if "linear" in captures:
        bars["capture_linear"] = at_least(captures["linear"]["capture"], 0.95)
    if {*PLANTED, *LATER} <= set(captures):  # of every kind, or it says nothing
        bars["capture_min"] = at_least(min(each["capture"] for each in captures.values()), 0.85)
    figures["captures_at_r2_3_percent"] = captures
    figures["not_measured"] = [*LATER, "curves by number of bars", "peers"]
    bars |= _quoted()
    return bars, figures


def _quoted() -> dict[str, Any]:
    """Bars that other benchmarks measure, from their committed results."""
    bars: dict[str, Any] = {}
    for name, wanted in (
        ("significance", ("fwer", "power", "eprocess_false_alarm")),
        ("conformal", ("conformal_error",)),
    ):
        file = HERE / "results" / f"{name}.json"
        if file.is_file():
            own = json.loads(file.read_text())["bars"]
            bars |= {each: own[each] for each in wanted if each in own}
    return bars


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--part", default="all",
                        choices=("null", "planted", "bars", "summary", "all"))  # fmt: skip
    parser.add_argument("--worlds", type=int, default=500, help="null worlds in all")
    parser.add_argument("--planted-worlds", type=int, default=30)
    parser.add_argument("--budget", type=float, default=float("inf"), help="seconds")
    options = parser.parse_args()
    kept = Kept("calibration", ("worlds", "models", "ensembles"))
    until = time.monotonic() + options.budget
    if options.part in ("null", "all"):
        _compute(kept, "null", options.worlds, options.seed, until)
    if options.part in ("planted", "all"):
        _compute(kept, "planted", options.planted_worlds, options.seed, until)
    bars, figures = _summary(kept, options.seed)
    finish("calibration", bars, figures)


if __name__ == "__main__":
    main()
