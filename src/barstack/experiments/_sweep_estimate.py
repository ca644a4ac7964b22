"""What a sweep will take: counted from its plan, with time and disk estimated from sizes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError
from barstack.splits import HoldOut
from barstack.tracking import open_tracker

from ._engine import cores
from ._experiment import Bench
from ._memory import WORKER_BYTES, available_bytes, workers_within
from ._presets import FIT_S
from ._sweep import in_order
from ._sweep_plan import PlannedExperiment, Sweep

# Seconds of one fit on one core for a row of training, all epochs together: 15-minute bars, 25
# features, windows of 24 bars, until early stopping.
_NETWORK_S = {
    "attention_lstm": 350e-6,
    "cnn_lstm": 330e-6,
    "gru": 320e-6,
    "lstm": 300e-6,
    "mixture_of_experts": 750e-6,
    "multitask_lstm": 310e-6,
    "tcn": 280e-6,
    "tft": 700e-6,
    "transformer": 450e-6,
}
_OTHER_S = 100e-6
_EACH_S = 0.03  # of an experiment beside its fits
_GROUP_S = 3.0  # of the features, labels, folds and audit that a group shares
_EACH_BYTES, _ROW_BYTES = 60_000, 80  # of what an experiment stores, and of each row forecast
_TRAINED, _TESTED = 0.7, 0.6  # of all bars, in a split of several folds


@dataclass(frozen=True)
class SweepEstimate:
    """What `barstack sweep --dry-run` prints.

    Attributes
    ----------
    experiments  how many are to run
    stored       how many of them have a result already
    groups       sets of bars, features, labels and folds, each made once
    models       experiments by model
    first        names of the first ten
    workers      processes that would run at once
    measured     models whose time is that of this sweep's experiments so far
    seconds      on the clock, about
    bytes        on the disk, about
    """

    experiments: int
    stored: int
    groups: int
    models: dict[str, int]
    first: list[str]
    workers: int
    measured: list[str]
    seconds: float
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {**vars(self), "seconds": round(self.seconds, 1)}


def estimate_sweep(
    sweep: Sweep,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    limit: int | None = None,
    workers: int | None = None,
) -> SweepEstimate:
    """Counts, time and disk of what is left to do; bars are read, nothing is computed or stored.

    Arguments as of `run_sweep`.
    """
    if limit is not None and limit < 1:
        raise ConfigError(f"limit is {limit}. Give 1 or more, or leave it out for all.")
    chosen = in_order(sweep)[:limit]
    bench = Bench(Path(runs), Path(folder))
    groups: dict[str, list[PlannedExperiment]] = {}
    for each in chosen:
        groups.setdefault(each.group, []).append(each)
    measured = _measured(sweep, Path(runs))
    seconds, size, stored = 0.0, 0, 0
    for own in groups.values():
        n_bars, ready = bench.size_of(own[0].study)
        rows, tested, folds = _rows(own[0], n_bars)
        seconds += 0.0 if ready else _GROUP_S
        for each in own:
            if ready and bench.has(each.study):
                stored += 1
                continue
            if each.model in measured:
                seconds += measured[each.model] * rows
            else:
                rate = _NETWORK_S.get(each.model) or FIT_S.get(each.model, _OTHER_S)
                seconds += _EACH_S + folds * rows * rate
            size += _EACH_BYTES + int(_ROW_BYTES * (tested + 0.15 * rows))
    most = cores() if workers is None else workers
    most = min(workers_within(available_bytes(), WORKER_BYTES, most), len(chosen))
    return SweepEstimate(
        experiments=len(chosen),
        stored=stored,
        groups=len(groups),
        models=dict(Counter(each.model for each in chosen)),
        first=[each.name for each in chosen[:10]],
        workers=most,
        measured=sorted(measured),
        seconds=seconds / most,
        bytes=size,
    )


def _measured(sweep: Sweep, runs: Path) -> dict[str, float]:
    """By model, seconds of an experiment of this sweep for each row that a fit is trained on."""
    if not runs.is_dir():
        return {}
    found: dict[str, list[float]] = {}
    with open_tracker(runs) as tracker:
        for each in tracker.experiments(sweep.id, status="completed"):
            rows = each.metrics.get("train_rows")
            if rows and each.training_seconds:
                found.setdefault(each.model_name, []).append(each.training_seconds / rows)
    return {model: sum(own) / len(own) for model, own in found.items()}


def _rows(each: PlannedExperiment, n_bars: int) -> tuple[float, float, int]:
    """About how many rows a fit is trained on, how many are tested, and how many fits there are."""
    split = each.study.split
    if isinstance(split, HoldOut):
        folds, tested = 1, split.test * n_bars
        trained = n_bars - tested
    else:
        folds, tested = int(getattr(split, "folds", 2)), _TESTED * n_bars
        trained = _TRAINED * n_bars
    return min(trained, getattr(split, "train_times", None) or trained), tested, folds
