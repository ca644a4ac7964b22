"""Regimes by a statistical jump model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import sqrt
from pathlib import Path

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples
from barstack.features import Feature

from .._arrays import check_width, read_arrays, require, write_arrays
from .._model import register
from ._centres import spread_centres
from ._jump_kernels import best_path, chances, losses, observe
from ._names import named
from ._regime import TASKS, RegimeDetector, require_names, windows_of
from ._segments import stretches

_FARTHEST = 3.0  # deviations at which observations are clipped
_FLOOR = 0.05  # of the median volatility, added to each, as volatility may be 0
_KEPT = (0.005, 0.995)  # quantiles at which values are clipped to learn their scale
_LEAST = 1e-12
_LEAST_SPREAD = 1e-3  # mean loss of a row, by which costs are divided


@dataclass(frozen=True, eq=False)
class JumpStates:
    """Centres of states, in the order of their names.

    scale   (5,) floor of volatility; mean of the two observations; their deviation
    centre  (n_states, 2) in these scales
    spread  (1,) mean loss of a training row, by which costs are divided
    names   (n_states,) places in `REGIMES`
    """

    scale: Floats
    centre: Floats
    spread: Floats
    names: Rows


@register("regime_jump", family="regime", tasks=TASKS)
class RegimeJump(RegimeDetector):
    """Centres of trend and volatility, and a penalty for each jump between them.

    Bemporad et al. (2018); Nystrup, Lindström, Madsen (2020). Observed are ln of the volatility of
    `volatility_bars` and the net log return of `trend_bars` over its deviation at that volatility.
    Centres and states of training rows minimise half the squared distances plus `penalty` for each
    jump, by descent in turns. What it says of a bar follows from the least cost of a path through
    the latest `lookback` bars that ends in each state: exp(-cost / mean loss), made to sum to one.

    >>> from barstack.core.forecast import REGIMES
    >>> from barstack.models import train
    >>> from barstack.testing import regime_dataset, training_rows
    >>> dataset = regime_dataset(RegimeJump())
    >>> rows = training_rows(dataset)
    >>> fitted = train(RegimeJump(), dataset, rows, seed=0)
    >>> REGIMES[fitted.predict(dataset.features, rows[-1:])[0, 0].argmax()]
    'high_volatility'
    """

    n_states: int = Field(3, ge=2, le=6, description="states, each called as one regime")
    penalty: float = Field(
        30.0, ge=0, le=1e6, description="cost of a jump, in half squared distances"
    )
    trend_bars: int = Field(60, ge=2, le=5_000, description="bars of the net move")
    volatility_bars: int = Field(20, ge=2, le=5_000, description="bars of the volatility")
    lookback: int = Field(200, ge=1, le=10_000, description="bars that a path runs through")
    starts: int = Field(10, ge=1, le=100, description="starts of the descent, the best is kept")
    rounds: int = Field(100, ge=1, le=10_000, description="most turns of the descent")

    @property
    def features(self) -> tuple[Feature, ...]:
        return (
            Feature(feature="log_return"),
            Feature(feature="log_return", params={"window": self.trend_bars}),
            Feature(feature="realized_volatility", params={"window": self.volatility_bars}),
        )

    @property
    def lookback_bars(self) -> int:
        return self.lookback

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> JumpStates:
        check_width(len(self.feature_set.features), train.table)
        table, begins = stretches(train, self.lookback)
        scale = self._scale_of(table)
        observed = self._observed(table, scale)
        rng = np.random.default_rng(seed)
        tried = []
        for number in range(self.starts):
            centre = _first_guess(observed, self.n_states, rng if number else None)
            tried.append(self._descend(observed, begins, centre))
        cost, centre, state = min(tried, key=lambda each: each[0])
        weight = np.eye(self.n_states)[state]
        jumped = state[1:] != state[:-1]
        entered = 1.0 + np.bincount(state[1:][jumped], minlength=self.n_states)
        names = named(table[:, 0], weight, weight.sum(axis=0) / entered)
        order = np.argsort(names)
        spread = np.array([max(cost / len(observed), _LEAST_SPREAD)])
        return JumpStates(scale, centre[order], spread, names[order])

    def states(self, learned: JumpStates, inputs: Inputs) -> Floats:
        table, rows = windows_of(inputs, self.lookback)
        observed = self._observed(table, learned.scale)
        loss = np.empty((len(observed), self.n_states))
        losses(observed, learned.centre, loss)
        found = np.empty((len(inputs), self.n_states))
        spread = float(learned.spread[0])
        chances(loss, rows, self.lookback, self.penalty, spread, found)
        return found

    def names(self, learned: JumpStates) -> Rows:
        return learned.names

    def save(self, learned: JumpStates, folder: Path) -> None:
        arrays = {each.name: getattr(learned, each.name) for each in fields(JumpStates)}
        write_arrays(folder / "states.npz", **arrays)

    def load(self, folder: Path, target: Target) -> JumpStates:
        file, k = folder / "states.npz", self.n_states
        kinds = {
            "scale": "float64 5",
            "centre": f"float64 {k},2",
            "spread": "float64 1",
            "names": f"int64 {k}",
        }
        found = JumpStates(**read_arrays(file, **kinds))
        require(file, (found.scale[[0, 3, 4]] >= _LEAST).all(), "a scale is not above 0")
        require(file, (np.abs(found.centre) <= _FARTHEST).all(), "a centre is too far away")
        require(file, found.spread[0] >= _LEAST_SPREAD, "its spread is not above 0")
        require_names(file, found.names)
        return found

    def _scale_of(self, table: Floats) -> Floats:
        floor = max(_FLOOR * float(np.median(table[:, 2])), _LEAST)
        volatility = np.maximum(table[:, 2], 0.0) + floor
        trend = table[:, 1] / (volatility * sqrt(self.trend_bars))
        raw = np.column_stack([trend, np.log(volatility)])
        raw = np.clip(raw, *np.quantile(raw, _KEPT, axis=0))  # a bad print is not the scale
        deviation = np.where(raw.std(axis=0) > _LEAST, raw.std(axis=0), 1.0)
        return np.concatenate([[floor], raw.mean(axis=0), deviation])

    def _observed(self, table: Floats, scale: Floats) -> Floats:
        """(n_rows, 2) trend and ln volatility, scaled and clipped."""
        found = np.empty((len(table), 2))
        observe(table, scale, sqrt(self.trend_bars), _FARTHEST, found)
        return found

    def _descend(
        self, observed: Floats, begins: Rows, centre: Floats
    ) -> tuple[float, Floats, Rows]:
        """States for centres and centres for states, in turns, until no state changes."""
        loss = np.empty((len(observed), len(centre)))
        before, state = np.full(len(observed), -1), np.empty(len(observed), np.int64)
        cost = np.inf
        for _ in range(self.rounds):
            losses(observed, centre, loss)
            cost = best_path(loss, begins, self.penalty, state)
            if (state == before).all():
                break
            before = state.copy()
            centre = np.array(
                [
                    observed[state == each].mean(axis=0) if (state == each).any() else old
                    for each, old in enumerate(centre)
                ]
            )
        return cost, centre, state


def _first_guess(observed: Floats, n_states: int, rng: np.random.Generator | None) -> Floats:
    """Centres at quantiles of volatility; with `rng`, rows drawn by lot."""
    if rng is None:
        at = np.argsort(observed[:, 1], kind="stable")
        return np.array([part.mean(axis=0) for part in np.array_split(observed[at], n_states)])
    return spread_centres(observed, n_states, rng)
