"""Members chosen one after the other, each for what it adds to those before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import EVERY_TASK

from ._ensemble import register
from ._losses import error_products, errors, losses_of, mean_losses, row_weights
from ._stacked import Stacked
from ._weighted import Weighted

_MOST_BY_PINBALL = 50  # members of a bag, the best by themselves, as each step goes over all rows

# From the candidates of a bag to how often each was chosen.
_Choice = Callable[[Rows], Floats]


@register("greedy", tasks=EVERY_TASK)
class Greedy(Weighted):
    """Forward selection with replacement, bagged: Caruana and others (2004).

    It begins with the best member and adds, step by step, the one with which the mean of all those
    chosen so far has the least loss; a member may be chosen again. Of `rounds` steps those up to
    the least loss count. This is done for `bags` random shares of the members, so that a member
    which was lucky out of fold is out of the running in some; weights are the mean over bags of
    how often each was chosen. They sum to one.

    Losses are squared errors, Brier scores and pinball losses.

    >>> from barstack.testing import small_stacked
    >>> Greedy().fit(small_stacked("return"))[0].round(2)
    array([0.4 , 0.24, 0.28, 0.08])
    """

    rounds: int = Field(50, ge=1, le=10_000)
    bags: int = Field(20, ge=1, le=10_000)
    share: float = Field(0.5, gt=0, le=1)  # of members among which a bag chooses

    def fit(self, stacked: Stacked) -> Floats:
        own = mean_losses(stacked)
        found = []
        for h in range(len(stacked.target.horizons)):
            # By loss, so that bags hold the same members in whatever order those are given.
            order = np.argsort(own[h], kind="stable")
            chosen = np.zeros(len(order))
            chosen[order] = self._bagged(self._choice(stacked, h, order), stacked)
            found.append(chosen)
        return np.stack(found)

    def _bagged(self, choose: _Choice, stacked: Stacked) -> Floats:
        rng, n_members = np.random.default_rng(stacked.seed), len(stacked.members)
        size = min(max(1, round(self.share * n_members)), n_members)
        total = np.zeros(n_members)
        for _ in range(self.bags):
            bag = np.sort(rng.choice(n_members, size, replace=False))
            counts = choose(bag)
            total[bag] += counts / counts.sum()
        return total / self.bags

    def _choice(self, stacked: Stacked, h: int, order: Rows) -> _Choice:
        error, weight = errors(stacked)[:, order, h], row_weights(stacked)
        if not stacked.target.levels:
            products = error_products(error, weight)
            return lambda bag: by_products(products[np.ix_(bag, bag)], self.rounds)

        def by_pinball(bag: Rows) -> Floats:
            kept = bag[:_MOST_BY_PINBALL]
            losses = np.zeros(error.shape[2])  # at no row
            chosen, total = np.zeros(len(bag)), np.zeros((len(error), *losses.shape))
            best, found = np.inf, chosen
            for step in range(self.rounds):
                each = losses_of(total[:, None] + error[:, kept], stacked.target)
                mean = np.einsum("n,nm->m", weight, each) / (step + 1)
                one = int(np.argmin(mean))
                total = total + error[:, kept[one]]
                chosen[one] += 1.0
                if mean[one] < best:
                    best, found = float(mean[one]), chosen.copy()
            return found

        return by_pinball


def by_products(products: Floats, rounds: int) -> Floats:
    """(n_members,) how often each is chosen, from the mean products of their errors.

    >>> by_products(np.array([[1.0, 0.0], [0.0, 3.0]]), rounds=4)
    array([3., 1.])
    """
    own = np.diag(products)
    chosen, cross, square = np.zeros(len(own)), np.zeros(len(own)), 0.0
    best, found = np.inf, chosen
    for step in range(rounds):
        # Sums of products with the sum of those chosen: one more member adds a row to them.
        added = square + 2.0 * cross + own
        one = int(np.argmin(added))
        square, cross = float(added[one]), cross + products[one]
        chosen[one] += 1.0
        loss = square / (step + 1) ** 2
        if loss < best:
            best, found = loss, chosen.copy()
    return found
