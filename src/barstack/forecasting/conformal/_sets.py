"""Sets of classes that hold the realised one with a chosen frequency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.errors import DataError

from ._threshold import Method, Threshold

_SUM_TO_ONE = 1e-6


@dataclass(frozen=True, eq=False)
class PredictedSet:
    """The classes that the outcome may be of.

    classes  (n_classes,) whether each is in the set; all while too few outcomes are known
    number   by which `update` knows the prediction
    """

    classes: Bools
    number: int


@dataclass
class ConformalSets:
    """Sets of classes whose share of hits stays at the coverage.

    A class's score is 1 - its probability, and the set has those whose scores lie within the
    threshold (Sadinle, Lei, Wasserman 2019): the smallest sets where probabilities are right. A set
    of one class is a forecast, one of all classes an abstention; the class most likely is
    always in it, as an empty set says nothing.

    Parameters
    ----------
    coverage, method, rate, window, fewest
        As `Threshold` has them.

    >>> sets = ConformalSets(coverage=0.6, method="split", fewest=4)
    >>> for p_up in (0.9, 0.8, 0.7, 0.6):
    ...     sets.update(sets.predict([1 - p_up, p_up]).number, 1)
    >>> sets.predict([0.2, 0.8]).classes, sets.predict([0.45, 0.55]).classes
    (array([False,  True]), array([False,  True]))
    """

    coverage: float = 0.9
    method: Method = "aggregated"
    rate: float = 0.02
    window: int = 1000
    fewest: int = 20
    _threshold: Threshold = field(default_factory=Threshold, repr=False)
    _open: dict[int, list[float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._threshold = Threshold(self.coverage, self.method, self.rate, self.window, self.fewest)

    def predict(self, probabilities: Floats | list[float]) -> PredictedSet:
        """The set of one decision.

        Parameters
        ----------
        probabilities
            (n_classes,) of all classes, which sum to one.

        Raises
        ------
        DataError
            Where they are no probabilities.
        """
        chances = np.asarray(probabilities, dtype=np.float64)
        if chances.ndim != 1 or len(chances) < 2 or not abs(chances.sum() - 1.0) < _SUM_TO_ONE:
            raise DataError(
                f"Probabilities are {chances.tolist()}; give one for each of two classes or more, "
                "which sum to one."
            )
        threshold, number = self._threshold.ask()
        self._open[number] = [float(each) for each in chances]
        classes = 1.0 - chances <= threshold
        classes[int(np.argmax(chances))] = True
        return PredictedSet(classes, number)

    def update(self, number: int, realised: int) -> None:
        """Learn the class of a prediction, once it is known.

        Raises
        ------
        DataError
            Where there is no such open prediction or no such class.
        """
        if number in self._open and not 0 <= realised < len(self._open[number]):
            raise DataError(
                f"Class {realised} is none of the {len(self._open[number])} of prediction {number}."
            )
        chances = self._open.get(number)
        self._threshold.learn(number, 0.0 if chances is None else 1.0 - chances[int(realised)])
        del self._open[number]

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data, from which `restore` goes on."""
        return {
            "threshold": self._threshold.snapshot(),
            "open": [[number, list(each)] for number, each in self._open.items()],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> ConformalSets:
        """The sets that `snapshot` wrote; DataError of another format."""
        threshold = Threshold.restore(data["threshold"])
        found = cls(
            threshold.coverage,
            threshold.method,
            threshold.rate,
            threshold.window,
            threshold.fewest,
        )
        found._threshold = threshold
        found._open = {int(number): list(each) for number, each in data["open"]}
        return found
