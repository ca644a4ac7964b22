"""What each model costs: seconds to fit, and microseconds to forecast one row.

On a world of hourly bars with the 85 hourly features, and one of five-minute bars with all 107. Of
a network an epoch's seconds are shown, as how many it takes is up to the data. The forecast is that
of the plain path, for one row of a table that lies in memory.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from _kept import Kept
from rich.console import Console
from rich.table import Table

from barstack.datasets import Dataset
from barstack.features import named_set
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.models.neural._neural import Neural
from barstack.worlds import WORLDS

SIZES: dict[str, dict[str, Any]] = {
    "3500x85": {"set": "hourly85", "rows": 3_500, "bar": "1h"},
    "124000x107": {"set": "core107", "rows": 124_000, "bar": "5min"},
}
ASKED = 200  # forecasts of one row
WARM_UP_ROWS = 1_000  # of an epoch before the one that is timed
# Without those that need weights of the user's own, or stand for others of the list.
ALONE = [n for n in MODELS.names() if MODELS.get(n).family not in ("pretrained", "wrappers")]


def sizes(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """No bars to hold to, and figures, for `finish`. Goes on where it was stopped."""
    kept = Kept("models_sizes")
    names = options.only.split(",") if options.only else ALONE
    found: dict[str, Any] = {name: {} for name in names}
    for size, about in SIZES.items():
        left = [name for name in names if (name, size, options.seed) not in kept]
        dataset = _dataset(about, options.seed) if left else None
        for name in names:
            if dataset is not None and name in left:
                kept[name, size, options.seed] = _cost(name, dataset, about["rows"])
            found[name][size] = kept[name, size, options.seed]
            print(f"{name:24}{size:12}", found[name][size], flush=True)
    _show(found)
    return {}, {"models": found}


def _dataset(about: Any, seed: int) -> Dataset:
    """A table with at least so many rows that can be trained on."""
    settings = {"world": "linear", "bars": int(1.02 * about["rows"]) + 2_000, "seed": seed}
    made = WORLDS.parse(settings | {"bar": about["bar"], "r2": 0.02, "horizons": [1]}).make()
    (bars,) = made.panel.values()
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(bars)
    return Dataset(named_set(about["set"], bars.length_us).compute(bars), labels)


def _cost(name: str, dataset: Dataset, n_rows: int) -> dict[str, float]:
    settings: dict[str, Any] = {"model": name}
    network = issubclass(MODELS.get(name), Neural)
    if network:
        settings["epochs"] = 1
    if "return" not in MODELS.get(name).tasks:
        up = (dataset.labels.values > 0).astype(float)
        labels = LABELS.parse({"label": "direction", "horizons": [1]})
        target = labels.target
        dataset = replace(dataset, labels=replace(dataset.labels, target=target, values=up))
    rows = np.flatnonzero(~np.isnat(dataset.labels.all_known_at) & dataset.usable)[:n_rows]
    assert len(rows) == n_rows
    train(MODELS.parse(settings), dataset, rows[:WARM_UP_ROWS], seed=0)
    began = time.perf_counter()
    fitted = train(MODELS.parse(settings), dataset, rows, seed=0)
    fit_s = time.perf_counter() - began
    if network:
        (epoch,) = fitted.model.curves(fitted.learned)
        fit_s = epoch["seconds"]
    took = []
    for row in rows[-ASKED:]:
        began = time.perf_counter()
        fitted.predict(dataset.features, np.array([row]))
        took.append(1e6 * (time.perf_counter() - began))
    p50, p99 = np.quantile(took[ASKED // 10 :], [0.5, 0.99])
    return {
        "epoch_s" if network else "fit_s": round(fit_s, 3),
        "row_us_p50": round(float(p50), 1),
        "row_us_p99": round(float(p99), 1),
    }


def _show(found: dict[str, Any]) -> None:
    table = Table(title="seconds to fit (of a network: an epoch), microseconds for one row, p50")
    table.add_column("model")
    for size in SIZES:
        table.add_column(size, justify="right", no_wrap=True)
        table.add_column("one row", justify="right", no_wrap=True)
    for name, each in found.items():
        cells = []
        for size in SIZES:
            own = each[size]
            cells += [f"{own.get('fit_s', own.get('epoch_s')):.2f}", f"{own['row_us_p50']:,.0f}"]
        table.add_row(name, *cells)
    Console(width=100).print(table)
