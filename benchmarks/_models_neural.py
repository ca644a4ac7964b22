"""Neural models: training on chunks beside exact windows, architecture by architecture.

Each architecture at its reference size is trained twice on each set of bars, on one thread, one
model at a time: on exact windows, and as the trainer chooses. Both stop early by the same rows and
are judged by the same loss on exact windows of later rows that neither has seen. Seconds are those
that the process computed for, so that a busy machine changes little. What six models in worker
processes gain is in `_models_many`, by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from _benchmark import at_least, at_most
from _kept import Kept
from _models_many import BATCH, LOOKBACK, size_of, speeds

from barstack.bars import PROVIDERS, Bars
from barstack.core.arrays import Rows
from barstack.datasets import Dataset, Samples
from barstack.features import named_set
from barstack.labels import LABELS
from barstack.models import MODELS
from barstack.models.neural._neural import Neural
from barstack.splits import early_stop_split
from barstack.worlds import WORLDS
from features import SHARED

SYMBOLS = ("SPY", "NVDA")
SIGNALS = ("linear", "interaction")
HORIZONS = (1, 3, 6, 12)  # bars
RATE = 1e-3


class Part(NamedTuple):
    """Rows to learn from, to stop by, and to judge by, with the label that goes with them.

    rows  those to learn from and to stop by
    """

    learn: Samples
    stop: Samples
    judge: Samples
    dataset: Dataset
    rows: Rows


def parts(n_bars: int, seed: int) -> Iterator[tuple[str, Part]]:
    """A few symbols and two worlds."""
    source = {"provider": "files", "path": str(SHARED / "us_equities_5m"), "calendar": "XNYS"}
    real = PROVIDERS.parse(source | {"symbols": list(SYMBOLS)}).load()
    for symbol in SYMBOLS:
        yield symbol, part_of(real[symbol][-n_bars:])
    for signal in SIGNALS:
        world = WORLDS.parse({"world": signal, "bars": n_bars, "r2": 0.05, "seed": seed})
        (bars,) = world.make().panel.values()
        yield signal, part_of(bars)


def part_of(bars: Bars) -> Part:
    """The first 70 % to learn from and stop by, the last 30 % to judge by, purged."""
    labels = LABELS.parse({"label": "return", "horizons": list(HORIZONS)}).compute(bars)
    dataset = Dataset(named_set("stack52", bars.length_us).compute(bars), labels)
    known_at = dataset.labels.all_known_at
    rows = np.flatnonzero(~np.isnat(known_at) & dataset.usable)
    rows = dataset.with_history(rows, LOOKBACK)
    decided_at = dataset.decisions.decided_at
    first = decided_at[rows[int(0.7 * len(rows))]]
    early = rows[known_at[rows] <= first]
    learn, stop = early_stop_split(dataset.decisions, known_at, early)
    judge = rows[decided_at[rows] >= first]
    scaler, scale = dataset.fit_scaler(learn), labels.values[learn].std(axis=0)
    fit, halt, later = (dataset.samples(own, scaler, scale) for own in (learn, stop, judge))
    return Part(fit, halt, later, dataset, early)


def trained(model: Neural, part: Part, seed: int) -> dict[str, float]:
    """Model-epochs a second, seconds to the end, and the loss on later rows."""
    marks = [time.process_time()]
    learned = model.fit(
        part.learn, part.stop, part.dataset.target, seed,
        on_epoch=lambda _: marks.append(time.process_time()),
    )  # fmt: skip
    said = model.predict(learned, part.judge, part.dataset.target)[:, :, 0]
    error = np.abs(said - part.judge.y)
    huber = np.where(error < 2.0, 0.5 * error**2, 2.0 * error - 2.0)
    return {
        "epoch_s": float(np.median(np.diff(marks))),
        "train_s": marks[-1] - marks[0],
        "epochs": len(learned.curves),
        "best": learned.best.number,
        "stop_loss": learned.best.stop_loss,
        "loss": float(huber.mean()),
    }


def neural(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`. Goes on where it was stopped."""
    names = [name for name in MODELS.names() if issubclass(MODELS.get(name), Neural)]
    chosen = options.only.split(",") if options.only else names
    found: dict[str, Any] = {name: {} for name in chosen}
    numbers = dict(parts(options.bars, options.seed))
    kept, asked = Kept("models_neural"), [options.bars, options.epochs, options.seed]
    warm_up(numbers[SIGNALS[0]])
    first = numbers[SIGNALS[0]]
    together: dict[str, Any] = {}
    for name in chosen:
        key = ["together", name, *asked, options.repeats]
        if key not in kept:
            kept[key] = speeds(name, first.dataset, first.rows, options.repeats)
        together[name] = kept[key]
        print(f"{name:20}", together[name], flush=True)
    for name in chosen:
        for where, part in numbers.items():
            key = ["beside", name, where, *asked]
            if key not in kept:
                kept[key] = beside(name, part, options)
            found[name][where] = kept[key]
        found[name] = summary(name, found[name]) | together[name]
        print(f"{name:20}", {k: v for k, v in found[name].items() if k != "each"}, flush=True)
    held = {"train_speedup_min": at_least(min(e["speedup"] for e in found.values()), 1.4)}
    causal = [each for each in found.values() if "ratio" in each]
    if causal:
        excess = float(np.mean([each["loss_excess"] for each in causal]))
        held |= {
            "train_speedup_causal": at_least(min(e["speedup"] for e in causal), 15.0),
            "mean_loss_excess_causal": at_most(excess, 0.01),
        }
    rows = {where: len(part.learn) for where, part in numbers.items()}
    return held, {"batch": BATCH, "rows": rows, "models": found}


