"""A table far larger than its windows could be: what batches of them cost in memory and time.

    python benchmarks/datasets.py [--seed N] [--rows N] [--columns N] [--lookback N]

A made-up table of 5,000,000 rows x 107 features, windows of 60 rows: as one array they would take
120 GiB even as float32. A child process fits the scaler, draws random batches of scaled windows
from our door and reports the most memory it ever held; another learns ridge from all rows. Beside
them, on a tenth of the rows: numpy scaling each batch as it is taken, which needs as little memory;
then numpy's sliding windows, PyTorch's `unfold` and PyTorch's indexing, all three from a scaled
copy of the table that they need beside it. Our batches must hold numpy's values.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import arguments, at_least, at_most, finish

from barstack.core.decisions import Decisions
from barstack.core.forecast import Target
from barstack.core.times import DecidedAt, KnownAt
from barstack.datasets import Dataset, export
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.models import MODELS, train

ROWS, COLUMNS, LOOKBACK = 5_000_000, 107, 60
SYMBOLS, BATCH, BATCHES = 10, 128, 60
KINDS = ("standard", "robust", "rank_gauss")


def made_up(rows: int, columns: int, seed: int) -> Dataset:
    """Random walks of several symbols by the minute; labels of noise."""
    rng = np.random.default_rng(seed)
    values = np.empty((rows, columns))
    for start in range(0, rows, 100_000):
        part = values[start : start + 100_000]
        rng.standard_normal(out=part)
        part *= np.geomspace(1e-4, 1e3, columns)
    each = rows // SYMBOLS
    names = [f"S{number:02}" for number in range(SYMBOLS)]
    minutes = np.datetime64("2020-01-01", "us") + np.arange(each) * np.timedelta64(60_000_000, "us")
    decisions = Decisions.concatenate({name: DecidedAt(minutes) for name in names})
    values = values[: len(decisions)]
    table = FeatureTable(decisions, tuple(f"x{place}" for place in range(columns)), values)
    y = rng.standard_normal((len(decisions), 1))
    known_at = KnownAt((decisions.decided_at + np.timedelta64(60_000_000, "us"))[:, None])
    target = Target("return", ("1bars",))
    labels = LabelTable(decisions, target, y, known_at, y, np.ones(len(y), bool))
    return Dataset(table, labels)


def batches(dataset: Dataset, lookback: int, seed: int) -> Callable[[], Any]:
    """Draws one random batch of scaled windows after the other."""
    every = np.arange(len(dataset.decisions))
    rows = dataset.with_history(every, lookback)
    scaler = dataset.fit_scaler(rows[: int(0.7 * len(rows))])
    inputs = dataset.inputs(rows, scaler)
    order = np.random.default_rng(seed)
    return lambda: inputs.windows(lookback, order.integers(0, len(rows), BATCH))


def windows_per_s(draw: Callable[[], Any], repeats: int = 3) -> float:
    """The best of several runs, so that a busy machine counts for less."""
    draw()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(BATCHES // repeats):
            draw()
        seconds.append((time.perf_counter() - start) / (BATCHES // repeats))
    return BATCH / min(seconds)


def peak_bytes() -> int:
    """The most memory this process has ever held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def child(what: str, options: Any) -> dict[str, float]:
    """One figure of memory in a process of its own, beside that of holding the table alone."""
    dataset = made_up(options.rows, options.columns, options.seed)
    table = dataset.features.values.nbytes
    before = peak_bytes()
    start = time.perf_counter()
    found: dict[str, float] = {}
    if what == "windows":
        draw = batches(dataset, options.lookback, options.seed)
        found["ready_s"] = time.perf_counter() - start
        found["windows_per_s"] = windows_per_s(draw)
    else:
        rows = np.argsort(dataset.decisions.decided_at, kind="stable")
        train(MODELS.get("ridge")(), dataset, rows, seed=0)
        found["train_s"] = time.perf_counter() - start
    rounded = {name: round(value, 2) for name, value in found.items()}
    return rounded | {
        "table_gib": round(table / 2**30, 3),
        "peak_gib": round(peak_bytes() / 2**30, 3),
        "peak_before_gib": round(before / 2**30, 3),
        "copies": round(peak_bytes() / table, 3),
    }


def apart(what: str, options: Any) -> dict[str, float]:
    """`child` in a process of its own, on one thread."""
    command = [sys.executable, __file__, "--child", what, "--seed", str(options.seed)]
    for name in ("rows", "columns", "lookback"):
        command += [f"--{name}", str(getattr(options, name))]
    # Threads of linear algebra wait for one another on a busy machine, and need memory each.
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=alone)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what:8} {found}", flush=True)
    return found


