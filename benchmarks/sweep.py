"""The reference grid: time for all of it, beside one model at a time, at equal validation loss.

    python benchmarks/sweep.py                        all of it; goes on where it was stopped
    python benchmarks/sweep.py --time-budget 20m      a part of it
    python benchmarks/sweep.py --each 40 --grid none  only the sample, both ways

`sweep_speedup` is the mean time of a sample of the experiments as one trains a model by itself (one
process, two threads, exact windows, float32, nothing shared but the data), times the number of
experiments, divided by the time that the sweep took for all. Both are on the clock, and beside them
stand seconds of computing, which a busy machine changes little. `loss_ratio` is the mean validation
loss of the sweep's fits of that sample over that of the others: both stop early by the same rows.
"""

from __future__ import annotations

import json
import random
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE, arguments, at_least, at_most, finish
from _kept import Kept

from barstack.experiments import PlannedExperiment, Sweep, Watch, run_sweep
from barstack.experiments._engine import Engine
from barstack.experiments._fits import fit_fold
from barstack.experiments._kept import KeptValues
from barstack.experiments._sweep import budget_s

GRID = HERE.parent / "examples" / "reference_grid.yaml"


def sample_of(sweep: Sweep, count: int, seed: int) -> list[PlannedExperiment]:
    """Experiments drawn without replacement, the same for the same seed."""
    chosen = random.Random(seed).sample(range(len(sweep.experiments)), count)
    return [sweep.experiments[number] for number in sorted(chosen)]


class Alone:
    """Trains one experiment after the other as somebody would who has no sweep."""

    def __init__(self, runs: Path, threads: int) -> None:
        self.runs, self.threads, self.kept = runs, threads, KeptValues()

    def __call__(self, each: PlannedExperiment) -> dict[str, Any]:
        """Seconds on the clock and of computing, epochs, and the validation loss."""
        import torch  # noqa: PLC0415

        from barstack.models.neural import _training  # noqa: PLC0415

        ((name, model),) = each.study.members.items()
        windows = model.model_copy(update={"mode": "windows"})
        study = each.study.model_copy(update={"members": {name: windows}})
        engine = Engine(study, self.runs, GRID.parent, workers=1, kept=self.kept)
        data = engine.value("training")
        one_thread = _training.one_thread
        # A network by itself is given both cores.
        _training.one_thread = nullcontext  # type: ignore[assignment]
        torch.set_num_threads(self.threads)
        try:
            began, computed = time.perf_counter(), time.process_time()
            fitted = fit_fold(data, windows, 0, study.seed, threads=self.threads)
            fold = data.folds[0]
            rows = fitted.forecastable(data.dataset(0), fold.test)
            fitted.forecast(data.features, rows, fold.kind)
            seconds = time.perf_counter() - began, time.process_time() - computed
        finally:
            _training.one_thread = one_thread
        curves = fitted.curves()
        loss = min(epoch["stop_loss"] for epoch in curves)
        return {"s": seconds[0], "cpu_s": seconds[1], "epochs": len(curves), "loss": loss}


class Printed(Watch):
    """A line now and then."""

    def __init__(self) -> None:
        self.count, self.total, self.printed = 0, 0, time.monotonic()

    def began(self, what: str, total: int) -> None:
        self.count, self.total = 0, total
        print(f"{what}: {total}", flush=True)

    def ended(self, result: Any) -> None:
        self.count += 1
        if time.monotonic() - self.printed > 30:
            self.printed = time.monotonic()
            print(f"  {self.count} of {self.total}", flush=True)

    def note(self, text: str) -> None:
        print(f"  {text}", flush=True)


def main() -> None:
    """Run what is missing, then say how it went."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--runs", type=Path, default=HERE / "results" / ".sweep")
    parser.add_argument("--each", type=int, default=40, help="experiments of the sample")
    parser.add_argument("--grid", default="all", help="all, none, or sample: what the sweep runs")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--threads", type=int, default=2, help="of one model at a time")
    parser.add_argument("--time-budget", help="for this call, such as 20m")
    options = parser.parse_args()
    deadline = time.monotonic() + (budget_s(options.time_budget) or 1e9)
    sweep = Sweep.from_yaml(GRID)
    chosen = sample_of(sweep, options.each, options.seed)
    kept = Kept("sweep")
    names = {each.name for each in chosen}
    if options.grid == "sample":
        sweep.__dict__["experiments"] = tuple(chosen)
    rows: dict[str, dict[str, Any]] = {}
    if options.grid != "none":
        result = run_sweep(
            sweep,
            folder=GRID.parent,
            runs=options.runs,
            workers=options.workers,
            time_budget=max(1.0, deadline - time.monotonic()),
            watch=Printed(),
        )
        calls = [*kept.values.get(json.dumps(["calls", options.grid]), [])]
        made = sum(1 for each in result.completed if each.result and each.result["how"] == "made")
        kept[["calls", options.grid]] = [*calls, [made, result.seconds]]
        for done in result.completed:
            row = done.row()
            if row["how"] == "made":
                facts = {"s": row["seconds"], "cpu_s": row["cpu_seconds"]}
                kept[["made", row["name"]]] = facts | {
                    "epochs": row["epochs"], "loss": row["validation_loss"]}  # fmt: skip
            rows[row["name"]] = row
        print(result, f"{result.seconds:.0f} s", flush=True)
    alone = Alone(options.runs / "alone", options.threads)
    for each in chosen:
        key = ["alone", options.threads, each.name]
        if key not in kept and time.monotonic() < deadline:
            kept[key] = alone(each)
            print(f"{each.name:90} {kept[key]}", flush=True)
    ways = {"alone": ["alone", options.threads], "made": ["made"]}
    both = [name for name in sorted(names) if all([*way, name] in kept for way in ways.values())]
    if not both:
        return
    found = {how: {name: kept[[*way, name]] for name in both} for how, way in ways.items()}
    figures = compared(found) | {"sample": len(both), "threads": options.threads}
    calls = kept.values.get(json.dumps(["calls", "all"]), [])
    completed = len(rows) if options.grid == "all" else 0
    bars = {"loss_ratio": at_most(figures["loss_ratio"], 1.0)}
    bars["completed"] = at_least(completed, len(Sweep.from_yaml(GRID).experiments))
    if calls and completed:
        seconds = sum(call[1] for call in calls)
        figures |= {"sweep_s": seconds, "calls": len(calls)}
        bars["sweep_speedup"] = at_least(figures["alone_s"] * completed / seconds, 15.0)
    finish("sweep", bars, figures)


def compared(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Means over the sample, both ways, and by architecture.

    rows  by how they were made, then by experiment
    """
    found: dict[str, Any] = {
        f"{how}_{what}": float(np.mean([each[what] for each in own.values()]))
        for how, own in rows.items()
        for what in ("s", "cpu_s", "epochs", "loss")
    }
    found["loss_ratio"] = found["made_loss"] / found["alone_loss"]
    losses = [[each["loss"] for each in rows[how].values()] for how in ("made", "alone")]
    ratios = np.divide(*map(np.array, losses))
    if len(ratios) > 1:
        found["loss_ratio_se"] = float(ratios.std(ddof=1) / len(ratios) ** 0.5)
    found["cpu_ratio"] = found["alone_cpu_s"] / found["made_cpu_s"]
    found["by_model"] = {
        model: {
            f"{how}_{what}": float(
                np.mean([each[what] for name, each in own.items() if name.split()[0] == model])
            )
            for how, own in rows.items()
            for what in ("cpu_s", "loss")
        }
        for model in sorted({name.split()[0] for name in rows["made"]})
    }
    return found


if __name__ == "__main__":
    main()
