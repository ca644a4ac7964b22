"""Chunks: whose bars they hold, whose labels they learn from, and that they learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from barstack.core.arrays import Rows
from barstack.core.errors import DataError
from barstack.datasets import Dataset, Samples, history
from barstack.models import MODELS, train
from barstack.models.neural._batches import CHUNK_SPAN, Chunks, ScaledTable, Windows
from barstack.splits import PurgedKFold
from barstack.testing import small_dataset, training_rows

CPU = torch.device("cpu")
DATASET = small_dataset("return")
ROWS = training_rows(DATASET)
LOOKBACK = 10


def samples_of(
    rows: Rows, disjoint_from: Rows | None = None, dataset: Dataset = DATASET
) -> Samples:
    rows = dataset.with_history(rows, LOOKBACK, disjoint_from)
    return dataset.samples(rows, dataset.fit_scaler(rows), np.ones(2), disjoint_from)


def chunks_of(samples: Samples) -> Chunks:
    return Chunks(samples, ScaledTable(samples, CPU), LOOKBACK, CPU)


def held(samples: Samples, shift: int) -> list[tuple[Rows, Rows]]:
    """For each chunk the rows of the table that it holds, and the rows of its labels."""
    chunks = chunks_of(samples)
    first = chunks.cut(shift)
    ends = np.append(first[1:], len(chunks.rows))
    return [
        (chunks.reach(first[i : i + 1], ends[i : i + 1])[0], chunks.rows[first[i] : ends[i]])
        for i in range(len(first))
    ]


def with_holes(seed: int) -> Rows:
    """Training rows of which some are missing: one by one, and in long stretches."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(DATASET.decisions)) < rng.choice([0.1, 0.5, 0.9])
    for start in rng.integers(0, len(kept), 6):
        kept[start : start + rng.integers(5, 40)] = False
    found: Rows = ROWS[kept[ROWS]]
    return found


def with_gap() -> Dataset:
    """Nine days without bars in the midst of the training rows."""
    decisions = DATASET.decisions
    late = decisions.decided_at > decisions.decided_at[200]
    moved = replace(
        decisions, decided_at=decisions.decided_at + late * np.timedelta64(9 * 86_400_000_000, "us")
    )
    return Dataset(
        replace(DATASET.features, decisions=moved), replace(DATASET.labels, decisions=moved)
    )


FOLDS = PurgedKFold(folds=3).split(
    DATASET.decisions, DATASET.labels.all_known_at, DATASET.usable, memory_bars=5
)
CASES = {
    "all": samples_of(ROWS),
    **{f"holes {seed}": samples_of(with_holes(seed)) for seed in range(4)},
    **{f"around test {n}": samples_of(fold.train, fold.test) for n, fold in enumerate(FOLDS)},
    "a gap": samples_of(ROWS, dataset=with_gap()),
    "one row": samples_of(ROWS[-1:]),
}


@pytest.mark.parametrize("shift", [0, 3, 9])
@pytest.mark.parametrize("case", CASES)
def test_a_chunk_holds_what_the_windows_of_its_labels_hold(case: str, shift: int) -> None:
    """No bar of another symbol, from before a gap or from rows apart, and none before the first."""
    samples = CASES[case]
    seen = []
    for rows, labels in held(samples, shift):
        windows = labels[:, None] + np.arange(1 - LOOKBACK, 1)
        assert set(rows) <= set(windows.ravel())
        assert set(rows) == set(range(int(windows.min()), int(labels[-1]) + 1))
        assert labels[-1] - labels[0] < CHUNK_SPAN * LOOKBACK
        # Each window shares a row with the one before it: no gap lies between them unseen.
        assert (np.diff(labels) < LOOKBACK).all()
        seen.append(labels)
    np.testing.assert_array_equal(np.concatenate(seen), np.sort(samples.rows))


def test_chunks_avoid_the_test_between_training_rows() -> None:
    for fold in FOLDS:
        for rows, _ in held(samples_of(fold.train, fold.test), 0):
            assert not set(rows) & set(fold.test)


def test_chunks_cross_no_gap() -> None:
    dataset = with_gap()
    own = history(dataset.features, dataset.max_gap)
    assert (own != history(DATASET.features)).any()
    for rows, labels in held(samples_of(ROWS, dataset=dataset), 5):
        assert own[labels[-1]] >= len(set(rows))


