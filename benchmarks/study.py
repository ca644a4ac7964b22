"""A whole study beside the plain script that a good user would write for it.

    python benchmarks/study.py [--seed N] [--data DIR --calendar XNYS] [--pairs N]

Eight symbols of five-minute bars, 25 features, returns 12 and 48 bars ahead, ridge, LightGBM,
XGBoost and CatBoost in five purged folds with early stopping, a stack of non-negative least
squares, and final fits of everything. `_study_script.py` does that with pandas, scikit-learn and
the boosters; `barstack run` does it too, with sessions, an audit, a verdict, a report and an
artifact that is checked. Both are started from the shell, imports included, into folders of their
own, one after the other and in alternating order.

    study_vs_script       seconds of the script / seconds of `barstack run`, medians
    rerun_s               seconds of the same `barstack run` once more
    overhead_ms_per_fit   of a fit at one horizon and its forecasts out of fold, what is not spent
                          within the libraries; CPU time of one thread, which other processes do
                          not prolong

Both forecast alike where they learn from the same numbers; `member_correlation` is that of the
out-of-fold forecasts of each member at each horizon with the script's. Ridge is above 0.95: the
script has no exchange calendar, so that its progress of the session differs on half days, and it
drops no bad prints. Boosters draw features and rows by seeds of their own and stop early after few
trees where there is little to learn, so that theirs is lower on real bars.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml
from _benchmark import HERE, arguments, at_least, at_most, finish

from barstack import Study
from barstack.models import FoldTrainer
from barstack.worlds import WORLDS

SHARED = HERE.parent.parent / "shared" / "data" / "us_equities_5m"
SYMBOLS = ("AAPL", "AMZN", "MSFT", "NVDA", "QQQ", "SPY", "XLE", "XLF")
MEMBERS = ("ridge", "lightgbm", "xgboost", "catboost")
HORIZONS = ("12bars", "48bars")


def lay_out_bars(folder: Path, data: Path | None, seed: int) -> None:
    """Eight files of five-minute bars: given ones, the shared ones, or a world."""
    folder.mkdir()
    source = data or SHARED
    named = [source / f"{symbol}.parquet" for symbol in SYMBOLS]
    files = named if all(map(Path.is_file, named)) else sorted(source.glob("*.parquet"))[:8]
    if files:
        for file in files:
            shutil.copy(file, folder)
        return
    world = {"world": "linear", "bars": 12_528, "symbols": list(SYMBOLS), "seed": seed}
    for symbol, bars in WORLDS.parse(world).make().panel.items():
        prices = {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
        table = pl.DataFrame({"timestamp": bars.opened_at} | prices)
        table = table.with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
        table.write_parquet(folder / f"{symbol}.parquet")


def study_of(bars: Path, calendar: str, seed: int) -> dict[str, Any]:
    """The content of study.yaml."""
    return {
        "bars": {"provider": "files", "path": str(bars), "calendar": calendar},
        "features": "fast25",
        "label": {"label": "return", "horizons": [12, 48]},
        "split": {"split": "walk_forward", "folds": 5, "first_train": 0.4},
        "members": list(MEMBERS),
        "ensembles": ["nnls"],
        "seed": seed,
    }


def seconds_of(*command: str) -> tuple[float, float]:
    """Seconds that a command takes as a process of its own with its libraries' usual threads, by
    the clock and of CPU time. Modules are compiled once, as those of an installed package are."""
    unset = ("NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
    environment = {
        name: value for name, value in os.environ.items() if not any(map(name.endswith, unset))
    }
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *command], check=True, capture_output=True, env=environment)
    after = os.times()
    cpu = after.children_user + after.children_system
    return time.perf_counter() - start, cpu - before.children_user - before.children_system


def correlations(script: Path, runs: Path) -> dict[str, float]:
    """Of out-of-fold forecasts with the script's, by member and horizon."""
    theirs = pl.read_parquet(script / "forecasts.parquet")
    found = {}
    for member in MEMBERS:
        (file,) = runs.glob(f"*/members/{member}/test.parquet")
        ours = pl.read_parquet(file).with_columns(
            pl.col("decided_at").dt.replace_time_zone("UTC").alias("closed_at")
        )
        both = ours.join(theirs, on=["closed_at", "symbol"])
        for horizon in HORIZONS:
            pair = both.select(f"return_{horizon}", f"{member} {horizon}").drop_nulls().to_numpy()
            found[f"{member} {horizon}"] = round(float(np.corrcoef(pair.T)[0, 1]), 4)
    return found


