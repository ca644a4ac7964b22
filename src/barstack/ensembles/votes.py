"""Voting: by the side that each member takes, or by its probabilities."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.stored import Number, Stored
from barstack.core.untrusted import read_json

from ._ensemble import Ensemble, register
from ._losses import outcomes, row_weights, signals
from ._pools import opinion_pool
from ._stacked import Stacked
from ._weighted import Weighted, shares

_FILE = "strength.json"


class _StoredStrength(Stored):
    """What is stored."""

    strength: list[Annotated[Number, Field(ge=0)]] = Field(min_length=1)


@register("hard_vote", tasks=("return", "direction", "three_class"))
class HardVote(Ensemble):
    """Each member has one vote, for the side that it takes; how sure it is does not count.

    The majority takes the side. What is learned is how strong a vote is, one number for each
    horizon:

    - classes: p = s * share of votes + (1 - s) / n_classes, with the s between 0 and 1 of highest
      likelihood. Votes that tell nothing lead to equal probabilities.
    - returns: s * (share of votes up - share of votes down), with the s of 0 or more of least
      squares.

    Of two classes a probability of one half is half a vote for each; a return of zero abstains.
    Majority voting: Hansen, Salamon (1990).

    >>> from barstack.testing import small_stacked
    >>> HardVote().fit(small_stacked("direction")).round(2)
    array([0.67, 0.6 ])
    """

    def fit(self, stacked: Stacked) -> Floats:
        votes, weight, realised = _votes(stacked), row_weights(stacked), outcomes(stacked)
        if stacked.target.task == "return":
            cross = np.einsum("n,nhk,nhk->h", weight, votes, realised)
            square = np.einsum("n,nhk,nhk->h", weight, votes, votes)
            slope = cross / np.where(square > 0.0, square, 1.0)
            return np.asarray(np.maximum(slope, 0.0))
        n_classes = stacked.target.n_classes
        if n_classes == 2:
            votes = np.concatenate([1.0 - votes, votes], axis=2)
            realised = np.concatenate([1.0 - realised, realised], axis=2)
        chances = np.einsum("nhk,nhk->nh", votes, realised)
        blind = np.full(len(stacked), 1.0 / n_classes)
        return np.array(
            [opinion_pool(np.column_stack([own, blind]), weight)[0] for own in chances.T]
        )

    def predict(self, learned: Floats, stacked: Stacked) -> Floats:
        votes, strength = _votes(stacked), learned[:, None]
        if stacked.target.task == "return":
            return np.asarray(strength * votes)
        return np.asarray(strength * votes + (1.0 - strength) / stacked.target.n_classes)

    def save(self, learned: Floats, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps({"strength": learned.tolist()}))

    def load(self, folder: Path) -> Floats:
        file = folder / _FILE
        return np.array(_StoredStrength.read(read_json(file), file).strength, float)


def _votes(stacked: Stacked) -> Floats:
    """(n_rows, n_horizons, n_outputs) shares of votes; of returns those up less those down."""
    side = np.sign(signals(stacked))
    task = stacked.target.task
    if task == "three_class":
        side = np.asarray(side[..., None] == np.array([-1.0, 0.0, 1.0]), float)
    else:
        side = side[..., None] if task == "return" else 0.5 + 0.5 * side[..., None]
    equal = np.full(side.shape[1], 1.0 / side.shape[1])
    return np.asarray(np.einsum("m,nmhk->nhk", equal, side, optimize=False))


@register("soft_vote", tasks=("direction", "three_class"))
class SoftVote(Weighted):
    """The mean of members' probabilities, with votes of your own choice.

    `votes` gives each member another number of votes than one, in the order in which the ensemble
    combines them. The linear opinion pool: Stone (1961).

    >>> from barstack.testing import small_stacked
    >>> SoftVote(votes=(3.0, 1.0, 1.0, 0.0)).fit(small_stacked("direction"))[0]
    array([0.6, 0.2, 0.2, 0. ])
    """

    votes: tuple[Annotated[float, Field(ge=0, le=1e6)], ...] = ()

    def fit(self, stacked: Stacked) -> Floats:
        votes = np.array(self.votes or (1.0,) * len(stacked.members))
        if len(votes) != len(stacked.members) or not votes.any():
            raise ConfigError(
                f"Votes are {list(self.votes)} for {len(stacked.members)} members. Give each "
                "member a number of 0 or more, one of them above 0."
            )
        return shares(np.tile(votes, (len(stacked.target.horizons), 1)))
