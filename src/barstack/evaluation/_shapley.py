"""What each member contributes to the equal-weight mean: Shapley values and leaving one out."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial

import numpy as np

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed

from . import _metrics as metrics
from ._case import HorizonCase
from ._combining_findings import Contribution
from ._losses import losses
from ._standard_errors import TimeBlocks, jackknife_se, reach

_MOST_EXACT = 12  # members, of which all coalitions are evaluated
_MOST_LOSSES = 50_000_000  # that are computed in all, of coalitions and rows
_MOST_AT_ONCE = 2_000_000
_MOST_ORDERS, _FEWEST_ORDERS = 512, 16


class Coalitions:
    """Loss of the equal-weight mean of any members, summed by block of time.

    Parameters
    ----------
    values
        (n_rows, n_members, n_outputs)
    y
        (n_rows,) labels.
    nobody
        (n_rows,) loss of the forecast that takes the place of no member.
    """

    def __init__(
        self, values: Floats, y: Floats, nobody: Floats, target: Target, blocks: TimeBlocks
    ) -> None:
        self.y, self.target = y, target
        self.n_members = values.shape[1]
        self.values = np.ascontiguousarray(values.swapaxes(0, 1))
        self.in_block = np.zeros((len(y), blocks.count))
        self.in_block[np.arange(len(y)), blocks.of_row] = 1.0
        self.nobody = nobody @ self.in_block
        self.counts = self.in_block.sum(axis=0)

    def of(self, chosen: Floats) -> Floats:
        """(n, n_blocks) losses of coalitions, from (n, n_members) of 0 and 1, none empty."""
        shares = chosen / chosen.sum(axis=1, keepdims=True)
        flat = self.values.reshape(self.n_members, -1)
        step = max(_MOST_AT_ONCE // max(flat.shape[1], 1), 1)
        parts = [
            losses(
                (shares[at : at + step] @ flat).reshape(-1, *self.values.shape[1:]),
                self.y,
                self.target,
            )
            @ self.in_block
            for at in range(0, len(shares), step)
        ]
        return np.concatenate(parts)

    def along(self, order: Ints) -> Floats:
        """(n_members + 1, n_blocks) losses as members join in this order, of nobody first."""
        n_rows, parts = len(self.y), [self.nobody[None]]
        step = max(_MOST_AT_ONCE // max(n_rows * self.values.shape[2], 1), 1)
        total = np.zeros(self.values.shape[1:])
        for at in range(0, len(order), step):
            sums = total + self.values[order[at : at + step]].cumsum(axis=0)
            sizes = np.arange(at + 1, at + len(sums) + 1)[:, None, None]
            parts.append(losses(sums / sizes, self.y, self.target) @ self.in_block)
            total = sums[-1]
        return np.concatenate(parts)


def shapley_exact(coalitions: Coalitions) -> Floats:
    """(n_members, n_blocks) Shapley values of the loss avoided, from all coalitions.

    Shapley (1953): the mean, over all orders in which members may join, of the loss that one's
    joining avoids.
    """
    n = coalitions.n_members
    sets = np.arange(2**n)
    chosen = (sets[:, None] >> np.arange(n)) & 1
    lost = np.concatenate([coalitions.nobody[None], coalitions.of(chosen[1:].astype(np.float64))])
    sizes = chosen.sum(axis=1)
    chance = np.array([factorial(s) * factorial(n - s - 1) / factorial(n) for s in range(n)])
    found = np.empty((n, lost.shape[1]))
    for member in range(n):
        without = sets[chosen[:, member] == 0]
        found[member] = chance[sizes[without]] @ (lost[without] - lost[without | (1 << member)])
    return found


def shapley_sampled(coalitions: Coalitions, n_orders: int, seed: int) -> tuple[Floats, Floats]:
    """The same from random orders, with the standard error of drawing them.

    Castro, Gómez, Tejada (2009). Each order is also gone through backwards, and the two are
    averaged: members that join early in one join late in the other (Mitchell and others 2022).

    Returns
    -------
    values
        (n_members, n_blocks)
    sampling_se
        (n_members,) of the values' sums over blocks.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros((coalitions.n_members, len(coalitions.nobody)))
    squares = np.zeros(coalitions.n_members)
    pairs = max(n_orders // 2, 2)
    for _ in range(pairs):
        order = rng.permutation(coalitions.n_members)
        found = np.zeros_like(total)
        for each in (order, order[::-1]):
            found[each] -= 0.5 * np.diff(coalitions.along(each), axis=0)
        total += found
        squares += found.sum(axis=1) ** 2
    mean = total / pairs
    variance = np.maximum(squares / pairs - mean.sum(axis=1) ** 2, 0.0)
    return mean, np.sqrt(variance / (pairs - 1))


def contributions(
    horizon: HorizonCase, target: Target, names: tuple[str, ...], values: Floats
) -> Iterator[Contribution]:
    """Shapley value of each member, and what it adds to all the others, at one horizon.

    Exact for up to twelve members and not too many rows, by random orders with a fixed seed for
    more.

    values  (n_known, n_members, n_outputs)
    """
    nobody = losses(horizon.baseline, horizon.y, target)
    if not nobody.sum() > 0.0:  # nothing can be better than no loss
        return
    made = Coalitions(values, horizon.y, nobody, target, horizon.blocks)
    n, size = len(names), values.shape[0] * values.shape[2]
    if n <= _MOST_EXACT and 2**n * size <= _MOST_LOSSES:
        shares, sampling = shapley_exact(made), np.zeros(n)
    else:
        n_orders = int(np.clip(_MOST_LOSSES // (n * size), _FEWEST_ORDERS, _MOST_ORDERS))
        shares, sampling = shapley_sampled(made, n_orders, derive_seed(0, "shapley", horizon.name))
    left_out = _left_out(made)
    for place, name in enumerate(names):
        shapley, shapley_se = _skill(shares[place], made, horizon.blocks)
        adds: tuple[float | None, float | None] = (None, None)
        if left_out is not None:
            adds = _skill(left_out[place], made, horizon.blocks)
        yield Contribution(
            name,
            horizon.name,
            shapley,
            shapley_se,
            float(sampling[place] / made.nobody.sum()),
            *adds,
            reach(horizon.blocks.count),
        )


def _left_out(made: Coalitions) -> Floats | None:
    """(n_members, n_blocks) loss without each member less that of all; None of a single one."""
    n, total = made.n_members, made.values.sum(axis=0)
    if n < 2:
        return None
    everyone = losses(total / n, made.y, made.target) @ made.in_block
    without = [losses((total - each) / (n - 1), made.y, made.target) for each in made.values]
    return np.stack(without) @ made.in_block - everyone


def _skill(avoided: Floats, made: Coalitions, blocks: TimeBlocks) -> tuple[float, float | None]:
    """Loss avoided as a share of the naive forecast's, with its standard error.

    avoided  (n_blocks,)
    """
    value = float(avoided.sum() / made.nobody.sum())
    present = np.flatnonzero(made.counts)
    terms = np.stack([made.nobody - avoided, made.nobody], axis=1)[present]
    by_block = TimeBlocks(present, blocks.count)
    return value, jackknife_se(metrics.skill_of_sums, terms, by_block)
