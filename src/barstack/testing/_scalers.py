"""The contract of every scaler."""

from __future__ import annotations

import json

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.datasets import FittedScaler, Scaler

from ._expect import expect, same


def wild_values(rows: int = 400, seed: int = 0) -> Floats:
    """(rows, 6) columns of very different kinds: normal, heavy tails, few values, tiny, constant.

    >>> wild_values().shape
    (400, 6)
    """
    rng = np.random.default_rng(seed)
    values: Floats = np.column_stack(
        [
            rng.normal(50.0, 3.0, rows),
            1e-4 * rng.standard_t(2, rows),
            rng.integers(0, 5, rows).astype(float),
            1e6 + rng.random(rows),
            1e-9 * rng.lognormal(size=rows),
            np.full(rows, 7.25),
        ]
    )
    values.flags.writeable = False  # a scaler leaves its inputs as they are
    return values


def _training(values: Floats) -> Rows:
    return np.arange(0, len(values) // 2)


def check_learns_from_its_rows_alone(scaler: Scaler, values: Floats) -> None:
    """Values of rows it was not given change nothing it learns."""
    rows = _training(values)
    other = values.copy()
    other[len(rows) :] = 1e3 * np.random.default_rng(1).normal(size=other[len(rows) :].shape)
    one, two = scaler.fit(values, rows), scaler.fit(other, rows)
    expect(one.same_as(two), f"{scaler} has learned from rows it was not given.")


def check_rows_stand_alone(scaler: Scaler, values: Floats) -> None:
    """A row scaled by itself equals it in a batch, to the bit."""
    fitted = scaler.fit(values, _training(values))
    together = fitted.apply(values)
    alone = np.concatenate([fitted.apply(values[row : row + 1]) for row in range(len(values))])
    np.testing.assert_array_equal(alone, together)


def check_columns_stand_alone(scaler: Scaler, values: Floats) -> None:
    """A column is scaled alike whatever stands beside it."""
    rows = _training(values)
    together = scaler.fit(values, rows).apply(values)
    for column in range(values.shape[1]):
        own = np.ascontiguousarray(values[:, column : column + 1])
        found = scaler.fit(own, rows).apply(own)
        np.testing.assert_allclose(found[:, 0], together[:, column], rtol=1e-6, atol=1e-9)


def check_windows_are_rows(scaler: Scaler, values: Floats) -> None:
    """`windows` holds what `apply` says of each row, rounded to float32."""
    fitted = scaler.fit(values, _training(values))
    rows, lookback = np.arange(10, len(values), 7), 5
    found = fitted.windows(values, rows, lookback)
    same(found.dtype, np.dtype(np.float32), "The type of windows")
    scaled = fitted.apply(values)
    for place, row in enumerate(rows):
        np.testing.assert_allclose(
            found[place], scaled[row + 1 - lookback : row + 1], rtol=1e-5, atol=1e-6
        )


def check_stays_finite(scaler: Scaler, values: Floats) -> None:
    """Values far outside those it learned from, and constant columns, become finite numbers."""
    fitted = scaler.fit(values, _training(values))
    for factor in (1e6, -1e6, 0.0):
        scaled = fitted.apply(values * factor)
        expect(np.isfinite(scaled).all(), f"{scaler} scales numbers times {factor:g} to others.")


def check_saves_and_loads(scaler: Scaler, values: Floats) -> None:
    """What is read from JSON scales as what was learned, to the bit."""
    fitted = scaler.fit(values, _training(values))
    text = json.dumps(fitted.to_json(), allow_nan=False)
    loaded = FittedScaler.from_json(json.loads(text), values.shape[1])
    expect(fitted.same_as(loaded), f"{scaler} is another once it is read back.")
    np.testing.assert_array_equal(loaded.apply(values), fitted.apply(values))


SCALER_CHECKS = (
    check_learns_from_its_rows_alone,
    check_rows_stand_alone,
    check_columns_stand_alone,
    check_windows_are_rows,
    check_stays_finite,
    check_saves_and_loads,
)
