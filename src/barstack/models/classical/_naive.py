"""What naive members share."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._arrays import read_arrays, require_answers, write_arrays
from .._horizons import Part, Unchanging
from .._model import Model


class Naive(Model):
    """A member with nothing to learn but a few figures: what others must beat to be worth it."""

    states: ClassVar[int]  # among which a row's is the one that its forecast follows from

    def means(self, train: Samples, target: Target) -> Floats:
        """(n_states, n_horizons, n_outputs) what is forecast in each state: by default the mean."""
        state = self.state(train)
        return np.array([_mean(train, target, state == each) for each in range(self.states)])

    def state(self, inputs: Inputs) -> Floats:
        """(n_rows,) whole numbers below `states`."""
        return np.zeros(len(inputs))

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Floats:
        return self.means(train, target)

    def predict(self, learned: Floats, inputs: Inputs, target: Target) -> Floats:
        return learned[self.state(inputs).astype(np.int64)]

    def save(self, learned: Floats, folder: Path) -> None:
        write_arrays(folder / "means.npz", means=learned)

    def load(self, folder: Path, target: Target) -> Floats:
        file = folder / "means.npz"
        shape = f"{self.states},{len(target.horizons)},{len(target.outputs)}"
        means: Floats = read_arrays(file, means=f"float64 {shape}")["means"]
        require_answers(file, means, target)
        return means


def _mean(train: Samples, target: Target, rows: Bools) -> Floats:
    """(n_horizons, n_outputs) over some rows; over all where these count nothing."""
    counts = rows & (train.weight > 0.0)
    kept = counts if counts.any() else np.ones(len(rows), bool)
    X = np.empty((int(kept.sum()), 0))
    each = [Part(X, y, train.weight[kept]) for y in train.y[kept].T]
    return np.array([Unchanging.fit(part, target).values for part in each])
