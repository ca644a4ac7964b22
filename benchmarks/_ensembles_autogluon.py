"""Beside AutoGluon Tabular: same features, labels, folds, cores and seconds.

AutoGluon gets an environment of its own under results/.autogluon, made here on first use; it is no
dependency. For each fold both are given the same training rows and `--budget` seconds on one core:
AutoGluon as its time limit, barstack as a limit that its members and the ensemble stay below. Both
are scored on the same later rows. By default AutoGluon judges its models on rows drawn by lot,
which overlap those that it trains on; once it is also told to judge them on the latest rows,
purged, as a user would who knows markets. What AutoGluon reports of its own model, on rows that it
held out, stands beside what later rows say of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE, at_most
from _ensembles_bars import Series, series
from _ensembles_members import CODE, Plan, make
from _ensembles_methods import DEFAULT, EQUAL, combined, judged, methods, scores
from _ensembles_tables import by_group, mean_se, rounded, show, z_of
from _kept import Kept

from barstack.splits import early_stop_split

ROOMS = (*CODE, "core", "models", "ensembles")
HOME = HERE / "results" / ".autogluon"
# The CPU build of torch by its exact version, and XGBoost without CUDA: neither extra of AutoGluon
# would choose these by itself.
PACKAGES = ("autogluon.tabular[lightgbm,catboost]==1.6.3", "xgboost-cpu>=3", "pandas<2.4",
            "torch==2.13.0")  # fmt: skip
PRESETS = ("best_quality", "medium_quality", "medium_quality+later")
EVERY = 5  # of the real series
PLAN = Plan()
OURS = {"barstack": DEFAULT, "barstack, equal weights": EQUAL}


def autogluon(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    python, failure = environment()
    if python is None:
        print(failure, file=sys.stderr)
        return {}, {"installed": False, "packages": PACKAGES, "pip": failure}
    every = series(options.data)[::EVERY]
    every = every[: options.most or None]
    kept = Kept("ensembles-autogluon", ROOMS)
    results = []
    for one in every:
        key = [PLAN.members(), one.key, options.seed, options.budget, PRESETS, DEFAULT]
        if key not in kept:
            kept[key] = _beside(one, options, python)
        results.append(kept[key])
        losses = {side: round(own["loss"], 4) for side, own in kept[key].items()}
        print(one.frequency, one.symbol, losses, flush=True)
    return _summary(every, results, options.budget)


def environment() -> tuple[Path | None, str]:
    """The Python that has AutoGluon, or None and how its installation failed."""
    python, ready = HOME / "venv" / "bin" / "python", HOME / ".ready"
    if ready.is_file():
        return python, ""
    HOME.mkdir(parents=True, exist_ok=True)
    steps = (
        [sys.executable, "-m", "venv", str(HOME / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
        [str(python), "-c", "import autogluon.tabular, torch, xgboost, catboost, lightgbm"],
    )
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return None, f"{' '.join(step)}\n{done.stderr[-2000:]}"
    ready.touch()
    return python, ""


def _beside(one: Series, options: Any, python: Path) -> dict[str, Any]:
    """Loss, IC, share of signs right and seconds of both sides on one series."""
    panel = one.bars(options.data)
    wall, cpu = time.perf_counter(), time.process_time()
    made = make(PLAN, panel)
    spent, spent_cpu = time.perf_counter() - wall, time.process_time() - cpu
    stacked, rows = made.stacked, judged(made.stacked)
    found: dict[str, Any] = {}
    for side, name in OURS.items():
        began, began_cpu = time.perf_counter(), time.process_time()
        values, _ = combined(methods(PLAN.task)[name], stacked, options.seed)
        own = scores(values, stacked, rows)._asdict()
        found[side] = own | {
            "fold_s": (spent + time.perf_counter() - began) / PLAN.folds,
            "fold_cpu_s": (spent_cpu + time.process_time() - began_cpu) / PLAN.folds,
        }
    dataset = PLAN.dataset(panel)
    known_at = dataset.labels.all_known_at
    at = dataset.decisions.find(stacked.decisions)
    job: dict[str, Any] = {}
    assert stacked.fold is not None
    folds = list(enumerate(PLAN.split(dataset)))[1:]
    for number, fold in folds:
        train = fold.train[~np.isnat(known_at[fold.train])]
        job[f"X_train_{number - 1}"] = dataset.features.values[train]
        job[f"y_train_{number - 1}"] = dataset.labels.values[train, 0]
        fit, stop = early_stop_split(dataset.decisions, dataset.labels.purged_at, train)
        job[f"hold_{number - 1}"] = np.array([len(fit), len(train) - len(stop)])
        job[f"X_test_{number - 1}"] = dataset.features.values[at[stacked.fold == number]]
    for preset in PRESETS:
        out, facts = _asked(python, job, preset, options.budget)
        values = np.full((len(stacked), 1, 1), np.nan)
        for number, _ in folds:
            values[stacked.fold == number, 0, 0] = out[f"test_{number - 1}"]
        own = scores(values, stacked, rows)._asdict()
        found[f"autogluon {preset}"] = own | {
            "fold_s": float(np.mean([each["s"] for each in facts])),
            "fold_cpu_s": float(np.mean([each["cpu_s"] for each in facts])),
            "own_loss": float(np.mean([each["own_loss"] for each in facts])),
            "best": [each["best"] for each in facts],
            "models": [each["models"] for each in facts],
        }
    return found


def _asked(
    python: Path, job: dict[str, Any], preset: str, budget: float
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What AutoGluon forecasts, and facts on each fold."""
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "job.npz", **job)
        command = [str(python), str(HERE / "_autogluon_child.py"), "job.npz", "out.npz", preset]
        done = subprocess.run(
            [*command, str(budget)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": folder} | single,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"AutoGluon failed:\n{done.stderr[-4000:]}")
        with np.load(Path(folder) / "out.npz", allow_pickle=False) as opened:
            out = dict(opened)
    return out, json.loads(str(out.pop("facts")))


def _summary(
    every: list[Series], results: list[dict[str, Any]], budget: float
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    symbols = [each.symbol for each in every]
    sides = list(results[0])
    found: dict[str, Any] = {}
    for side in sides:
        table = {
            what: np.array([each[side][what] for each in results])
            for what in ("loss", "ic", "hits", "fold_s", "fold_cpu_s")
        }
        less, more = (
            by_group(np.array([each["barstack"][what] for each in results]) - table[what], symbols)
            for what in ("loss", "ic")
        )
        found[side] = {
            what: rounded(mean_se(by_group(values, symbols))) for what, values in table.items()
        } | {
            "barstack_minus_it": rounded(mean_se(less)),
            "barstack_minus_it_z": round(z_of(less), 2),
            "barstack_ic_minus_its": rounded(mean_se(more)),
            "barstack_ic_minus_its_z": round(z_of(more), 2),
            "barstack_better_in": f"{int((less < 0).sum())} of {len(less)} symbols",
        }
        if "own_loss" in results[0][side]:
            own = np.array([each[side]["own_loss"] for each in results])
            found[side]["own_loss"] = rounded(mean_se(by_group(own, symbols)))
            later = by_group(table["loss"] - own, symbols)
            found[side]["later_minus_own_loss"] = rounded(mean_se(later))
            found[side]["later_minus_own_loss_z"] = round(z_of(later), 2)
    rows = [
        (
            side,
            *(f"{own[what][0]:.4f} ± {own[what][1]:.4f}" for what in ("loss", "ic", "hits")),
            f"{own['barstack_minus_it_z']:+.1f}",
            f"{own['barstack_ic_minus_its_z']:+.1f}",
            f"{own['fold_s'][0]:.1f}",
            f"{own['fold_cpu_s'][0]:.1f}",
            f"{own['own_loss'][0]:.4f}" if "own_loss" in own else "",
        )
        for side, own in found.items()
    ]
    columns = ("", "loss", "IC", "right", "ours - it, z", "IC, z", "s a fold", "CPU s",
               "its own loss")  # fmt: skip
    show(f"{len(every)} series, {budget:g} s a fold", columns, rows)
    bars = {
        f"autogluon_{preset.replace('+', '_')}_z": at_most(
            found[f"autogluon {preset}"]["barstack_minus_it_z"], 2.0
        )
        for preset in PRESETS
    }
    figures = {
        "installed": True,
        "series": [[each.frequency, each.symbol] for each in every],
        "budget_s_per_fold": budget,
        "default": DEFAULT,
        "within_budget": bool(max(each["barstack"]["fold_s"] for each in results) <= budget),
        "sides": found,
        "each": results,
    }
    return bars, figures
