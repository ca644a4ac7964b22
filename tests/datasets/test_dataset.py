"""The door to models: windows, scaling, and whose rows are whose."""

from dataclasses import replace

import numpy as np
import pytest

from barstack.core.errors import ConfigError, DataError
from barstack.datasets import Dataset, Inputs, Scaler
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.testing import small_dataset, walk

DATASET = small_dataset("return")


def test_windows_are_the_bars_up_to_each_decision() -> None:
    table = np.arange(40.0).reshape(20, 2)
    rows = np.array([4, 7, 19])
    windows = Inputs(table, rows).windows(5)
    for window, row in zip(windows, rows, strict=True):
        np.testing.assert_array_equal(window, table[row - 4 : row + 1])


def test_windows_stay_within_their_symbol() -> None:
    begins = int(np.flatnonzero(DATASET.decisions.symbol_code == 1)[0])
    every = np.arange(len(DATASET.decisions))
    kept = DATASET.with_history(every, 10)
    usable = np.flatnonzero(DATASET.usable[begins:])[0] + begins
    # The first row of B with ten bars of its own, warm-up left out, is its tenth usable one.
    assert kept[kept >= begins].min() == usable + 9


def test_the_scaler_has_seen_training_rows_only() -> None:
    rows = np.flatnonzero(DATASET.usable)[:200]
    values = DATASET.features.values.copy()
    values[rows[-1] + 1 :] += 1e6
    changed = Dataset(replace(DATASET.features, values=values), DATASET.labels)
    one, two = DATASET.scaler(rows), changed.scaler(rows)
    np.testing.assert_array_equal(one.mean, two.mean)
    np.testing.assert_array_equal(one.scale, two.scale)


def test_scaling_standardises_and_clips() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50.0, 3.0, (1000, 3))
    values[:, 2] = 7.0  # never changes
    scaler = Scaler.fit(values)
    scaled = scaler.apply(values)
    np.testing.assert_allclose(scaled[:, :2].mean(axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(scaled[:, :2].std(axis=0), 1.0)
    np.testing.assert_array_equal(scaled[:, 2], 0.0)
    assert np.abs(scaler.apply(values + 1e9)).max() == 8.0


def test_open_labels_cannot_be_trained_on() -> None:
    last = np.array([len(DATASET.decisions) - 1])
    scaler = DATASET.scaler(np.flatnonzero(DATASET.usable))
    with pytest.raises(DataError, match=r"The label of B at .* is still open"):
        DATASET.samples(last, scaler, np.ones(2))


def test_bars_within_the_warm_up_are_named() -> None:
    bars = walk(30)
    features = FeatureSet(features=(Feature(feature="distance_to_high"),)).compute(bars)
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(bars)
    with pytest.raises(DataError, match=r"WALK has 30 bars.*'distance_to_high_50'"):
        _ = Dataset(features, labels).usable


def test_tables_of_other_bars_do_not_mix() -> None:
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(walk(50))
    with pytest.raises(ConfigError, match="Make both from the same bars"):
        Dataset(DATASET.features, labels)
