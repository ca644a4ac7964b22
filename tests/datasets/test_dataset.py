"""The door to models: whose rows are whose, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt
from barstack.datasets import (
    SCALERS,
    Dataset,
    Inputs,
    StandardScaler,
    rows_with_history,
    window_view,
)
from barstack.features import Feature, FeatureSet, FeatureTable
from barstack.labels import LABELS
from barstack.models import MODELS, train
from barstack.splits import PurgedKFold
from barstack.testing import small_dataset, training_rows, walk

DATASET = small_dataset("return")
EVERY = np.arange(len(DATASET.decisions))


def with_gap(days: int, after: int) -> Dataset:
    """All decisions later than row `after` of the first symbol lie `days` further on."""
    decisions = DATASET.decisions
    late = decisions.decided_at > decisions.decided_at[after]
    moved = replace(
        decisions,
        decided_at=decisions.decided_at + late * np.timedelta64(days, "D").astype("m8[us]"),
    )
    return replace(
        DATASET,
        features=replace(DATASET.features, decisions=moved),
        labels=replace(DATASET.labels, decisions=moved),
    )


def plain_inputs(table: np.ndarray, rows: np.ndarray) -> Inputs:
    scaler = StandardScaler(clip=1e9).fit(np.array([[-1.0], [1.0]]).repeat(table.shape[1], axis=1))
    return Inputs(table, rows, scaler, rows + 1)


def test_windows_are_the_bars_up_to_each_decision() -> None:
    table = np.arange(40.0).reshape(20, 2)
    rows = np.array([4, 7, 19])
    windows = plain_inputs(table, rows).windows(5)
    for window, row in zip(windows, rows, strict=True):
        np.testing.assert_array_equal(window, table[row - 4 : row + 1])


def test_windows_are_views_of_the_table() -> None:
    view = window_view(DATASET.features.values, 10)
    assert np.shares_memory(view, DATASET.features.values)
    np.testing.assert_array_equal(view[7], DATASET.features.values[7:17])


def test_inputs_hold_the_table_itself_and_scale_what_is_asked_for() -> None:
    scaler = DATASET.fit_scaler(training_rows(DATASET))
    inputs = DATASET.inputs(EVERY, scaler)
    assert inputs.table is DATASET.features.values
    rows = DATASET.with_history(EVERY, 10)
    inputs = DATASET.inputs(rows, scaler)
    whole = scaler.apply(DATASET.features.values)
    np.testing.assert_array_equal(inputs.last(), whole[rows])
    expected = np.stack([whole[row - 9 : row + 1] for row in rows]).astype(np.float32)
    np.testing.assert_array_equal(inputs.windows(10), expected)


@pytest.mark.parametrize("name", ["standard", "robust", "rank_gauss"])
def test_one_row_is_scaled_as_in_a_batch(name: str) -> None:
    dataset = replace(DATASET, scaler=SCALERS.parse(name))
    rows = dataset.with_history(EVERY, 24)
    scaler = dataset.fit_scaler(training_rows(dataset))
    together = dataset.inputs(rows, scaler)
    last, windows = together.last(), together.windows(24)
    for place in range(0, len(rows), 97):
        alone = dataset.inputs(rows[place : place + 1], scaler)
        np.testing.assert_array_equal(alone.last()[0], last[place])
        np.testing.assert_array_equal(alone.windows(24)[0], windows[place])
        np.testing.assert_array_equal(together.windows(24, np.array([place]))[0], windows[place])


def test_windows_stay_within_their_symbol() -> None:
    begins = int(np.flatnonzero(DATASET.decisions.symbol_code == 1)[0])
    kept = DATASET.with_history(EVERY, 10)
    usable = np.flatnonzero(DATASET.usable[begins:])[0] + begins
    # The first row of B with ten bars of its own, warm-up left out, is its tenth usable one.
    assert kept[kept >= begins].min() == usable + 9


def test_windows_cross_no_gap_beyond_the_limit() -> None:
    """A table with a hole of six days: 23 rows after it have no window of 24."""
    dataset = with_gap(6, after=300)
    lost = np.setdiff1d(DATASET.with_history(EVERY, 24), dataset.with_history(EVERY, 24))
    own = lost[dataset.decisions.symbol_code[lost] == 0]
    np.testing.assert_array_equal(own, np.arange(301, 324))
    wider = replace(dataset, max_gap="10d")
    np.testing.assert_array_equal(wider.with_history(EVERY, 24), DATASET.with_history(EVERY, 24))
    shut = rows_with_history(dataset.features, EVERY, 24, "10d")
    np.testing.assert_array_equal(shut, wider.with_history(EVERY, 24))


def test_windows_keep_apart_from_a_test_in_their_midst() -> None:
    """A fold that trains on both sides: no window after the test may reach back into it."""
    known_at = DATASET.labels.all_known_at
    fold = PurgedKFold(folds=3, embargo=0).split(DATASET.decisions, known_at, DATASET.usable)[1]
    lookback = 30
    touching = DATASET.with_history(fold.train, lookback)
    apart = DATASET.with_history(fold.train, lookback, disjoint_from=fold.test)
    assert len(apart) < len(touching)
    steps = np.arange(1 - lookback, 1)
    assert not np.isin(apart[:, None] + steps, fold.test).any()
    reach = np.isin(touching[:, None] + steps, fold.test).any(axis=1)
    np.testing.assert_array_equal(apart, touching[~reach])
    # Where the embargo is as long as the windows, none of them reaches so far by itself.
    wide = PurgedKFold(folds=3).split(
        DATASET.decisions, known_at, DATASET.usable, memory_bars=lookback
    )[1]
    held = DATASET.with_history(wide.train, lookback)
    assert len(held)
    assert not np.isin(held[:, None] + steps, wide.test).any()


def test_training_apart_from_a_test_sees_nothing_of_it() -> None:
    known_at = DATASET.labels.all_known_at
    fold = PurgedKFold(folds=3, embargo=0).split(DATASET.decisions, known_at, DATASET.usable)[1]
    values = DATASET.features.values.copy()
    values[fold.test] += 100.0
    spoilt = replace(DATASET, features=replace(DATASET.features, values=values))
    model = MODELS.parse({"model": "lstm", "lookback": 8, "epochs": 1, "hidden": 4})
    one, two = (
        train(model, each, fold.train, seed=0, disjoint_from=fold.test).predict(
            DATASET.features, np.arange(100, 120)
        )
        for each in (DATASET, spoilt)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("row", [5, -1])
def test_the_door_itself_refuses_a_window_over_an_edge(row: int) -> None:
    begins = int(np.flatnonzero(DATASET.decisions.symbol_code == 1)[0])
    asked = np.array([begins + 5 if row < 0 else row])
    inputs = DATASET.inputs(asked, DATASET.fit_scaler(training_rows(DATASET)))
    with pytest.raises(DataError, match=r"A window of 400 bars .* Take rows from with_history"):
        inputs.windows(400)


def test_scalers_have_seen_training_rows_only() -> None:
    rows = np.flatnonzero(DATASET.usable)[:200]
    values = DATASET.features.values.copy()
    values[rows[-1] + 1 :] += 1e6
    changed = Dataset(replace(DATASET.features, values=values), DATASET.labels)
    one, two = DATASET.fit_scaler(rows), changed.fit_scaler(rows)
    for name in one.learned:
        np.testing.assert_array_equal(one.learned[name], two.learned[name])


def test_open_labels_cannot_be_trained_on() -> None:
    last = np.array([len(DATASET.decisions) - 1])
    scaler = DATASET.fit_scaler(np.flatnonzero(DATASET.usable))
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
    decided_at = DecidedAt(DATASET.decisions.decided_at + np.timedelta64(1, "m"))
    moved = replace(DATASET.decisions, decided_at=decided_at)
    with pytest.raises(ConfigError, match="of other symbols or moments"):
        Dataset(DATASET.features, replace(DATASET.labels, decisions=moved))


@pytest.mark.parametrize("max_gap", ["soon", "0d", ""])
def test_a_gap_is_a_duration(max_gap: str) -> None:
    with pytest.raises(ConfigError, match="is not a duration"):
        Dataset(DATASET.features, DATASET.labels, max_gap=max_gap)


def test_the_fingerprint_changes_when_anything_does() -> None:
    same = Dataset(replace(DATASET.features, values=DATASET.features.values.copy()), DATASET.labels)
    assert same.fingerprint == DATASET.fingerprint
    prints = {DATASET.fingerprint}
    features, labels = DATASET.features, DATASET.labels
    row = int(np.flatnonzero(DATASET.usable)[100])

    def changed(table: Any, value: object) -> Any:
        table = table.copy()
        table[row] = value
        return table

    moved = replace(
        features.decisions,
        decided_at=changed(features.decisions.decided_at, np.datetime64("2026-01-05T14:30:01")),
    )
    renamed = replace(features.decisions, symbols=("A", "C"))
    closer = changed(features.values, features.values[row] * (1 + 1e-15))
    others = [
        Dataset(replace(features, values=closer), labels),
        Dataset(replace(features, columns=("x", *features.columns[1:])), labels),
        Dataset(features, replace(labels, values=changed(labels.values, 0.0))),
        Dataset(features, replace(labels, returns=changed(labels.returns, 0.0))),
        Dataset(features, replace(labels, known_at=changed(labels.known_at, "NaT"))),
        Dataset(features, replace(labels, eligible=changed(labels.eligible, False))),
        Dataset(features, replace(labels, target=replace(labels.target, horizons=("1", "2")))),
        *(
            Dataset(replace(features, decisions=each), replace(labels, decisions=each))
            for each in (moved, renamed)
        ),
    ]
    prints |= {each.fingerprint for each in others}
    assert len(prints) == 1 + len(others)


def test_a_fingerprint_is_one_for_all_ways_to_write_a_missing_number() -> None:
    values = DATASET.features.values.copy()
    holes = np.isnan(values)
    values[holes] = -np.nan
    other = Dataset(replace(DATASET.features, values=values), DATASET.labels)
    assert other.fingerprint == DATASET.fingerprint


def test_a_table_in_a_file_serves_as_one_in_memory(tmp_path: object) -> None:
    file = f"{tmp_path}/values.npy"
    np.save(file, DATASET.features.values, allow_pickle=False)
    mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    table = FeatureTable(DATASET.decisions, DATASET.features.columns, mapped)
    dataset = Dataset(table, DATASET.labels)
    rows = training_rows(dataset)
    one = train(MODELS.get("ridge")(), dataset, rows, seed=0).predict(table, rows)
    two = train(MODELS.get("ridge")(), DATASET, rows, seed=0).predict(DATASET.features, rows)
    np.testing.assert_array_equal(one, two)
