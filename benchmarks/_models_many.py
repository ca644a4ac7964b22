"""Six configurations of an architecture as the trainer trains them, against one at a time.

One at a time is the plain trainer on exact windows, on one thread or on two, whichever
is quicker. Both sides take turns and the medians count, by the clock: other work on the machine
blurs them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.models import MODELS, Model, train, train_many
from barstack.models.neural import _training
from barstack.models.neural._neural import Neural

LOOKBACK, BATCH = 60, 64  # bars of the causal networks; others have the windows of their size
CONFIGURATIONS, FUSED_SIZES = 6, (6, 18)
RATES = (5e-4, 1e-3, 2e-3)
# Few epochs would time how work is handed out, and is begun, rather than training.
ALONE_S, TOGETHER_S = 2.0, 6.0  # that one model on windows, and six as chosen, should take
LEAST_EPOCHS, MOST_EPOCHS = 2, 60
MOST_S = 60.0  # an epoch of a stack that is timed


def speeds(name: str, dataset: Dataset, rows: Rows, repeats: int) -> dict[str, Any]:
    """Model-epochs a second of both sides and their ratio; of networks that fuse, of stacks too."""
    began = time.perf_counter()
    train(model_of(name, 0, 1, "windows"), dataset, rows, 0)
    one_s = time.perf_counter() - began
    epochs = enough(ALONE_S, one_s)
    single = model_of(name, 0, epochs, "windows")
    first = sweep(name, CONFIGURATIONS, 1)
    train_many(first, dataset, rows, 0, way="side_by_side")  # compiled, and workers started
    began = time.perf_counter()
    train_many(first, dataset, rows, 0, way="side_by_side")
    longer = enough(TOGETHER_S, time.perf_counter() - began)
    six = sweep(name, CONFIGURATIONS, longer)
    train_many(six, dataset, rows, 0)  # measures what is quicker
    rates: dict[str, list[float]] = {}
    for _ in range(repeats):
        for threads in (1, 2):
            with threads_of_the_trainer(threads):
                began = time.perf_counter()
                train(single, dataset, rows, 0)
                note(rates, f"one_at_a_time_{threads}", epochs, began)
        train_many(first, dataset, rows, 0, way="side_by_side")  # a sweep's workers are started
        began = time.perf_counter()
        train_many(six, dataset, rows, 0)
        note(rates, "chosen", CONFIGURATIONS * longer, began)
        for size in FUSED_SIZES:
            if single.fuses and size * one_s < MOST_S:
                some = enough(TOGETHER_S, size * one_s)
                began = time.perf_counter()
                train_many(sweep(name, size, some), dataset, rows, 0, way="fused", workers=1)
                note(rates, f"fused_{size}", size * some, began)
    medians = {key: float(np.median(each)) for key, each in rates.items()}
    plain = max(medians.pop("one_at_a_time_1"), medians.pop("one_at_a_time_2"))
    ratios = {f"{key}_speedup": round(each / plain, 2) for key, each in medians.items()}
    return {
        "one_at_a_time_epochs_per_s": round(plain, 3),
        "chosen_epochs_per_s": round(medians["chosen"], 3),
        "speedup": ratios.pop("chosen_speedup"),
    } | ratios


def enough(seconds: float, epoch_s: float) -> int:
    """Epochs that take about so long."""
    return int(np.clip(seconds / epoch_s, LEAST_EPOCHS, MOST_EPOCHS))


def sweep(name: str, size: int, epochs: int) -> dict[str, Neural]:
    """Configurations of an architecture by number."""
    return {str(number): model_of(name, number, epochs, "auto") for number in range(size)}


def model_of(name: str, number: int, epochs: int, mode: str) -> Neural:
    """A configuration that is never stopped early, so that all sides have the same to do."""
    settings = {
        "model": name, "batch": BATCH, "learning_rate": RATES[number % len(RATES)],
        "dropout": 0.1 * (1 + number % 2), "epochs": epochs, "patience": epochs, "mode": mode,
    }  # fmt: skip
    model: Model = MODELS.parse(settings | size_of(name))
    assert isinstance(model, Neural)
    return model


def size_of(name: str) -> dict[str, int]:
    """Settings of an architecture that are not those of its reference size.

    A causal network looks back further than by default, which adds layers to two of them; of the
    others the window is part of the size.
    """
    kind = MODELS.get(name)
    return {"lookback": LOOKBACK} if issubclass(kind, Neural) and kind.causal else {}


def note(rates: dict[str, list[float]], what: str, epochs: int, began: float) -> None:
    rates.setdefault(what, []).append(epochs / (time.perf_counter() - began))


@contextmanager
def threads_of_the_trainer(count: int) -> Iterator[None]:
    """The trainer keeps to one thread; here it may have more."""

    @contextmanager
    def threads() -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    kept, _training.one_thread = _training.one_thread, threads
    try:
        yield
    finally:
        _training.one_thread = kept
