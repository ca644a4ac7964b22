"""What ensembles share that are a weighted sum of their members: plain, and hard to overfit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats
from barstack.core.errors import ArtifactError
from barstack.core.stored import Stored
from barstack.core.untrusted import read_json

from ._ensemble import Ensemble
from ._stacked import Stacked

_FILE = "weights.json"
_Weight = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Weights(Stored):
    """What is stored: a weight for each horizon and member."""

    weights: list[Annotated[list[_Weight], Field(min_length=1)]] = Field(min_length=1)


class Weighted(Ensemble):
    """A weighted sum; what is learned are the weights (n_horizons, n_members)."""

    @property
    def may_be_negative(self) -> bool:
        """Whether a member may count against."""
        return False

    def predict(self, learned: Floats, stacked: Stacked) -> Floats:
        return weighted_sum(learned, stacked.forecasts)

    def weights(self, learned: Floats) -> Floats:
        return learned

    def save(self, learned: Floats, folder: Path) -> None:
        (folder / _FILE).write_text(json.dumps({"weights": learned.tolist()}))

    def load(self, folder: Path) -> Floats:
        file = folder if folder.is_file() else folder / _FILE  # it was one file in version 0.1
        stored = _Weights.read(read_json(file), file)
        if len({len(each) for each in stored.weights}) != 1:
            raise ArtifactError(f"{file} does not hold weights of as many members at each horizon.")
        found = np.array(stored.weights, float)
        if not self.may_be_negative and (found < 0.0).any():
            raise ArtifactError(
                f"{file} does not hold what was saved: a weight is {found.min():g}, and none of "
                "this ensemble is negative. Restore it from a copy, or run the study again."
            )
        return found


def weighted_sum(weights: Floats, forecasts: Floats) -> Floats:
    """(n_rows, n_horizons, n_outputs) each row by itself, the same to the bit alone.

    weights    (n_horizons, n_members)
    forecasts  (n_rows, n_members, n_horizons, n_outputs)
    """
    # einsum without optimisation adds up row by row; BLAS rounds by the number of rows.
    return np.asarray(np.einsum("hm,nmhk->nhk", weights, forecasts, optimize=False))


def shares(scores: Floats) -> Floats:
    """(n_horizons, n_members) scores of 0 or more as weights that sum to one.

    Where all scores of a horizon are zero its members weigh alike.

    >>> shares(np.array([[3.0, 1.0], [0.0, 0.0]]))
    array([[0.75, 0.25],
           [0.5 , 0.5 ]])
    """
    largest = scores.max(axis=1, keepdims=True)
    scaled = np.where(largest > 0.0, scores / np.where(largest > 0.0, largest, 1.0), 1.0)
    return np.asarray(scaled / scaled.sum(axis=1, keepdims=True))


def summing_to_one(probabilities: Floats) -> Floats:
    """(n_rows, n_horizons, n_outputs) divided by their sum over outputs; alike where all are 0.

    Where all members are sure, each of another class, the median of every probability is 0.
    """
    total = probabilities.sum(axis=2, keepdims=True)
    alike = 1.0 / probabilities.shape[2]
    return np.where(total > 0.0, probabilities / np.where(total > 0.0, total, 1.0), alike)
