"""Evidence that may be looked at after every outcome: an e-process and a confidence sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, DataError

_STEPS = 60  # of a bisection
_BETS = 16
FORMAT = 1


def log_e_value(total: Floats, spent: Floats, reach: float, width: float) -> Floats:
    """ln of the evidence that the mean of bounded outcomes has been above zero.

    The gamma-exponential mixture of Howard, Ramdas, McAuliffe and Sekhon (2021, proposition 9):
    over all bets L the average of exp(L total - psi(L) spent), each of which is an e-process by
    their theorem 4, with psi(L) = (-ln(1 - c L) - c L) / c² and c the reach. Choe and Ramdas (2024)
    compare forecasts by it.

    Parameters
    ----------
    total
        Sum of the outcomes.
    spent
        Sum of squared differences of each outcome from what was expected of it beforehand.
    reach
        The most that an outcome may fall below what was expected of it.
    width
        In the unit of `spent`: where the evidence is to be strongest, see `mixture_width`.
    """
    from scipy.special import gammainc, gammaln  # noqa: PLC0415

    start = width / reach**2
    shape = (np.asarray(spent) + width) / reach**2
    # Beyond this floor evidence is nil: the value there is below 1 and falls with the total.
    at = np.maximum(shape + np.asarray(total) / reach, 1e-12)
    with np.errstate(divide="ignore"):
        return np.asarray(
            start * math.log(start)
            - gammaln(start)
            - np.log(gammainc(start, start))
            + gammaln(shape)
            + np.log(gammainc(shape, at))
            - shape * np.log(at)
            + at
            - start
        )


def mixture_width(variance: float, level: float) -> float:
    """The width with which the boundary at a level is about tightest when `spent` is `variance`.

    Howard and others (2021), equation 25 for the normal mixture: variance / (-W(-level²/e) - 1),
    W the lower branch of Lambert's function.

    >>> round(mixture_width(1.0, 0.05), 4)
    0.1218
    """
    from scipy.special import lambertw  # noqa: PLC0415

    return float(variance / (-lambertw(-(level**2) / math.e, -1).real - 1.0))


def boundary(spent: Floats, reach: float, width: float, level: float) -> Floats:
    """The total at which the evidence reaches 1 / level, by bisection.

    >>> sums = boundary(np.array([100.0, 400.0]), 1.0, 10.0, 0.05)
    >>> bool(np.allclose(log_e_value(sums, np.array([100.0, 400.0]), 1.0, 10.0), np.log(20)))
    True
    """
    spent = np.asarray(spent, dtype=np.float64)
    target = -math.log(level)
    low = np.zeros_like(spent)
    high = 4.0 * (np.sqrt((spent + width) * (target + 5.0)) + 2.0 * reach * (target + 5.0))
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        below = log_e_value(middle, spent, reach, width) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(0.5 * (low + high))


@dataclass
class _Stream:
    """Outcomes of which each was known before the next one's decision."""

    bets: list[float]  # ln of the wealth of each bet on a mean above zero
    contrary: list[float]  # the same on a mean below zero
    count: int = 0
    total: float = 0.0
    spent: float = 0.0
    highest: float = 0.0  # ln of the largest evidence so far, 0 at the start
    lowest: float = 0.0  # the same of the evidence of a mean below zero


@dataclass(frozen=True)
class Interval:
    """Where the mean outcome lies, at all times at once with the confidence given."""

    low: float
    high: float


