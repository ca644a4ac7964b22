"""Experiments of a sweep that was never run, with effects that are known."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np

from barstack.core.forecast import Target
from barstack.core.times import KnownAt
from barstack.evaluation.sweeps import ExperimentSeries, SweepOutcomes

_BEGINS = np.datetime64("2026-01-05T00:00", "us")
_HOUR = np.timedelta64(1, "h")
GRID = {"model": ("gru", "tcn"), "horizon": ("1h",), "batch": ("32", "64"), "rate": ("1", "2")}


def small_sweep_series(
    *,
    times: int = 200,
    grid: Mapping[str, tuple[str, ...]] = GRID,
    better: Mapping[str, str] | None = None,
    span: int = 1,
    seed: int = 0,
) -> list[ExperimentSeries]:
    """One experiment for each combination of a grid, judged by the same returns at each horizon.

    Forecasts are noise, alike among experiments; those with the settings of `better` know a part
    of the return.

    Parameters
    ----------
    times
        Number of decisions, one an hour.
    grid
        Values by setting; `horizon` among them.
    better
        Settings of the experiments that are truly better; nothing differs without.
    span
        Hours that a label spans.

    >>> [each.name for each in small_sweep_series()][:2]
    ['gru 1h 32 1', 'gru 1h 32 2']
    """
    rng = np.random.default_rng(seed)
    steps = rng.standard_t(5, times + span)
    steps *= np.exp(0.5 * np.sin(np.arange(times + span) / 40.0)) * 0.001
    total = np.concatenate([[0.0], np.cumsum(steps)])
    returns = total[1 + span :] - total[1:-span]
    decided_at = _BEGINS + _HOUR * np.arange(times)
    known_at = KnownAt(decided_at + _HOUR * span)
    outcomes = {
        horizon: SweepOutcomes(
            horizon,
            decided_at,
            known_at,
            returns,
            returns,
            np.zeros((times, 1)),
            Target("return", (horizon,)),
        )
        for horizon in grid["horizon"]
    }
    common = rng.normal(size=times)
    found = []
    for values in product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        noise = 0.6 * common + 0.8 * rng.normal(size=times)
        forecast = 0.3 * returns.std() * noise
        if better and all(settings[path] == value for path, value in better.items()):
            forecast = forecast + 0.3 * returns
        name = " ".join(values)
        found.append(outcomes[settings["horizon"]].series(name, settings, forecast[:, None]))
    return found
