"""The threshold that scores stay below with a chosen frequency, learned from those known so far."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from barstack.core.errors import ConfigError, DataError

Method = Literal["split", "adaptive", "aggregated"]
RATES = (0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08)  # of the aggregated method's experts
FORMAT = 1


@dataclass
class Threshold:
    """A threshold for scores, which are large where a prediction was bad.

    - "split": the quantile of the scores known so far, of order ceil((n + 1) coverage). Exact where
      scores are exchangeable (Vovk, Gammerman, Shafer 2005; Lei and others 2018).
    - "adaptive": the level of that quantile moves: after a score beyond the threshold by `rate` x
      coverage up, after one within by `rate` x (1 - coverage) down. The share within comes to
      `coverage` whatever happens to the scores: ACI (Gibbs and Candès 2021).
    - "aggregated": several such levels with rates from 0 to 0.08; their thresholds are averaged by
      how well each did so far, in pinball loss, by Bernstein online aggregation: AgACI (Zaffran and
      others 2022; Wintenberger 2017).

    Where a level asks for more than the largest score, the threshold is the largest. (In theory it
    is infinite, which no one can trade on.)

    Parameters
    ----------
    coverage
        Share of scores that are to stay within.
    method
        As above.
    rate
        Of the adaptive method.
    window
        Number of newest scores that the quantile is taken of.
    fewest
        Scores without which the threshold is infinite: nothing is known then.

    >>> threshold = Threshold(coverage=0.5, method="split", fewest=3)
    >>> for score in (1.0, 2.0, 3.0):
    ...     threshold.learn(threshold.ask()[1], score)
    >>> threshold.ask()[0]
    2.0
    """

    coverage: float = 0.9
    method: Method = "aggregated"
    rate: float = 0.02
    window: int = 1000
    fewest: int = 20
    _sorted: list[float] = field(default_factory=list, repr=False)
    _newest: deque[float] = field(default_factory=deque, repr=False)
    _missed: list[float] = field(default_factory=list, repr=False)  # level of misses of each expert
    _gains: list[float] = field(default_factory=list, repr=False)  # sum of regrets, corrected
    _squares: list[float] = field(default_factory=list, repr=False)  # sum of squared regrets
    _largest: float = field(default=0.0, repr=False)  # regret
    # What was predicted: each expert's threshold, their weights, the threshold given.
    _open: dict[int, tuple[list[float], list[float], float]] = field(
        default_factory=dict, repr=False
    )
    _given: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.coverage < 1.0 or self.method not in get_args(Method):
            raise ConfigError(
                f"coverage is {self.coverage:g} and method {self.method!r}; give a coverage "
                "between 0 and 1, and split, adaptive or aggregated."
            )
        if self.window < 10 or self.fewest < 1 or not 0.0 <= self.rate <= 1.0:
            raise ConfigError(
                f"window is {self.window}, fewest {self.fewest} and rate {self.rate:g}; give a "
                "window of 10 or more, 1 or more for fewest, and a rate from 0 to 1."
            )
        if not self._missed:
            count = len(self.rates)
            self._missed = [1.0 - self.coverage] * count
            self._gains, self._squares = [0.0] * count, [0.0] * count

    @property
    def rates(self) -> tuple[float, ...]:
        """At which the levels move."""
        if self.method == "aggregated":
            return RATES
        return (self.rate if self.method == "adaptive" else 0.0,)

    def ask(self) -> tuple[float, int]:
        """The threshold now, and the number by which `learn` knows it."""
        number = self._given
        self._given += 1
        experts = [self._quantile(missed) for missed in self._missed]
        weights = self._weights()
        threshold = math.inf
        if len(self._sorted) >= self.fewest:
            threshold = sum(w * each for w, each in zip(weights, experts, strict=True))
        self._open[number] = (experts, weights, threshold)
        return threshold, number

    def learn(self, number: int, score: float) -> None:
        """Take in the score of a prediction, once its outcome is known.

        Raises
        ------
        DataError
            Where there is no such open prediction, or the score is no number.
        """
        if number not in self._open:
            raise DataError(
                f"Prediction {number} is not open: it was never made, or its outcome is known."
            )
        if math.isnan(score):
            raise DataError(f"The score of prediction {number} is not a number.")
        experts, weights, threshold = self._open.pop(number)
        if math.isfinite(threshold):
            self._adapt(experts, weights, score)
        insort(self._sorted, score)
        self._newest.append(score)
        if len(self._newest) > self.window:
            del self._sorted[bisect_left(self._sorted, self._newest.popleft())]

    def forget(self, number: int) -> None:
        """Drop an open prediction without learning from it."""
        self._open.pop(number, None)

    @property
    def open(self) -> list[int]:
        """Predictions whose outcomes are not known yet."""
        return list(self._open)

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data, from which `restore` goes on."""
        return {
            "format": FORMAT,
            "coverage": self.coverage,
            "method": self.method,
            "rate": self.rate,
            "window": self.window,
            "fewest": self.fewest,
            "newest": list(self._newest),
            "missed": [*self._missed],
            "gains": [*self._gains],
            "squares": [*self._squares],
            "largest": self._largest,
            "open": [[number, list(e), list(w), t] for number, (e, w, t) in self._open.items()],
            "given": self._given,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Threshold:
        """The threshold that `snapshot` wrote; DataError of another format."""
        if data.get("format") != FORMAT:
            raise DataError(
                f"This snapshot has the format {data.get('format')!r}; this version reads {FORMAT}."
            )
        names = ("coverage", "method", "rate", "window", "fewest")
        found = cls(**{name: data[name] for name in names})
        found._newest = deque(data["newest"])
        found._sorted = sorted(data["newest"])
        found._missed, found._gains = list(data["missed"]), list(data["gains"])
        found._squares, found._largest = list(data["squares"]), float(data["largest"])
        found._open = {int(n): (list(e), list(w), float(t)) for n, e, w, t in data["open"]}
        found._given = int(data["given"])
        return found

    def _quantile(self, missed: float) -> float:
        """The smallest threshold that a new score exceeds with this chance at most."""
        count = len(self._sorted)
        if count < self.fewest:
            return math.inf
        # Rounding must not ask for one more: (n + 1) x 0.9 may come out just above a whole number.
        place = math.ceil((count + 1) * (1.0 - missed) - 1e-9)
        if place <= 0:
            return 0.0
        return self._sorted[min(place, count) - 1]

    def _weights(self) -> list[float]:
        count = len(self._gains)
        if count == 1 or self._largest == 0.0:
            return [1.0 / count] * count
        rates = [self._pace(square) for square in self._squares]
        logs = [pace * gain for pace, gain in zip(rates, self._gains, strict=True)]
        most = max(logs)
        raw = [pace * math.exp(each - most) for pace, each in zip(rates, logs, strict=True)]
        total = sum(raw)
        return [each / total for each in raw]

    def _pace(self, square: float) -> float:
        """The learning rate of one expert: Wintenberger (2017), second order."""
        return min(0.5 / self._largest, math.sqrt(math.log(len(self._gains)) / max(square, 1e-300)))

    def _adapt(self, experts: list[float], weights: list[float], score: float) -> None:
        alpha = 1.0 - self.coverage
        for place, rate in enumerate(self.rates):
            self._missed[place] += rate * (alpha - (score > experts[place]))
        if len(experts) == 1:
            return
        # Linear in the forecast at the one that was made, so that experts are held against it.
        mixed = sum(w * each for w, each in zip(weights, experts, strict=True))
        slope = alpha - (score > mixed)
        for place, each in enumerate(experts):
            regret = slope * (mixed - each)
            self._largest = max(self._largest, abs(regret))
            self._squares[place] += regret**2
            if self._largest > 0.0:
                self._gains[place] += regret - self._pace(self._squares[place]) * regret**2
