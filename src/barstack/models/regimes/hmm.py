"""Regimes as hidden states of a Markov chain."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples
from barstack.features import Feature

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import register
from ._centres import spread_centres
from ._hmm_kernels import expected, filtered, likelihoods, observe
from ._names import named
from ._regime import TASKS, RegimeDetector, require_names, windows_of
from ._segments import stretches

_FARTHEST = 5.0  # deviations at which observations are clipped
_FLOOR = 0.05  # of the median range, added to each, as ranges may be 0
_LEAST = 1e-12  # deviation of what never differs
_LEAST_VARIANCE = 0.01  # of a state, in variances of all rows
_SMOOTHED = 30  # bars whose mean is looked at for a start
_TRIES = 15  # steps of EM from each start, before the best goes on
_TOLERANCE = 1e-7  # log likelihood of a row gained by a step, below which EM ends
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class HiddenStates:
    """A Gaussian hidden Markov model, states in the order of their names.

    scale     (5,) floor of the range; mean of the two observations; their deviation
    mean      (n_states, 2) of the observations, scaled
    variance  (n_states, 2)
    moves     (n_states, n_states) probability of each state at the next bar, by that now
    start     (n_states,) stationary distribution of `moves`
    names     (n_states,) places in `REGIMES`
    """

    scale: Floats
    mean: Floats
    variance: Floats
    moves: Floats
    start: Floats
    names: Rows


@register("regime_hmm", family="regime", tasks=TASKS)
class RegimeHMM(RegimeDetector):
    """A Gaussian hidden Markov model of directions and ranges, filtered forward. Hamilton (1989).

    Observed are each bar's direction, (close - open) / (high - low), and ln of its range, which is
    near Gaussian (Alizadeh, Brandt, Diebold 2002). Returns would say the same of volatility once
    more, and EM would find how a return hangs together with its range, not what lasts. EM fits it
    to training rows (Baum et al. 1970), from several starts. What it says of a bar is
    P(state | the latest `lookback` bars), from the stationary distribution on: the forward filter,
    never the smoother that later bars would change.

    >>> from barstack.core.forecast import REGIMES
    >>> from barstack.models import train
    >>> from barstack.testing import regime_dataset, training_rows
    >>> dataset = regime_dataset(RegimeHMM())
    >>> rows = training_rows(dataset)
    >>> fitted = train(RegimeHMM(), dataset, rows, seed=0)
    >>> REGIMES[fitted.predict(dataset.features, rows[-1:])[0, 0].argmax()]
    'low_volatility'
    """

    n_states: int = Field(3, ge=2, le=6, description="hidden states, each called as one regime")
    lookback: int = Field(200, ge=2, le=10_000, description="bars over which the filter runs")
    stay: int = Field(
        20, ge=1, le=1_000, description="bars that a state lasts, at least on average"
    )
    starts: int = Field(6, ge=1, le=100, description="starts of EM, of which the likeliest is kept")
    rounds: int = Field(200, ge=1, le=10_000, description="most steps of EM")

    @property
    def features(self) -> tuple[Feature, ...]:
        return (
            Feature(feature="log_return"),
            Feature(feature="body"),
            Feature(feature="parkinson", params={"window": 1}),
        )

    @property
    def lookback_bars(self) -> int:
        return self.lookback

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> HiddenStates:
        check_width(len(self.feature_set.features), train.table)
        table, begins = stretches(train, self.lookback)
        scale = _scale_of(table)
        observed = _observed(table, scale)
        rng = np.random.default_rng(seed)
        tried = []
        for number in range(self.starts):
            state = _first_guess(observed, self.n_states, rng if number else None)
            tried.append(_improve(observed, begins, state, min(_TRIES, self.rounds), self.stay))
        best = _improve(
            observed, begins, max(tried, key=lambda each: each.score), self.rounds, self.stay
        )
        posterior, _, _ = _expect(observed, begins, best)
        stay = 1.0 / (1.0 - np.diag(best.moves))
        names = named(table[:, 0], posterior, stay)
        order = np.argsort(names)
        moves = np.ascontiguousarray(best.moves[order][:, order])
        return HiddenStates(
            scale,
            best.mean[order],
            best.variance[order],
            moves,
            _stationary(moves),
            names[order],
        )

    def states(self, learned: HiddenStates, inputs: Inputs) -> Floats:
        table, rows = windows_of(inputs, self.lookback)
        observed = _observed(table, learned.scale)
        likelihood = np.empty((len(observed), len(learned.start)))
        likelihoods(observed, learned.mean, learned.variance, likelihood, np.empty(len(observed)))
        found = np.empty((len(inputs), len(learned.start)))
        filtered(likelihood, rows, self.lookback, learned.start, learned.moves, found)
        return found

    def names(self, learned: HiddenStates) -> Rows:
        return learned.names

    def save(self, learned: HiddenStates, folder: Path) -> None:
        arrays = {each.name: getattr(learned, each.name) for each in fields(HiddenStates)}
        write_arrays(folder / "states.npz", **arrays)

    def load(self, folder: Path, target: Target) -> HiddenStates:
        file, k = folder / "states.npz", self.n_states
        kinds = {
            "scale": "float64 5",
            "mean": f"float64 {k},2",
            "variance": f"float64 {k},2",
            "moves": f"float64 {k},{k}",
            "start": f"float64 {k}",
            "names": f"int64 {k}",
        }
        found = HiddenStates(**read_arrays(file, **kinds))
        require(file, (found.scale[[0, 3, 4]] >= _LEAST).all(), "a scale is not above 0")
        require(file, (found.variance >= _LEAST).all(), "a variance is not above 0")
        for name, rows in (("moves", found.moves), ("start", found.start)):
            fine = (rows > 0.0).all() and (np.abs(rows.sum(axis=-1) - 1.0) < _ROUNDING).all()
            require(file, fine, f"{name} are no probabilities")
        require_names(file, found.names)
        return found


class _State(NamedTuple):
    """Where EM has got to, and the log likelihood of a row there."""

    mean: Floats
    variance: Floats
    moves: Floats
    score: float = -np.inf


def _scale_of(table: Floats) -> Floats:
    floor = max(_FLOOR * float(np.median(table[:, 2])), _LEAST)
    raw = np.column_stack([table[:, 1], np.log(np.maximum(table[:, 2], 0.0) + floor)])
    deviation = raw.std(axis=0)
    return np.concatenate([[floor], raw.mean(axis=0), np.where(deviation > _LEAST, deviation, 1.0)])


def _observed(table: Floats, scale: Floats) -> Floats:
    """(n_rows, 2) direction and ln range, scaled and clipped."""
    found = np.empty((len(table), 2))
    observe(table, scale, _FARTHEST, found)
    return found


def _first_guess(observed: Floats, n_states: int, rng: np.random.Generator | None) -> _State:
    """States by how far bars range; with `rng`, by the nearest of bars drawn by lot.

    Both are means over some bars, as what lasts shows in these and hardly in one bar.
    """
    width = min(_SMOOTHED, len(observed))
    total = np.cumsum(np.vstack([np.zeros((1, observed.shape[1])), observed]), axis=0)
    smooth = np.empty_like(observed)
    smooth[width - 1 :] = (total[width:] - total[:-width]) / width
    smooth[: width - 1] = smooth[width - 1]
    if rng is None:
        order = np.argsort(np.argsort(smooth[:, 1], kind="stable"), kind="stable")
        own = order * n_states // len(order)
    else:
        smooth /= np.maximum(smooth.std(axis=0), _LEAST)
        drawn = spread_centres(smooth, n_states, rng)
        own = ((smooth[:, None] - drawn) ** 2).sum(axis=2).argmin(axis=1)
    weight = np.eye(n_states)[own] + 1.0 / len(observed)  # no state is empty
    mean, variance = _moments(observed, weight)
    moves = np.full((n_states, n_states), 0.05 / (n_states - 1))
    np.fill_diagonal(moves, 0.95)
    return _State(mean, variance, moves)


def _improve(observed: Floats, begins: Rows, state: _State, rounds: int, stay: int) -> _State:
    """Up to so many steps of EM, until a step gains next to nothing."""
    for _ in range(rounds):
        posterior, moved, score = _expect(observed, begins, state)
        gained = score - state.score
        mean, variance = _moments(observed, posterior)
        state = _State(mean, variance, _moves_of(moved, stay), score)
        if gained < _TOLERANCE:
            break
    return state


def _moves_of(moved: Floats, stay: int) -> Floats:
    """The likeliest moves of states that last so many bars on average, or more.

    Each is counted once more than it was seen in all, so that all stay possible.
    """
    counts = moved + 1.0 / len(moved)
    left = counts * (1.0 - np.eye(len(counts)))
    share = np.minimum(left.sum(axis=1) / counts.sum(axis=1), 1.0 / stay)
    moves: Floats = left * (share / left.sum(axis=1))[:, None]
    np.fill_diagonal(moves, 1.0 - share)
    return moves


def _expect(observed: Floats, begins: Rows, state: _State) -> tuple[Floats, Floats, float]:
    n_states = len(state.mean)
    likelihood, largest = np.empty((len(observed), n_states)), np.empty(len(observed))
    likelihoods(observed, state.mean, state.variance, likelihood, largest)
    posterior, moved = np.empty_like(likelihood), np.empty((n_states, n_states))
    start = _stationary(state.moves)
    score = expected(likelihood, largest, begins, start, state.moves, posterior, moved)
    return posterior, moved, score / len(observed)


def _moments(observed: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """(n_states, n_values) weighted means and variances, the latter not too small."""
    total = np.maximum(weight.sum(axis=0), 1e-300)[:, None]
    mean = np.einsum("tk,td->kd", weight, observed) / total
    squared = np.einsum("tk,td->kd", weight, observed**2) / total
    return mean, np.maximum(squared - mean**2, _LEAST_VARIANCE)


def _stationary(moves: Floats) -> Floats:
    """(n_states,) the distribution that a step of the chain leaves as it is."""
    n_states = len(moves)
    balance = np.vstack([moves.T - np.eye(n_states), np.ones(n_states)])
    target = np.append(np.zeros(n_states), 1.0)
    found = np.maximum(np.linalg.lstsq(balance, target, rcond=None)[0], _LEAST)
    return np.asarray(found / found.sum())
