"""Splits of a fold's training rows: for early stopping, and for tuning."""

from __future__ import annotations

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.times import KnownAt, iso

from ._splitter import Fold, Splitter


def early_stop_split(
    decisions: Decisions, known_at: KnownAt, rows: Rows, share: float = 0.15
) -> tuple[Rows, Rows]:
    """Training rows divided into rows to fit on and the latest rows for early stopping, purged.

    Both count as seen in training. Raises `DataError` if too few rows are left to fit on.

    rows     training rows in time order
    share    of decision times for early stopping
    returns  (rows to fit on, rows for early stopping)

    >>> from barstack.testing import small_dataset, training_rows
    >>> dataset = small_dataset("return")
    >>> rows = training_rows(dataset)
    >>> fit, stop = early_stop_split(dataset.decisions, dataset.labels.all_known_at, rows)
    >>> len(rows), len(fit), len(stop)
    (805, 676, 121)
    """
    times = np.unique(decisions.decided_at[rows])
    first = times[min(int(len(times) * (1.0 - share)), len(times) - 1)]
    fit = rows[known_at[rows] <= first]
    stop = rows[decisions.decided_at[rows] >= first]
    if len(fit) < 2:
        raise DataError(
            f"{len(rows)} training rows up to {iso(times[-1])} leave {len(fit)} to fit on "
            "beside those for early stopping. Give more bars, fewer folds, or a model that looks "
            "back less."
        )
    return fit, stop


def inner_folds(
    splitter: Splitter,
    decisions: Decisions,
    known_at: KnownAt,
    rows: Rows,
    *,
    memory_bars: int | None = None,
) -> list[Fold]:
    """Folds within a fold's training rows, purged and embargoed like any other: settings chosen by
    them have seen nothing of the fold's test.

    rows  training rows of the outer fold; other arguments as `Splitter.split` takes them

    >>> from barstack.labels import LABELS
    >>> from barstack.splits import WalkForward
    >>> from barstack.testing import walk
    >>> table = LABELS.parse({"label": "return", "horizons": [3]}).compute(walk(bars=100))
    >>> splitter = WalkForward(folds=2)
    >>> outer = splitter.split(table.decisions, table.all_known_at)[0]
    >>> inner = inner_folds(splitter, table.decisions, table.all_known_at, outer.train)
    >>> [(fold.train.max().item(), fold.test.min().item()) for fold in inner]
    [(12, 15), (23, 26)]
    >>> outer.train.max().item(), outer.test.min().item()
    (37, 40)
    """
    within = np.zeros(len(decisions), bool)
    within[rows] = True
    return splitter.split(decisions, known_at, within, memory_bars=memory_bars)