@pytest.mark.parametrize("case", CASES)
def test_every_label_is_learned_from_once_an_epoch(case: str) -> None:
    """With its own weight, at the step that ends with its own bar."""
    samples = replace(CASES[case], weight=np.arange(1.0, 1.0 + len(CASES[case])))
    chunks = chunks_of(samples)
    table = ScaledTable(samples, CPU).take(samples.rows[:, None])[:, 0]
    by_weight = {float(w): place for place, w in enumerate(samples.weight)}
    for batches in (
        [batch for _, batch in chunks.shuffled(64, np.random.default_rng(0))],
        list(chunks.in_order()),
    ):
        seen: list[float] = []
        for batch in batches:
            keep = batch.weight.shape[1]
            at, step = torch.nonzero(batch.weight, as_tuple=True)
            found = batch.weight[at, step].tolist()
            assert batch.rows == len(found)
            places = [by_weight[weight] for weight in found]
            bars = batch.bars[:, -keep:][at, step]
            torch.testing.assert_close(bars, table[places], rtol=0, atol=0)
            y = torch.from_numpy(samples.y[places].astype(np.float32))
            torch.testing.assert_close(batch.y[at, step], y, rtol=0, atol=0)
            seen += found
        assert sorted(seen) == samples.weight.tolist()


def test_chunks_are_cut_anew_each_epoch() -> None:
    chunks, random = chunks_of(CASES["all"]), np.random.default_rng(0)
    sizes = [
        tuple(sorted(batch.rows for _, batch in chunks.shuffled(16, random))) for _ in range(5)
    ]
    assert len(set(sizes)) > 1


def test_windows_are_those_of_the_dataset() -> None:
    samples = CASES["all"]
    windows = Windows(samples, ScaledTable(samples, CPU), LOOKBACK, CPU)
    found = torch.cat([batch.bars for batch in windows.in_order()])
    np.testing.assert_array_equal(found.numpy(), samples.windows(LOOKBACK))


def test_too_short_a_history_is_refused() -> None:
    samples = DATASET.samples(ROWS, DATASET.fit_scaler(ROWS), np.ones(2))
    for kind in (Chunks, Windows):
        with pytest.raises(DataError, match="A window of 40 bars was requested for row"):
            kind(samples, ScaledTable(samples, CPU), 40, CPU)


@pytest.mark.parametrize("name", ["lstm", "tcn", "transformer"])
def test_dense_training_learns_what_windows_do(name: str) -> None:
    """Judged on exact windows, as forecasts are made: the loss is no worse by a tenth.

    One seed alone says as much about its luck: the loss of one network differs by a tenth.
    """
    losses: dict[str, list[float]] = {"dense": [], "windows": []}
    for mode, found in losses.items():
        model = MODELS.parse({"model": name, "lookback": 12, "mode": mode})
        for seed in range(3):
            fitted = train(model, DATASET, ROWS, seed=seed)
            later = np.flatnonzero(DATASET.decisions.decided_at > fitted.trained_through)
            later = later[~np.isnan(DATASET.labels.values[later]).any(axis=1)]
            said = fitted.predict(DATASET.features, later)[:, :, 0]
            y = DATASET.labels.values[later]
            found.append(float(((said - y) ** 2).mean() / (y**2).mean()))
    assert np.mean(losses["dense"]) < 0.9
    assert np.mean(losses["dense"]) < 1.1 * np.mean(losses["windows"])


def test_only_order_within_the_window_can_be_learned_by_a_sequence_model() -> None:
    """The label is the move of three bars ago: a network of the newest bar finds nothing."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=DATASET.features.values.shape)
    moved = 0.01 * np.roll(values[:, :1], 3, axis=0) + 0.005 * rng.normal(size=(len(values), 2))
    known = ~np.isnan(DATASET.labels.values)
    labels = replace(DATASET.labels, values=np.where(known, moved, np.nan))
    dataset = Dataset(replace(DATASET.features, values=values), labels)
    found = {}
    for name in ("lstm", "tcn", "dlinear", "autoencoder_mlp"):
        lookback = 1 if name == "autoencoder_mlp" else 8
        model = MODELS.parse({"model": name, "lookback": lookback})
        fitted = train(model, dataset, ROWS, seed=0)
        later = np.flatnonzero(dataset.decisions.decided_at > fitted.trained_through)
        later = later[~np.isnan(labels.values[later]).any(axis=1)]
        said = fitted.predict(dataset.features, later)[:, 0, 0]
        found[name] = np.corrcoef(said, labels.values[later, 0])[0, 1]
    assert found.pop("autoencoder_mlp") < 0.2
    assert min(found.values()) > 0.5, found
