"""Made-up experiments of a sweep, and a program that writes them as a sweep would."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

from barstack.tracking import (
    EpochMeasure,
    Experiment,
    ExperimentTracker,
    SweepSize,
)

SWEEP = "5f3e9a1b"
MODELS = (
    *("lstm", "gru", "transformer", "cnn_lstm", "multi_task_lstm", "attention_lstm"),
    *("mixture_of_experts", "tft", "tcn"),
)
HORIZONS = ("15min", "30min", "60min", "2h", "1d")
BEGIN = datetime(2026, 1, 5, 12, tzinfo=UTC)


def grid(count: int = 1620) -> Iterator[Experiment]:
    """The reference grid in an order that mixes it: completed ones, two seconds after another."""
    rng = random.Random(7)
    settings = (("3mo", "6mo", "1yr"), (32, 64), (1e-4, 5e-4, 1e-3), (0.001, 0.01))
    points = list(product(MODELS, HORIZONS, *settings))
    rng.shuffle(points)
    for number, (model, horizon, period, batch, rate, decay) in enumerate(points[:count]):
        accuracy, rmse = rng.gauss(0.505, 0.02), rng.uniform(0.001, 0.002)
        at = BEGIN + timedelta(seconds=2 * number)
        yield Experiment(
            experiment_id=f"{number:05x}{rng.getrandbits(44):011x}",
            sweep_id=SWEEP,
            run_id=f"run{number:05}",
            model_name=model,
            horizon_name=horizon,
            symbol="SPY",
            period=period,
            timeframe="15min",
            n_samples=560,
            n_parameters=65_000,
            batch_size=batch,
            learning_rate=rate,
            weight_decay=decay,
            params={"name": f"{model} {horizon} {period} batch={batch} lr={rate:g} wd={decay:g}"},
            directional_accuracy=accuracy,
            ic=2 * (accuracy - 0.5),
            rmse=rmse,
            mse=rmse**2,
            mae=0.7 * rmse,
            r2=rng.gauss(-0.002, 0.004),
            metrics={"directional_accuracy_se": 0.021},
            training_seconds=2.0,
            started_at=at - timedelta(seconds=4),
            finished_at=at,
        )


def curves() -> list[EpochMeasure]:
    """Two losses over ten epochs of three folds."""
    return [
        EpochMeasure(fold=fold, epoch=epoch, measure=name, value=shift + 1 / epoch + fold / 50)
        for fold in range(3)
        for epoch in range(1, 11)
        for name, shift in (("train_loss", 0.0), ("validation_loss", 0.1))
    ]


def fill(runs: Path, count: int, planned: int = 1620, failing: int = 20) -> list[Experiment]:
    """Enter the first experiments of the grid at once; one of `failing` fails."""
    rows = list(grid(count))
    with ExperimentTracker(runs) as tracker, tracker.batch():
        tracker.note_sweep(SweepSize(SWEEP, "Reference grid", planned))
        for number, row in enumerate(rows):
            if number % failing == failing - 1:
                tracker.fail(row, "TrainingError: The loss is not finite.")
            else:
                tracker.finish(row, curves() if number % 10 == 0 else ())
    return rows


def write_slowly(runs: Path, first: int, pause_s: float) -> None:
    """Go on after the first experiments, one after another, now, until this process is ended."""
    with ExperimentTracker(runs) as tracker:
        for number, row in enumerate(grid()):
            if number >= first:
                begun = replace(row, started_at=None, finished_at=None)
                tracker.start(begun)
                time.sleep(pause_s)
                tracker.finish(begun, curves())


if __name__ == "__main__":
    write_slowly(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
