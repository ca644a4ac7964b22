"""The part of each row in each fold, as a picture of a split shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barstack.core.arrays import Bools, Rows
from barstack.core.decisions import Decisions
from barstack.core.times import NEVER, KnownAt, Times

from ._inner import early_stop_split
from ._splitter import Splitter

PARTS = (
    "train",
    "stop",
    "purged",
    "embargoed",
    "test",
)  # later ones hide earlier ones
UNUSED = -1


@dataclass(frozen=True, eq=False)
class FoldParts:
    """The rows of one fold by their part; rows in none of them are unused.

    train      to fit on
    stop       for early stopping; empty without it
    purged     not trained on, as their labels overlap the test or the rows for early stopping
    embargoed  not trained on, as their features still read the test
    test       to forecast
    """

    train: Rows
    stop: Rows
    purged: Rows
    embargoed: Rows
    test: Rows


def fold_parts(
    splitter: Splitter,
    decisions: Decisions,
    known_at: KnownAt,
    usable: Bools | None = None,
    *,
    memory_bars: int | None = None,
    stop_share: float = 0.0,
) -> list[FoldParts]:
    """The part of each row in each fold of `splitter.split`.

    stop_share  of training times for early stopping

    >>> from barstack.splits import WalkForward
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> len(fold_parts(WalkForward(folds=3), data.decisions, data.labels.all_known_at))
    3
    """
    folds = splitter.split(decisions, known_at, usable, memory_bars=memory_bars)
    # The same folds without embargo, and also without purge: with labels known at once.
    bare = splitter.model_copy(update={"embargo": 0})
    soon = decisions.decided_at + np.timedelta64(1, "us")
    at_once = KnownAt(np.where(np.isnat(known_at), NEVER, soon))
    unembargoed = bare.split(decisions, known_at, usable)
    unpurged = bare.split(decisions, at_once, usable)
    parts = []
    for fold, purged, allowed in zip(folds, unembargoed, unpurged, strict=True):
        fit, stop = fold.train, fold.train[:0]
        if stop_share:
            fit, stop = early_stop_split(decisions, known_at, fold.train, stop_share)
        left_out = np.setdiff1d(allowed.train, purged.train)
        between = np.setdiff1d(fold.train, np.concatenate([fit, stop]))
        parts.append(
            FoldParts(
                train=fit,
                stop=stop,
                purged=np.concatenate([left_out, between]),
                embargoed=np.setdiff1d(purged.train, fold.train),
                test=fold.test,
            )
        )
    return parts


@dataclass(frozen=True, eq=False)
class PartRun:
    """Consecutive decision times with the same part in a fold.

    start, end  positions in the sorted decision times; `end` exclusive
    """

    part: str
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class SplitPicture:
    """The part of each decision time in each fold.

    times   (n_times,) sorted
    part    (n_folds, n_times) index in `PARTS`, or `UNUSED`
    counts  for each fold, the number of rows of each part

    >>> from barstack.splits import WalkForward, fold_parts, picture
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> parts = fold_parts(WalkForward(folds=3), data.decisions, data.labels.all_known_at)
    >>> len(picture(parts, data.decisions).counts)
    3
    """

    times: Times
    part: npt.NDArray[np.int8]
    counts: list[dict[str, int]]

    def runs(self, fold: int) -> list[PartRun]:
        """The parts of one fold in time order, without unused times."""
        part = self.part[fold]
        edges = np.flatnonzero(np.diff(part)) + 1
        starts, ends = np.append(0, edges), np.append(edges, len(part))
        return [
            PartRun(PARTS[part[start]], int(start), int(end))
            for start, end in zip(starts, ends, strict=True)
            if part[start] != UNUSED
        ]


def picture(
    parts: Sequence[FoldParts], decisions: Decisions, usable: Bools | None = None
) -> SplitPicture:
    """The parts of every fold along the common clock of all symbols.

    >>> from barstack.splits import WalkForward, fold_parts
    >>> from barstack.testing import small_dataset
    >>> data = small_dataset("return")
    >>> parts = fold_parts(WalkForward(folds=3), data.decisions, data.labels.all_known_at)
    >>> picture(parts, data.decisions).part.shape  # folds, decision times
    (3, 600)
    """
    used = decisions.decided_at if usable is None else decisions.decided_at[usable]
    times = np.unique(used)
    part = np.full((len(parts), len(times)), UNUSED, np.int8)
    for fold, each in enumerate(parts):
        for place, name in enumerate(PARTS):
            rows: Rows = getattr(each, name)
            part[fold, np.searchsorted(times, decisions.decided_at[rows])] = place
    counts = [{name: len(getattr(each, name)) for name in PARTS} for each in parts]
    return SplitPicture(times, part, counts)
