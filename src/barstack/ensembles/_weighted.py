"""Ensembles that are a weighted sum of their members: plain to read, hard to overfit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.forecast import EVERY_TASK, Target
from barstack.core.stored import Stored
from barstack.core.untrusted import read_json

from ._ensemble import Ensemble, register
from ._stacked import Stacked

_POOL_STEPS = 200
_QUANTILE_STEPS = 400
_FILE = "weights.json"
Weight = Annotated[float, Field(ge=0.0, le=1e6)]


class _Weights(Stored):
    """What is stored: a weight for each horizon and member, none of which counts against."""

    weights: list[Annotated[list[Weight], Field(min_length=1)]] = Field(min_length=1)


class Weighted(Ensemble):
    """A weighted sum; what is learned are the weights (n_horizons, n_members)."""

    def predict(self, learned: Floats, stacked: Stacked) -> Floats:
        # einsum without optimisation sums each row by itself, so one row equals a batch's.
        return np.asarray(np.einsum("hm,nmhk->nhk", learned, stacked.forecasts, optimize=False))

    def weights(self, learned: Floats) -> Floats:
        return learned

    def save(self, learned: Floats, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps({"weights": learned.tolist()}))

    def load(self, folder: Path) -> Floats:
        file = folder if folder.is_file() else folder / _FILE  # it was one file in version 0.1
        stored = _Weights.read(read_json(file), file)
        if len({len(each) for each in stored.weights}) != 1:
            raise ArtifactError(f"{file} does not hold weights of as many members at each horizon.")
        return np.array(stored.weights, float)


@register("average", tasks=EVERY_TASK)
class Average(Weighted):
    """All members alike: the forecast combination that is hardest to beat.

    >>> from barstack.testing import small_stacked
    >>> Average().fit(small_stacked("return"))[0]
    array([0.25, 0.25, 0.25, 0.25])
    """

    def fit(self, stacked: Stacked) -> Floats:
        n_members = len(stacked.members)
        return np.full((len(stacked.target.horizons), n_members), 1.0 / n_members)


@register("stack", tasks=EVERY_TASK)
class Stack(Weighted):
    """Weights that would have forecast best out of fold, none of them negative.

    Returns: non-negative least squares (Breiman, Stacked Regressions, 1996), each weight drawn
    to zero by a Gaussian prior, as a few hundred noisy rows tell little. The weights need not sum
    to one: where no member helped, all are zero and the ensemble forecasts nothing, which is
    then the honest forecast.
    Classes: the linear opinion pool of highest likelihood, fitted by expectation maximisation;
    its weights sum to one.
    Quantiles: averaged level by level with the weights of least pinball loss over all levels,
    which sum to one. Averages of quantiles stay sharp where those of probabilities spread out:
    Lichtendahl, Grushka-Cockayne, Winkler (2013).
    """

    weight_spread: float = Field(0.5, gt=0)  # standard deviation of weights thought likely

    def fit(self, stacked: Stacked) -> Floats:
        forecasts, y, target = stacked.forecasts, stacked.y, stacked.target
        assert y is not None  # in fitting
        by_horizon = range(len(target.horizons))
        if target.task == "return":
            return np.stack(
                [self._least_squares(forecasts[:, :, h, 0], y[:, h]) for h in by_horizon]
            )
        if target.levels:
            return np.stack(
                [quantile_pool(forecasts[:, :, h], y[:, h], target.levels) for h in by_horizon]
            )
        chances = _realised_chances(forecasts, y, target)
        return np.stack([_opinion_pool(chances[:, :, h]) for h in by_horizon])

    def _least_squares(self, forecasts: Floats, y: Floats) -> Floats:
        """(n_members,) from forecasts (n_rows, n_members) and returns (n_rows,)."""
        from scipy.optimize import nnls  # noqa: PLC0415 (slow to import; forecasting needs none)

        size = np.sqrt((forecasts**2).mean())
        if size == 0.0:
            return np.zeros(forecasts.shape[1])
        prior = y.std() / size / self.weight_spread * np.eye(forecasts.shape[1])
        left = np.vstack([forecasts / size, prior])
        right = np.concatenate([y / size, np.zeros(forecasts.shape[1])])
        return np.asarray(nnls(left, right)[0])


def _realised_chances(forecasts: Floats, y: Floats, target: Target) -> Floats:
    """(n_rows, n_members, n_horizons) the probability each member gave to what then happened."""
    if target.task == "direction":
        up = forecasts[:, :, :, 0]
        return np.where(y[:, None, :] > 0.5, up, 1.0 - up)
    picked = y[:, None, :, None].astype(np.int64)
    return np.take_along_axis(forecasts, picked, axis=3)[:, :, :, 0]


def _opinion_pool(chances: Floats) -> Floats:
    """(n_members,) mixture weights of highest likelihood, from (n_rows, n_members)."""
    weights = np.full(chances.shape[1], 1.0 / chances.shape[1])
    floor = np.maximum(chances, 1e-12)
    for _ in range(_POOL_STEPS):
        share = floor * weights
        weights = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


def quantile_pool(forecasts: Floats, y: Floats, levels: tuple[float, ...]) -> Floats:
    """(n_members,) weights of 0 or more that sum to one, of nearly the least pinball loss.

    forecasts  (n_rows, n_members, n_levels)
    y          (n_rows,) what came

    Exponentiated gradients from equal weights (Kivinen, Warmuth 1997), the mean of the later
    half of the steps. The loss is convex in the weights, so that there is nowhere to get stuck.

    >>> good, poor = np.array([-1.0, 0.0, 1.0]), np.array([3.0, 4.0, 5.0])
    >>> y = np.linspace(-1.2, 1.2, 25)
    >>> quantile_pool(np.tile([good, poor], (25, 1, 1)), y, (0.1, 0.5, 0.9)).round(2)
    array([1., 0.])
    """
    n_members = forecasts.shape[1]
    tau = np.array(levels)
    # Only differences between members move weights; taking out what they share keeps sums exact.
    centred = forecasts - forecasts.mean(axis=1, keepdims=True)
    logs, kept, steepness = np.zeros(n_members), np.zeros(n_members), 0.0
    for step in range(_QUANTILE_STEPS):
        weights = np.exp(logs - logs.max())
        weights /= weights.sum()
        if step >= _QUANTILE_STEPS // 2:
            kept += weights
        above = np.einsum("m,nmk->nk", weights, forecasts) > y[:, None]
        slope = np.einsum("nk,nmk->m", above - tau, centred) / len(y)
        steepness += float(np.abs(slope).max()) ** 2
        if steepness == 0.0:  # members never differ
            return np.asarray(weights)
        logs -= np.sqrt(np.log(n_members) / steepness) * slope
    return np.asarray(kept / kept.sum())
