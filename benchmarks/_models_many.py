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

from barstack.core.decisions import Rows
from barstack.datasets import Dataset
from barstack.models import MODELS, Model, train, train_many
from barstack.models.neural import _training
from barstack.models.neural._neural import Neural

LOOKBACK, BATCH = 60, 64
CONFIGURATIONS, FUSED_SIZES = 6, (6, 18)
RATES = (5e-4, 1e-3, 2e-3)
MEASURED_S = 1.0  # that one model alone should take, at least
LEAST_EPOCHS, MOST_EPOCHS = 8, 30  # few would time how work is handed out, not training


def speeds(name: str, dataset: Dataset, rows: Rows, repeats: int) -> dict[str, Any]:
    """Model-epochs a second of both sides and their ratio; of networks that fuse, of stacks too."""
    began = time.perf_counter()
    train(model_of(name, 0, 1, "windows"), dataset, rows, 0)
    one_s = time.perf_counter() - began
    epochs = int(np.clip(MEASURED_S / one_s, LEAST_EPOCHS, MOST_EPOCHS))
    several = {str(k): model_of(name, k, epochs, "auto") for k in range(max(FUSED_SIZES))}
    six = {key: several[key] for key in list(several)[:CONFIGURATIONS]}
    train_many(six, dataset, rows, 0)  # measures what is quicker, and starts the workers
    single = model_of(name, 0, epochs, "windows")
    rates: dict[str, list[float]] = {}
    for _ in range(repeats):
        for threads in (1, 2):
            with threads_of_the_trainer(threads):
                began = time.perf_counter()
                train(single, dataset, rows, 0)
                note(rates, f"one_at_a_time_{threads}", epochs, began)
        began = time.perf_counter()
        train_many(six, dataset, rows, 0)
        note(rates, "chosen", CONFIGURATIONS * epochs, began)
        if single.fuses:
            for size in FUSED_SIZES:
                began = time.perf_counter()
                own = {key: several[key] for key in list(several)[:size]}
                train_many(own, dataset, rows, 0, way="fused", workers=1)
                note(rates, f"fused_{size}", size * epochs, began)
    medians = {key: float(np.median(each)) for key, each in rates.items()}
    plain = max(medians.pop("one_at_a_time_1"), medians.pop("one_at_a_time_2"))
    ratios = {f"{key}_speedup": round(each / plain, 2) for key, each in medians.items()}
    return {
        "one_at_a_time_epochs_per_s": round(plain, 3),
        "chosen_epochs_per_s": round(medians["chosen"], 3),
        "speedup": ratios.pop("chosen_speedup"),
    } | ratios


def model_of(name: str, number: int, epochs: int, mode: str) -> Neural:
    """A configuration that is never stopped early, so that all sides have the same to do."""
    settings = {
        "model": name, "batch": BATCH, "learning_rate": RATES[number % len(RATES)],
        "dropout": 0.1 * (1 + number % 2), "epochs": epochs, "patience": epochs, "mode": mode,
    }  # fmt: skip
    if name != "autoencoder_mlp":
        settings["lookback"] = LOOKBACK
    model: Model = MODELS.parse(settings)
    assert isinstance(model, Neural)
    return model


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