@dataclass
class EProcess:
    """Evidence for an edge that is valid however often, and whenever, it is looked at.

    Under the null the chance that the e-value ever reaches 20 is at most 1 in 20 (Ville 1939), so
    one may look daily, go on or stop at will. Two nulls can be chosen:

    - "every": given all that is known at a decision, its outcome has a mean of at most zero. The
      e-value is the wealth of someone who starts with 1 and bets a fixed part on each outcome, mean
      over 16 sizes of the bet (Waudby-Smith and Ramdas 2024).
    - "average": the running average of these conditional means is at most zero, so that single
      ones may be above (Choe and Ramdas 2024). It needs more outcomes; where a challenger is better
      at some times and worse at others it is the right one.

    `against` is the evidence for the opposite, of an edge that has turned into a loss.

    Outcomes are bounded: what lies beyond `bound` counts as `bound`. A gain that is cut makes the
    test more careful. A loss that is cut would make it too keen, so this must be assumed: no loss
    exceeds the bound, or what is cut off below weighs no more than what is cut off above, as it
    does for symmetric outcomes.

    Where a decision is made before the outcome of the last one is known, decisions are dealt to as
    many streams as there may be open ones, so that within a stream outcomes follow one another.
    Someone who sees how open positions stand could stop at the right moment, and the plain average
    of the streams' e-values is then no evidence. Their largest values so far are adjusted
    first, to (x - 1 - ln x) / (ln x)² (Choe and Ramdas 2024b, on combining evidence across
    filtrations).

    Parameters
    ----------
    bound
        Largest outcome that counts in full, fixed beforehand, such as five standard deviations.
    scale
        A typical outcome's standard deviation, as known beforehand; a wrong one costs power, not
        validity.
    best_after
        Number of outcomes after which the evidence is to be strongest.
    level
        Chance of a false alarm.
    overlap
        The most decisions that are open at once; 1 where each outcome is known before the next
        decision.
    null
        "every" or "average".

    >>> process = EProcess(bound=5.0, scale=1.0)
    >>> for profit in np.random.default_rng(0).normal(0.3, 1.0, 300):
    ...     process.update(process.decide(), profit)
    >>> process.e_value > 20, process.proven
    (True, True)
    """

    bound: float
    scale: float
    best_after: int = 250
    level: float = 0.05
    overlap: int = 1
    null: Literal["every", "average"] = "every"
    _streams: list[_Stream] = field(default_factory=list, repr=False)
    _open: dict[int, int] = field(default_factory=dict, repr=False)  # decision -> stream
    _decided: int = field(default=0, repr=False)
    _best: float = field(default=0.0, repr=False)
    _worst: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        if not (self.bound > 0.0 and self.scale > 0.0 and math.isfinite(self.bound)):
            raise ConfigError(
                f"bound is {self.bound:g} and scale {self.scale:g}; both must be finite and above "
                "0."
            )
        if not 0.0 < self.level < 1.0 or self.best_after < 1 or self.overlap < 1:
            raise ConfigError(
                f"level is {self.level:g}, best_after {self.best_after}, overlap {self.overlap}; "
                "give a level between 0 and 1, and 1 or more of the others."
            )
        if not self._streams:
            nothing = [0.0] * _BETS
            self._streams = [_Stream([*nothing], [*nothing]) for _ in range(self.overlap)]
        if self.null not in ("every", "average"):
            raise ConfigError(f"null is {self.null!r}; give 'every' or 'average'.")

    def decide(self) -> int:
        """Announce a decision, before its outcome; returns its number for `update`.

        Raises
        ------
        DataError
            Where more decisions are open than `overlap` allows.
        """
        busy = set(self._open.values())
        free = [place for place in range(self.overlap) if place not in busy]
        if not free:
            raise DataError(
                f"{len(self._open)} decisions are open, and overlap is {self.overlap}. Give the "
                "outcomes that are known first, or a larger overlap from the start."
            )
        # The one with the fewest outcomes, so that streams grow alike.
        stream = min(free, key=lambda place: self._streams[place].count)
        number = self._decided
        self._open[number] = stream
        self._decided += 1
        return number

    def update(self, decision: int, outcome: float) -> None:
        """Learn the outcome of a decision, once it is known: a profit, or a difference of losses.

        Raises
        ------
        DataError
            Where the decision is not open, or the outcome no number.
        """
        if decision not in self._open:
            raise DataError(
                f"Decision {decision} is not open; open are {sorted(self._open)}. Each has one "
                "outcome."
            )
        if not math.isfinite(outcome):
            raise DataError(f"The outcome of decision {decision} is {outcome}, not a number.")
        stream = self._streams[self._open.pop(decision)]
        value = min(max(outcome, -self.bound), self.bound)
        expected = stream.total / stream.count if stream.count else 0.0
        expected = min(max(expected, -0.5 * self.scale), 0.5 * self.scale)
        stream.count += 1
        stream.total += value
        stream.spent += (value - expected) ** 2
        for place, size in enumerate(bet_sizes(self.bound, self.scale, self.best_after)):
            stream.bets[place] += math.log1p(size * value)
            stream.contrary[place] += math.log1p(-size * value)
        stream.highest = max(stream.highest, self._log_e(stream, 1.0))
        stream.lowest = max(stream.lowest, self._log_e(stream, -1.0))
        self._best = max(self._best, self._log_value(1.0))
        self._worst = max(self._worst, self._log_value(-1.0))

    @property
    def count(self) -> int:
        """Outcomes known so far."""
        return sum(stream.count for stream in self._streams)

    @property
    def e_value(self) -> float:
        """Evidence for an edge now: 20 stands for 1 in 20."""
        return _exp(self._log_value(1.0))

    @property
    def against(self) -> float:
        """Evidence now that the mean outcome is below zero."""
        return _exp(self._log_value(-1.0))

    @property
    def p_value(self) -> float:
        """Anytime-valid: 1 over the largest e-value so far."""
        return math.exp(-max(self._best, 0.0))

    @property
    def proven(self) -> bool:
        """Whether the evidence for an edge has ever reached 1 / level."""
        return self._best >= -math.log(self.level)

    @property
    def faded(self) -> bool:
        """Whether the evidence for a loss has ever reached 1 / level."""
        return self._worst >= -math.log(self.level)

    def interval(self) -> Interval:
        """Confidence sequence: holds the mean outcome at all times with a chance of 1 - level.

        The mean is the average of the conditional means so far, of outcomes cut at the bound. With
        several streams each gets an equal part of the level, and their intervals are averaged.
        """
        low = high = 0.0
        for stream in self._streams:
            if not stream.count:
                continue
            level = self.level / (2.0 * self.overlap)
            far = float(boundary(np.array([stream.spent]), self._reach, self._width, level)[0])
            low += max(stream.total - far, -self.bound * stream.count)
            high += min(stream.total + far, self.bound * stream.count)
        if not self.count:
            return Interval(-self.bound, self.bound)
        return Interval(low / self.count, high / self.count)

    def snapshot(self) -> dict[str, Any]:
        """All of it as plain data, from which `restore` goes on."""
        return {
            "format": FORMAT,
            "bound": self.bound,
            "scale": self.scale,
            "best_after": self.best_after,
            "level": self.level,
            "overlap": self.overlap,
            "null": self.null,
            "streams": [asdict(stream) for stream in self._streams],
            "open": [[number, stream] for number, stream in self._open.items()],
            "decided": self._decided,
            "best": self._best,
            "worst": self._worst,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> EProcess:
        """The process that `snapshot` wrote.

        Raises
        ------
        DataError
            Where the data is of another format.
        """
        if data.get("format") != FORMAT:
            raise DataError(
                f"This snapshot has the format {data.get('format')!r}; this version reads {FORMAT}."
            )
        names = ("bound", "scale", "best_after", "level", "overlap", "null")
        process = cls(**{name: data[name] for name in names})
        process._streams = [_Stream(**each) for each in data["streams"]]
        process._open = {int(number): int(stream) for number, stream in data["open"]}
        process._decided = int(data["decided"])
        process._best, process._worst = float(data["best"]), float(data["worst"])
        return process

    @property
    def _reach(self) -> float:
        return _reach_of(self.bound, self.scale)

    @property
    def _width(self) -> float:
        steps = max(self.best_after / self.overlap, 1.0)
        return mixture_width(steps * self.scale**2, self.level)

    def _log_e(self, stream: _Stream, sign: float) -> float:
        if self.null == "every":
            return _log_mean(stream.bets if sign > 0.0 else stream.contrary)
        total, spent = np.array([sign * stream.total]), np.array([stream.spent])
        return float(log_e_value(total, spent, self._reach, self._width)[0])

    def _log_value(self, sign: float) -> float:
        if self.overlap == 1:
            return self._log_e(self._streams[0], sign)
        each = [s.highest if sign > 0.0 else s.lowest for s in self._streams]
        return math.log(sum(adjusted(most) for most in each) / self.overlap)


def bet_sizes(bound: float, scale: float, best_after: int) -> Floats:
    """(16,) parts of wealth per unit of outcome, about those that prove an edge in the time given.

    An edge of s deviations is proven after about (3 / s)² outcomes, by bets of s / scale. None is
    so large that an outcome at the bound could cost more than 0.95 of the wealth.

    >>> bet_sizes(5.0, 1.0, 250).round(3)[[0, -1]]
    array([0.038, 0.19 ])
    """
    middle = 3.0 / math.sqrt(best_after)
    most = 0.95 / bound
    low, high = 0.2 * middle / scale, 4.0 * middle / scale
    return np.geomspace(min(low, 0.5 * most), min(high, most), _BETS)


def _log_mean(logs: list[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(each - most) for each in logs) / len(logs))


def _reach_of(bound: float, scale: float) -> float:
    """What is expected is kept within half a deviation, as a bet may be the larger for it."""
    return bound + 0.5 * scale


def adjusted(log_highest: float) -> float:
    """Evidence that is left of a largest value x: (x - 1 - ln x) / (ln x)².

    The average of the adjusters k x^(1 - k) over k from 0 to 1: Choe and Ramdas (2024b).

    >>> adjusted(0.0), round(adjusted(math.log(100.0)), 2)
    (0.5, 4.45)
    """
    if log_highest < 1e-4:
        return 0.5
    return (_exp(log_highest) - 1.0 - log_highest) / log_highest**2


def _exp(value: float) -> float:
    return math.exp(min(value, 700.0))


def log_e_path(
    outcomes: Floats,
    *,
    bound: float,
    scale: float,
    best_after: int = 250,
    level: float = 0.05,
    null: Literal["every", "average"] = "every",
) -> Floats:
    """(..., n) ln of the e-value after each outcome, of one stream or of many at once.

    As `EProcess` has it where each outcome is known before the next decision.

    Parameters
    ----------
    outcomes
        (..., n) in time order.

    >>> log_e_path(np.zeros(3), bound=1.0, scale=1.0)
    array([0., 0., 0.])
    """
    values = np.clip(np.asarray(outcomes, dtype=np.float64), -bound, bound)
    if null == "every":
        found = np.full(values.shape, -np.inf)
        for size in bet_sizes(bound, scale, best_after):
            found = np.logaddexp(found, np.cumsum(np.log1p(size * values), axis=-1))
        return np.asarray(found - math.log(_BETS))
    totals = np.cumsum(values, axis=-1)
    counts = np.arange(1, values.shape[-1] + 1)
    expected = np.zeros_like(values)
    expected[..., 1:] = totals[..., :-1] / counts[:-1]
    expected = np.clip(expected, -0.5 * scale, 0.5 * scale)
    spent = np.cumsum((values - expected) ** 2, axis=-1)
    width = mixture_width(best_after * scale**2, level)
    return log_e_value(totals, spent, _reach_of(bound, scale), width)
