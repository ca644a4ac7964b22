"""How near a detector of regimes gets to the exact filter of a world that has them."""

from __future__ import annotations

import numpy as np

from barstack.datasets import Dataset
from barstack.labels import regime_labels
from barstack.models import DetectedRegimes, train
from barstack.models.regimes import RegimeDetector
from barstack.worlds import World


def regime_filter_share(detector: RegimeDetector, world: World, seed: int = 0) -> float:
    """Balanced accuracy of the detector over that of the exact filter, on bars not trained on.

    It is trained on the first half of the world's first symbol. Each of its hidden states stands
    for the true state with which it coincides most there, relative to how frequent that is; the
    second half is judged.
    """
    symbol = world.names[0]
    table = detector.feature_set.compute(world.bars_of(symbol))
    dataset = Dataset(table, regime_labels(table.decisions))
    rows = dataset.with_history(np.flatnonzero(dataset.usable), detector.lookback_bars)
    earlier, later = rows[rows < len(table.values) // 2], rows[rows >= len(table.values) // 2]
    found = DetectedRegimes(train(detector, dataset, earlier, seed))
    truth = world.regimes_of(symbol)
    true = np.eye(2)[truth.state[earlier]]
    together = found.states(table, earlier).T @ (true / true.sum(axis=0))
    stands_for = np.eye(2)[together.argmax(axis=1)]
    chance = found.states(table, later) @ stands_for
    best = truth.balanced_accuracy(truth.filtered[later], later)
    return truth.balanced_accuracy(chance, later) / best
