"""What models are handed holds their own rows and windows, whichever way it is looked through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from barstack.datasets import StandardScaler, narrowed
from barstack.models import MODELS
from barstack.models.training import prepare
from barstack.testing import small_dataset, training_rows

DATASET = small_dataset("return")
ROWS = training_rows(DATASET, 0.5)


def arrays_in(thing: Any, seen: set[int]) -> Iterator[Any]:
    """Every array that can be reached from it: fields, items, and what arrays are views of."""
    if id(thing) in seen or isinstance(thing, type | str | int | float):
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing
        yield from arrays_in(thing.base, seen)
    for each in thing.values() if isinstance(thing, dict) else vars_of(thing):
        yield from arrays_in(each, seen)


def vars_of(thing: Any) -> list[Any]:
    return [*getattr(thing, "__dict__", {}).values()] + (
        list(thing) if isinstance(thing, tuple | list) else []
    )


@pytest.mark.parametrize("lookback", [1, 7])
def test_windows_are_the_same_and_nothing_else_is_there(lookback: int) -> None:
    rows = DATASET.with_history(ROWS, lookback)
    scaler = DATASET.fit_scaler(rows)
    whole = DATASET.samples(rows, scaler, np.ones(2))
    given = narrowed(whole, lookback)
    np.testing.assert_array_equal(given.last(), whole.last())
    np.testing.assert_array_equal(given.windows(lookback), whole.windows(lookback))
    assert given.known_at is not None
    np.testing.assert_array_equal(given.known_at[given.rows], DATASET.labels.all_known_at[rows])
    last = DATASET.decisions.decided_at[rows].max()
    assert given.decisions is not None
    assert given.decisions.decided_at.max() == last
    window_rows = np.unique(rows[:, None] + np.arange(1 - lookback, 1))
    assert max(len(each) for each in arrays_in(given, set()) if each.ndim) <= len(window_rows)
    assert (~np.isnat(given.known_at)).sum() == len(rows)


@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_no_model_is_handed_a_row_that_it_is_not_trained_on(name: str) -> None:
    given = prepare(MODELS.parse(name), DATASET, ROWS)
    for part in (given.fit, given.stop):
        if part is not None:
            assert len(part) <= len(ROWS)
            assert max(len(each) for each in arrays_in(part, set()) if each.ndim) <= len(ROWS)


class Notes(StandardScaler):
    """Remembers how many rows it was handed."""

    def learn(self, values: Any, rows: Any) -> Any:
        assert len(values) == len(rows)
        return super().learn(values, rows)


def test_scalers_are_handed_their_rows_alone() -> None:
    noted = replace(DATASET, scaler=Notes())
    mine = prepare(MODELS.parse("ridge"), noted, ROWS).fit.scaler
    expected = DATASET.fit_scaler(ROWS)
    for name, learned in expected.learned.items():
        np.testing.assert_array_equal(mine.learned[name], learned)