@contextmanager
def timed_calls(*functions: tuple[Any, str]) -> Iterator[list[float]]:
    """CPU seconds spent within functions, given by owner and name, while the block runs."""
    spent: list[float] = []
    before = [(owner, name, getattr(owner, name)) for owner, name in functions]

    def timed(function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **options)
            finally:
                spent.append(time.process_time() - start)

        return call

    for owner, name, function in before:
        setattr(owner, name, timed(function))
    try:
        yield spent
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def overhead_ms(content: dict[str, Any]) -> dict[str, float]:
    """Mean milliseconds of a fit and its forecasts of the test, beyond the library's fit.

    Boosters fit each horizon by itself, ridge all at once, which counts as one. Fits go fold by
    fold through `FoldTrainer`, as those of a study do. What they share, such as scaled samples and
    moments, counts for the member that asks for it first.
    """
    import catboost  # noqa: PLC0415 (so that importing them is no part of the first study)
    import lightgbm  # noqa: PLC0415
    import xgboost  # noqa: PLC0415

    study = Study(**content)
    panel = study.bars.load()
    features = study.feature_set(next(iter(panel.values())).length_us).compute(panel)
    dataset = study.dataset(features, study.label.compute(panel))
    known_at = dataset.labels.all_known_at
    folds = study.split.split(dataset.decisions, known_at, dataset.usable)
    calls: dict[str, list[tuple[Any, str]]] = {
        "lightgbm": [(lightgbm, "train")],  # which bins the rows too
        "xgboost": [(xgboost, "train"), (xgboost.DMatrix, "__init__")],
        "catboost": [(catboost.CatBoost, "fit"), (catboost.Pool, "__init__")],
        "ridge": [(np.linalg, "eigh")],
    }
    rows = [fold.train[~np.isnat(known_at[fold.train])] for fold in folds]
    for model in study.members.values():  # loads what is compiled, which no other fit does
        first = FoldTrainer(dataset, rows[:1]).train(model, 0, study.seed, threads=1)
        first.forecast(features, folds[0].test)
    trainer = FoldTrainer(dataset, rows)
    beyond: dict[str, list[float]] = {name: [] for name in study.members}
    for number, fold in enumerate(folds):
        for name, model in study.members.items():
            with timed_calls(*calls[name]) as spent:
                start = time.process_time()
                fitted = trainer.train(model, number, study.seed, threads=1)
                fitted.forecast(features, fitted.forecastable(dataset, fold.test), fold.kind)
                whole = time.process_time() - start
            fits = 1 if name == "ridge" else len(HORIZONS)
            beyond[name].append((whole - sum(spent)) / fits * 1e3)
    return {name: round(statistics.mean(each), 1) for name, each in beyond.items()}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--calendar", default="XNYS", help="of the bars in --data")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lay_out_bars(folder / "bars", options.data, options.seed)
        content = study_of(folder / "bars", options.calendar, options.seed)
        (folder / "study.yaml").write_text(yaml.safe_dump(content))
        script: list[tuple[float, float]] = []
        runs: list[tuple[float, float]] = []
        again: list[tuple[float, float]] = []

        def run_script(turn: int) -> None:
            out = str(folder / f"script{turn}")
            file = str(HERE / "_study_script.py")
            script.append(seconds_of(file, str(folder / "bars"), out))

        def run_barstack(turn: int) -> None:
            command = ["-m", "barstack", "run", str(folder / "study.yaml"), "--runs"]
            runs.append(seconds_of(*command, str(folder / f"runs{turn}")))
            again.append(seconds_of(*command, str(folder / f"runs{turn}")))

        run_barstack(-1)  # compiles what is compiled once per machine
        runs.clear()
        again.clear()
        for turn in range(options.pairs):
            both = (run_script, run_barstack)
            for one in both if turn % 2 else both[::-1]:
                one(turn)
            latest = [each[-1][0] for each in (script, runs, again)]
            print("script {:.2f} s, barstack {:.2f} s, again {:.2f} s".format(*latest))
        alike = correlations(folder / "script0", folder / "runs0")
        overhead = overhead_ms(content)
    clock, cpu = (
        [statistics.median(times[place] for times in each) for each in (script, runs, again)]
        for place in (0, 1)
    )
    bars = {
        "study_vs_script": at_least(round(clock[0] / clock[1], 3), 1.0),
        "rerun_s": at_most(round(clock[2], 2), 1.5),
        "overhead_ms_per_fit": at_most(max(overhead.values()), 50),
    }
    figures = {
        "script_s": [round(each, 2) for each, _ in script],
        "barstack_s": [round(each, 2) for each, _ in runs],
        "script_cpu_s": round(cpu[0], 2),
        "barstack_cpu_s": round(cpu[1], 2),
        "rerun_cpu_s": round(cpu[2], 2),
        "load_average": round(os.getloadavg()[1], 1),
        "overhead_ms": overhead,
        "member_correlation": alike,
    }
    finish("study", bars, figures)


if __name__ == "__main__":
    main()
