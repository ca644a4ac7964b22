"""Naive forecasts that every other model must beat: zero, the mean, the mean after a sign."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from barstack.core.arrays import Bools, Floats
from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._arrays import read_arrays, require_forecasts, write_arrays
from .._model import EVERY_TASK, Model, register
from .._per_horizon import ConstantForecast, HorizonRows


class NaiveModel(Model):
    """A member with nothing to learn but a few figures: what others must beat to be worth it."""

    concurrent: ClassVar[bool] = True
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
        require_forecasts(file, means, target)
        return means


@register("naive_zero", family="classical", tasks=("return", "direction", "three_class"))
class NaiveZero(NaiveModel):
    """No change, or every class alike.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(NaiveZero(), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    states: ClassVar[int] = 1
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it says the same of every row",
        "check_weights_count": "it learns nothing",
        "labels that never differ": "it learns nothing",
    }

    def means(self, train: Samples, target: Target) -> Floats:
        share = {"return": 0.0, "direction": 0.5, "three_class": 1 / 3}[target.task]
        return np.full((1, len(target.horizons), len(target.outputs)), share)


@register("naive_mean", family="classical", tasks=EVERY_TASK)
class NaiveMean(NaiveModel):
    """The mean of the training labels, their quantiles, or the shares of classes among them.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(NaiveMean(), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    states: ClassVar[int] = 1
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it says the same of every row",
    }


@register("naive_sign", family="classical", tasks=EVERY_TASK)
class NaiveSign(NaiveModel):
    """The mean or the quantiles of training labels after such a sign of one feature, scaled.

    Of a past return it is momentum where moves go on, and reversal where they turn.

    >>> from barstack.models import train
    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fitted = train(NaiveSign(feature=1), dataset, rows[:400], seed=0)
    >>> fitted.predict(dataset.features, rows[400:]).shape
    (405, 2, 1)
    """

    states: ClassVar[int] = 3  # below its usual value, at it, above
    feature: int = Field(
        0, ge=0, le=100_000, description="place of the feature among the columns, counted from 0"
    )

    def state(self, inputs: Inputs) -> Floats:
        if self.feature >= inputs.n_features:
            raise ConfigError(
                f"naive_sign looks at feature {self.feature}, counted from 0, and there are "
                f"{inputs.n_features}. Give a lower place."
            )
        return np.sign(inputs.last()[:, self.feature]) + 1.0


def _mean(train: Samples, target: Target, rows: Bools) -> Floats:
    """(n_horizons, n_outputs) over some rows; over all where these count nothing."""
    counts = rows & (train.weight > 0.0)
    kept = counts if counts.any() else np.ones(len(rows), bool)
    X = np.empty((int(kept.sum()), 0))
    each = [HorizonRows(X, y, train.weight[kept]) for y in train.y[kept].T]
    return np.array([ConstantForecast.fit(part, target).values for part in each])
