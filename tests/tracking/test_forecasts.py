from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.core.decisions import Decisions
from barstack.core.errors import StorageError
from barstack.core.forecast import LEVELS, Forecast, Target, Task
from barstack.core.times import DecidedAt, TrainedThrough
from barstack.tracking import ForecastStore, OutOfFold

SHAPES: dict[Task, int] = {"return": 1, "direction": 1, "three_class": 3, "quantiles": 5}


def out_of_fold(task: Task, n_horizons: int, n_rows: int, seed: int = 0) -> OutOfFold:
    rng = np.random.default_rng(seed)
    code = np.sort(rng.integers(0, 2, n_rows)).astype(np.int32)
    decided = np.datetime64("2026-01-05", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    levels = LEVELS if task == "quantiles" else ()
    target = Target(task, tuple(f"{hours + 1}h" for hours in range(n_horizons)), levels)
    forecast = Forecast(
        Decisions(("AAA", "BBB"), code, DecidedAt(decided)),
        target,
        np.sort(rng.normal(size=(n_rows, n_horizons, SHAPES[task])), axis=2),
        TrainedThrough(decided - np.timedelta64(1, "D")),
    )
    return OutOfFold(forecast, rng.integers(0, 3, n_rows))


@settings(max_examples=20, deadline=None)
@given(task=st.sampled_from(list(SHAPES)), n_horizons=st.integers(1, 3), n_rows=st.integers(1, 30))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, task: Task, n_horizons: int, n_rows: int
) -> None:
    store = ForecastStore(tmp_path_factory.mktemp("forecasts"))
    before = out_of_fold(task, n_horizons, n_rows)
    store.write("key", before)
    after = store.read("key")
    assert after.forecast.target == before.forecast.target
    assert after.forecast.kind == before.forecast.kind
    np.testing.assert_array_equal(after.fold, before.fold)
    np.testing.assert_array_equal(after.forecast.values, before.forecast.values)
    np.testing.assert_array_equal(after.forecast.trained_through, before.forecast.trained_through)
    np.testing.assert_array_equal(
        after.forecast.decisions.decided_at, before.forecast.decisions.decided_at
    )
    assert after.forecast.decisions.symbol.tolist() == before.forecast.decisions.symbol.tolist()


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    store = ForecastStore(tmp_path)
    store.write("key", out_of_fold("return", 2, 20))
    file = tmp_path / "key.parquet"
    whole = file.read_bytes()
    for place in range(0, len(whole), 97):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"key\.parquet are missing or not what was saved"):
            store.read("key")
    with pytest.raises(StorageError, match=r"other\.parquet are missing"):
        store.read("other")