def beside(options: Any) -> dict[str, Any]:
    """Windows a second, ours and others', from a tenth of the rows so that copies have room."""
    import torch  # noqa: PLC0415 (only the parent of the memory figures needs it)

    torch.set_num_threads(1)
    dataset = made_up(options.rows // 10, options.columns, options.seed)
    lookback = options.lookback
    draw = batches(dataset, lookback, options.seed)
    rows = dataset.with_history(np.arange(len(dataset.decisions)), lookback)
    fitted = dataset.fit_scaler(rows[: int(0.7 * len(rows))])
    centre, scale = fitted.learned["centre"], fitted.learned["scale"]
    scaled = fitted.apply(dataset.features.values)
    raw = np.lib.stride_tricks.sliding_window_view(dataset.features.values, lookback, axis=0)
    view = np.lib.stride_tricks.sliding_window_view(scaled, lookback, axis=0)
    tensor = torch.from_numpy(scaled.astype(np.float32))
    unfolded = tensor.unfold(0, lookback, 1)
    order = np.random.default_rng(options.seed)

    def starts() -> Any:
        return rows[order.integers(0, len(rows), BATCH)] - lookback + 1

    def by_numpy() -> Any:
        return np.ascontiguousarray(view[starts()].transpose(0, 2, 1), dtype=np.float32)

    def by_numpy_scaling() -> Any:
        taken = raw[starts()].transpose(0, 2, 1)
        return np.clip((taken - centre) / scale, -8.0, 8.0).astype(np.float32)

    def by_torch() -> Any:
        return unfolded[torch.from_numpy(starts())].transpose(1, 2).contiguous()

    def by_torch_index() -> Any:
        return tensor[torch.from_numpy(starts()[:, None] + np.arange(lookback))]

    speeds = {
        "ours": windows_per_s(draw),
        "numpy_scaling_as_taken": windows_per_s(by_numpy_scaling),
        "numpy_of_a_scaled_copy": windows_per_s(by_numpy),
        "torch_unfold_of_a_scaled_copy": windows_per_s(by_torch),
        "torch_index_of_a_scaled_copy": windows_per_s(by_torch_index),
    }
    for kind in KINDS[1:]:
        other = Dataset(dataset.features, dataset.labels, _scaler(kind))
        speeds[f"ours_{kind}"] = windows_per_s(batches(other, lookback, options.seed))
    picked = np.random.default_rng(options.seed + 1).integers(0, len(rows), 1000)
    ours = dataset.inputs(rows, fitted).windows(lookback, picked)
    theirs = view[rows[picked] - lookback + 1].transpose(0, 2, 1).astype(np.float32)
    for name, speed in speeds.items():
        print(f"{name:30} {speed:12,.0f} windows/s")
    return {
        "windows_per_s": {name: round(speed) for name, speed in speeds.items()},
        "unequal": int((ours != theirs).sum()),
    }


def _scaler(kind: str) -> Any:
    from barstack.datasets import SCALERS  # noqa: PLC0415

    return SCALERS.parse(kind)


def exported(options: Any) -> dict[str, float]:
    """Seconds to write a hundredth of the table as parquet."""
    from barstack.splits import Chronological  # noqa: PLC0415

    dataset = made_up(options.rows // 100, options.columns, options.seed)
    folds = Chronological().split(dataset.decisions, dataset.labels.all_known_at)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        export(dataset, Path(folder) / "sets", folds)
        seconds = time.perf_counter() - start
    return {"rows": options.rows // 100, "seconds": round(seconds, 2)}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--columns", type=int, default=COLUMNS)
    parser.add_argument("--lookback", type=int, default=LOOKBACK)
    parser.add_argument("--child", choices=["windows", "ridge"], help="one figure of memory")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child, options)))
        return
    windows, ridge = apart("windows", options), apart("ridge", options)
    others = beside(options)
    speeds = others["windows_per_s"]
    of_copies = [speed for name, speed in speeds.items() if name.endswith("scaled_copy")]
    all_windows = options.rows * options.columns * options.lookback * 4
    figures = {
        "rows": options.rows,
        "columns": options.columns,
        "lookback": options.lookback,
        "all_windows_gib": round(all_windows / 2**30, 1),
        "windows": windows,
        "ridge": ridge,
        "export": exported(options),
        **others,
    }
    bars = {
        "windows_peak_copies": at_most(windows["copies"], 1.25),
        "ridge_peak_copies": at_most(ridge["copies"], 1.25),
        "unequal": at_most(others["unequal"], 0),
        "speed_vs_numpy": at_least(
            round(speeds["ours"] / speeds["numpy_scaling_as_taken"], 2), 2.0
        ),
        # Against the fastest that is given a scaled copy: what saving that copy costs.
        "speed_vs_scaled_copy": at_least(round(speeds["ours"] / max(of_copies), 2), 0.5),
    }
    finish("datasets", bars, figures)


if __name__ == "__main__":
    main()
