"""All experiments of a sweep on the decision times that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.errors import DataError
from barstack.core.forecast import Target, signal_of
from barstack.core.times import KnownAt, Times
from barstack.labels import LabelTable

from .. import _metrics as metrics
from .._losses import losses
from .._naive import baseline
from .._standard_errors import overlap_of

FEWEST_TIMES = 20
_NEARLY_ALL = 0.9  # of the experiments have a decision time that all are compared on


@dataclass(frozen=True, eq=False)
class SweepOutcomes:
    """What is realised at one horizon, of decisions whose label is known.

    Attributes
    ----------
    horizon
        Its name.
    decided_at, known_at
        (n_rows,) when each decision is made, and when its outcome is known; rows in any order.
    y, returns
        (n_rows,) labels, and the returns behind them as fractions.
    past
        (n_rows, n_outputs) forecast of the mean, shares or quantiles of the labels known so far.
    target
        What is forecast, at this horizon alone.

    >>> from barstack.testing import small_sweep_series
    >>> outcomes = small_sweep_series()[0].outcomes
    >>> outcomes.series("zero", {"model": "zero"}, np.zeros((200, 1))).right.any()
    np.False_
    """

    horizon: str
    decided_at: Times
    known_at: KnownAt
    y: Floats
    returns: Floats
    past: Floats
    target: Target

    @cached_property
    def _placed(self) -> tuple[Times, Ints]:
        times, place = np.unique(self.decided_at, return_inverse=True)
        return times, place

    @property
    def times(self) -> Times:
        """(n_times,) distinct times of the decisions, rising."""
        return self._placed[0]

    @cached_property
    def span(self) -> int:
        """Decision times that nearly every label spans at most."""
        return overlap_of(self.decided_at, self.known_at)

    def by_time(self, rows: Floats) -> Floats:
        """(n_times,) means over the rows of each time: symbols decided together are one look."""
        times, place = self._placed
        return np.asarray(np.bincount(place, rows) / np.bincount(place, minlength=len(times)))

    @cached_property
    def base(self) -> Floats:
        """(n_times,) loss of `past`."""
        return self.by_time(losses(self.past, self.y, self.target))

    @cached_property
    def moved(self) -> Floats:
        """(n_times,) share of the rows whose return is not 0."""
        return self.by_time(np.abs(np.sign(self.returns)))

    @cached_property
    def move(self) -> Floats:
        """(n_times,) mean sign of the returns."""
        return self.by_time(np.sign(self.returns))

    def series(self, name: str, settings: Mapping[str, str], values: Floats) -> ExperimentSeries:
        """An experiment by its forecasts, (n_rows, n_outputs), of these decisions."""
        signal = signal_of(values[:, None], self.target)[:, 0]
        right = np.nan_to_num(metrics.hits(signal, self.returns) - 0.5)
        loss = losses(values, self.y, self.target)
        lean = float(np.sign(signal).mean())
        return ExperimentSeries(name, settings, self, self.by_time(loss), self.by_time(right), lean)


@dataclass(frozen=True, eq=False)
class ExperimentSeries:
    """One experiment by decision time.

    Attributes
    ----------
    settings  what the sweep varies, by path, as people read it; `model` and `horizon` among them
    outcomes  that it is judged by
    loss      (n_times,) mean over the symbols
    right     (n_times,) share of right signs less 1/2, times without a move 0
    lean      mean sign of its forecasts
    """

    name: str
    settings: Mapping[str, str]
    outcomes: SweepOutcomes
    loss: Floats
    right: Floats
    lean: float


@dataclass(frozen=True, eq=False)
class SweepTable:
    """Experiments side by side on the decision times that all of them share.

    Attributes
    ----------
    names, settings, horizons
        (n_experiments,)
    times
        (n_times,) rising.
    skill
        (n_times, n_experiments) loss of the mean so far less that of the experiment, over the
        former's mean: its mean is the share of the naive loss that the experiment saves.
    right
        (n_times, n_experiments) whose mean is directional accuracy less 1/2.
    chance
        (n_experiments,) directional accuracy of as many long forecasts without any timing.
    span
        Decision times that the longest label spans.
    left_out
        By name, why an experiment is not among them.
    """

    names: tuple[str, ...]
    settings: tuple[Mapping[str, str], ...]
    horizons: tuple[str, ...]
    times: Times
    skill: Floats
    right: Floats
    chance: Floats
    span: int
    left_out: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.names)


def past_of(labels: LabelTable, rows: Rows, horizon: str) -> Floats:
    """(n_rows, n_outputs) mean, shares or quantiles of the labels known by each decision.

    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(walk(bars=50))
    >>> past = past_of(labels, np.array([0, 2]), "1bars")
    >>> past[0, 0] == 0.0, bool(np.isclose(past[1, 0], labels.values[:2, 0].mean()))
    (np.True_, True)
    """
    return np.asarray(baseline(labels, rows)[:, labels.target.horizons.index(horizon)])


def sweep_table(
    experiments: Iterable[ExperimentSeries], *, since: np.datetime64 | None = None
) -> SweepTable:
    """Line experiments up on the decision times that at least nine in ten of them have.

    One that lacks some of these times is left out. Where fewer than 20 times are so common, all are
    held to those times that the most experiments have in just this form.

    since  leaves earlier decision times out

    Raises
    ------
    DataError
        Without any experiment, or with fewer than 20 times.

    >>> from barstack.testing import small_sweep_series
    >>> table = sweep_table(small_sweep_series())
    >>> table.skill.shape, table.span
    ((200, 8), 1)
    """
    listed = list(experiments)
    if not listed:
        raise DataError(
            "No experiment has completed, so there is nothing to compare. Run the sweep first."
        )
    by_outcomes = Counter(id(each.outcomes) for each in listed)
    every = {id(each.outcomes): each.outcomes for each in listed}
    times = _common(every, by_outcomes)
    if since is not None:
        times = times[times >= since]
    if len(times) < FEWEST_TIMES:
        raise DataError(
            f"The experiments share {len(times)} decision times; {FEWEST_TIMES} are the least to "
            "compare them on. Test more decisions, or the same for all: "
            "split: {split: hold_out, test: 0.2}."
        )
    found = {key: _rows_of(each, times) for key, each in every.items()}
    rows = {key: at for key, at in found.items() if at is not None}
    kept = [each for each in listed if id(each.outcomes) in rows]
    skill, right = np.empty((2, len(times), len(kept)))
    chance = np.empty(len(kept))
    for column, each in enumerate(kept):
        own, at = each.outcomes, rows[id(each.outcomes)]
        base, moved = own.base[at], max(float(own.moved[at].mean()), 1e-12)
        scale = float(base.mean())
        skill[:, column] = (base - each.loss[at]) / (scale if scale > 0.0 else 1.0)
        right[:, column] = each.right[at] / moved
        chance[column] = 0.5 + 0.5 * each.lean * float(own.move[at].mean()) / moved
    chosen = {each.name for each in kept}
    return SweepTable(
        tuple(each.name for each in kept),
        tuple(each.settings for each in kept),
        tuple(each.outcomes.horizon for each in kept),
        times,
        skill,
        right,
        chance,
        max(each.outcomes.span for each in kept),
        {
            each.name: "it was judged on other decisions than nine in ten of the experiments"
            for each in listed
            if each.name not in chosen
        },
    )


def _common(every: Mapping[int, SweepOutcomes], counts: Mapping[int, int]) -> Times:
    pieces = [outcomes.times for outcomes in every.values()]
    times, place = np.unique(np.concatenate(pieces), return_inverse=True)
    repeated = np.repeat([counts[key] for key in every], [len(piece) for piece in pieces])
    having = np.bincount(place, repeated)
    common = times[having >= _NEARLY_ALL * sum(counts.values())]
    if len(common) >= FEWEST_TIMES:
        return common
    return every[max(every, key=lambda key: (counts[key], len(every[key].times)))].times


def _rows_of(outcomes: SweepOutcomes, times: Times) -> Rows | None:
    at = np.searchsorted(outcomes.times, times)
    at = np.minimum(at, len(outcomes.times) - 1)
    return at if (outcomes.times[at] == times).all() else None
