"""Weights that adapt as outcomes become known: online aggregation of expert advice."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import EVERY_TASK
from barstack.core.times import microseconds
from barstack.models._arrays import read_arrays, require, write_arrays

from ._ensemble import Ensemble, register
from ._losses import outcomes
from ._stacked import Stacked
from ._weighted import weighted_sum

_FILE = "weights.npz"
_LEAST_KEPT = 64
_MOST_NUMBERS = 2**22  # of past weights
_BEFORE_ALL = np.iinfo(np.int64).min
_ROUNDING = 1e-6


class Online(NamedTuple):
    """What has been learned so far; see `_online_kernels.learn` for each.

    state    (2, n_horizons, n_members)
    scale    (n_horizons,)
    rows     (1,) learned from
    longest  (1,) most versions that came between a decision and its outcome
    times    (n_kept,) microseconds at which each version came into force, rising
    past     (n_kept, n_horizons, n_members) versions of the weights, the last one now
    """

    state: Floats
    scale: Floats
    rows: Ints
    longest: Ints
    times: Ints
    past: Floats


class OnlineWeights(Ensemble):
    """Weights of 0 or more that sum to one and move with each outcome; subclasses say how.

    Rows are learned from in the order in which their last label becomes known. A member's loss is
    linearised at the forecast that was made (the gradient trick of the R package opera): by the
    weights in force at the decision, which had seen only what was known by then. These are kept
    for as many versions as ever came between a decision and its outcome, and twice as many.

    Losses are squared errors of returns and of probabilities (the Brier score, whose gradient is
    bounded, as that of the log loss is not), and pinball losses summed over levels. All four
    methods do the same on losses of any scale.
    """

    tasks: ClassVar = EVERY_TASK
    packages: ClassVar = ("numba",)
    method: ClassVar[int]

    def fit(self, stacked: Stacked) -> Online:
        n_horizons, n_members = len(stacked.target.horizons), len(stacked.members)
        equal = np.full((n_horizons, n_members), 1.0 / n_members)
        nothing = Online(
            np.stack([equal if self.method == 1 else 0.0 * equal, 0.0 * equal]),
            np.zeros(n_horizons),
            np.zeros(1, np.int64),
            np.zeros(1, np.int64),
            np.array([_BEFORE_ALL]),
            equal[None],
        )
        return self.update(nothing, stacked)

    def update(self, learned: Online, stacked: Stacked) -> Online:
        return self._learn(learned, stacked, np.empty(0, np.int64))[0]

    def follow(self, learned: Online, known: Stacked, counts: Ints, stacked: Stacked) -> Floats:
        wanted, starts = np.unique(counts, return_index=True)
        versions = self._learn(learned, known, wanted)[1]
        parts = np.split(stacked.forecasts, starts[1:])
        return np.concatenate(
            [weighted_sum(each, part) for each, part in zip(versions, parts, strict=True)]
        )

    def predict(self, learned: Online, stacked: Stacked) -> Floats:
        return weighted_sum(learned.past[-1], stacked.forecasts)

    def weights(self, learned: Online) -> Floats:
        now: Floats = learned.past[-1]
        return now

    def save(self, learned: Online, folder: Path) -> None:
        write_arrays(folder / _FILE, **learned._asdict())

    def load(self, folder: Path) -> Online:
        file = folder / _FILE
        found = Online(
            **read_arrays(
                file,
                state="float64 2,horizons,members",
                scale="float64 horizons",
                rows="int64 1",
                longest="int64 1",
                times="int64 versions",
                past="float64 versions,horizons,members",
            )
        )
        require(file, found.past.size > 0, "it has no weights")
        require(file, (found.past >= 0.0).all(), "a weight is below 0")
        sums = found.past.sum(axis=2)
        require(file, (np.abs(sums - 1.0) < _ROUNDING).all(), "weights do not add up to 1")
        require(file, (np.diff(found.times) > 0).all(), "its times do not rise")
        fine = (found.rows >= 0).all() and (found.longest >= 0).all() and (found.scale >= 0).all()
        require(file, fine, "a number is below 0")
        if self.method == 1:
            require(file, (found.state[0] > 0.0).all(), "a member has no share")
        return found

    def _learn(self, learned: Online, stacked: Stacked, wanted: Ints) -> tuple[Online, Floats]:
        """What is learned, and the weights after each of `wanted` (rising) numbers of rows."""
        from ._online_kernels import learn  # noqa: PLC0415 (compiled; predicting needs none of it)

        n_horizons, n_members = learned.past.shape[1:]
        stacked.check_shape(n_members, n_horizons)  # compiled code trusts it
        most = max(_LEAST_KEPT, _MOST_NUMBERS // (n_horizons * n_members))
        known_at = microseconds(stacked.all_known_at)
        decided_at = microseconds(stacked.decisions.decided_at)
        order = np.argsort(known_at, kind="stable")
        length = len(learned.times)
        # Room for what is kept and for as much again, so that moving it down is seldom.
        size = length + min(len(order), most) + _LEAST_KEPT
        times, past = np.empty(size, np.int64), np.empty((size, n_horizons, n_members))
        times[:length], past[:length] = learned.times, learned.past
        state, scale = learned.state.copy(), learned.scale.copy()
        noted = np.empty((len(wanted), n_horizons, n_members))
        weight = stacked.sample_weight
        rows, longest, begin, end = learn(
            self.method,
            self._share,
            stacked.forecasts,
            outcomes(stacked),
            np.array(stacked.target.levels, float),
            np.ones(len(stacked)) if weight is None else weight,
            *(order, decided_at, known_at, wanted),
            *(state, scale, int(learned.rows[0]), int(learned.longest[0])),
            *(times, past, length, most, noted),
        )
        kept = times[begin:end].copy(), past[begin:end].copy()
        return Online(state, scale, np.array([rows]), np.array([longest]), *kept), noted

    @property
    def _share(self) -> float:
        return 0.0


@register("exponentiated_gradient")
class ExponentiatedGradient(OnlineWeights):
    """Weights proportional to exp(rate x regret so far): Kivinen, Warmuth (1997).

    The rate is AdaHedge's (de Rooij, van Erven, Grünwald, Koolen 2014), log(n_members) over the
    mixability gaps so far, which needs no knowledge of how long it goes on or how large losses
    are. opera tunes a rate on a grid by running through all earlier rows again; a stream has none
    of these. With S the widest range of the members' linearised losses, no member beats it by
    more than S sqrt(T log n) + S (16/3 log n + 2) in T rows whose outcomes are known at once.

    >>> from barstack.testing import small_stacked
    >>> ensemble = ExponentiatedGradient()
    >>> ensemble.weights(ensemble.fit(small_stacked("return"))).argmax(axis=1)
    array([0, 0])
    """

    method: ClassVar = 0


@register("fixed_share")
class FixedShare(OnlineWeights):
    """Exponentiated gradients that follow a best member that changes: Herbster, Warmuth (1998).

    After each outcome `share` of all weight is dealt out equally, so that none is ever lost: one
    change of the best member in 1 / share rows is expected. The rate is AdaHedge's, with what k
    changes cost in place of log(n_members): see Cesa-Bianchi, Gaillard, Lugosi, Stoltz (2012).

    >>> from barstack.testing import small_stacked
    >>> ensemble = FixedShare(share=0.1)
    >>> bool(ensemble.weights(ensemble.fit(small_stacked("return"))).min() >= 0.1 / 4)
    True
    """

    method: ClassVar = 1
    share: float = Field(0.01, gt=0, lt=1)

    @property
    def _share(self) -> float:
        return self.share


@register("boa")
class BernsteinAggregation(OnlineWeights):
    """Bernstein online aggregation, a rate for each member: Wintenberger (2017), as in opera.

    Exponential weights of regrets that are lowered by their squares times the rate,
    1 / sqrt(2.2 x sum of squared regrets): a member whose regret swings counts for less.

    >>> from barstack.testing import small_stacked
    >>> ensemble = BernsteinAggregation()
    >>> ensemble.weights(ensemble.fit(small_stacked("return"))).argmax(axis=1)
    array([0, 0])
    """

    method: ClassVar = 2


@register("ml_poly")
class PolynomialWeights(OnlineWeights):
    """ML-Poly, polynomial weights with a rate for each member, as in opera.

    Gaillard, Stoltz, van Erven (2014). A member weighs its regret, where above 0, over the sum of
    its squared regrets and the largest one of all. With losses between 0 and 1, member k beats it
    by at most sqrt(n_members (1 + log(1 + T)) (1 + sum of k's squared regrets)) in T rows.

    >>> from barstack.testing import small_stacked
    >>> ensemble = PolynomialWeights()
    >>> ensemble.weights(ensemble.fit(small_stacked("return"))).argmax(axis=1)
    array([0, 0])
    """

    method: ClassVar = 3