def beside(name: str, part: Part, options: Any) -> dict[str, dict[str, float]]:
    """Exact windows and, where the network is causal, chunks."""
    shared = {"model": name, "batch": BATCH, "learning_rate": RATE, "patience": 4} | size_of(name)
    modes = {"windows": {"mode": "windows", "epochs": options.epochs}}
    if MODELS.get(name).causal:  # type: ignore[attr-defined]
        # A step on chunks learns from four times the rows: as many steps are four times the epochs.
        modes["dense"] = {"mode": "dense", "epochs": 4 * options.epochs}
    found = {}
    for mode, own in modes.items():
        model = MODELS.parse(shared | own)
        assert isinstance(model, Neural)
        found[mode] = trained(model, part, options.seed)
    return found


def summary(name: str, each: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Over all sets of bars: speeds, their ratio, and by how much the loss is larger on chunks."""

    def median(mode: str, what: str) -> float:
        return float(np.median([where[mode][what] for where in each.values()]))

    model = MODELS.parse({"model": name} | size_of(name))
    assert isinstance(model, Neural)
    found: dict[str, Any] = {
        "lookback": model.lookback,
        "parameters": model.parameter_count(52, 4),
        "windows_epochs_per_s": round(1.0 / median("windows", "epoch_s"), 3),
        "loss_windows": round(median("windows", "loss"), 4),
    }
    if model.causal:
        excess = [w["dense"]["loss"] / w["windows"]["loss"] - 1.0 for w in each.values()]
        found |= {
            "dense_epochs_per_s": round(1.0 / median("dense", "epoch_s"), 3),
            "ratio": round(median("windows", "epoch_s") / median("dense", "epoch_s"), 1),
            "ratio_of_whole_trainings": round(
                median("windows", "train_s") / median("dense", "train_s"), 1
            ),
            "loss_dense": round(median("dense", "loss"), 4),
            "loss_excess": round(float(np.mean(excess)), 4),
            "no_worse_in": f"{sum(e <= 0.005 for e in excess)} of {len(excess)}",
        }
    return found | {"each": each}


def warm_up(part: Part) -> None:
    """Compile and touch what the first training would pay for."""
    for name in ("gru", "tcn"):
        model = MODELS.parse({"model": name, "lookback": LOOKBACK, "epochs": 1})
        assert isinstance(model, Neural)
        trained(model, part, 0)
