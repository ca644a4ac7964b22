"""Any splitter as scikit-learn's cross-validation takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.decisions import Decisions, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt, iso

from ._splitter import Splitter


@dataclass(frozen=True, eq=False)
class SklearnFolds:
    """Folds to hand to scikit-learn as `cv`, for a table of so many rows."""

    n_rows: int
    folds: tuple[tuple[Rows, Rows], ...]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """(training rows, test rows) of each fold; `groups` changes nothing."""
        rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if rows != self.n_rows:
            raise ConfigError(
                f"These folds are of a table of {self.n_rows:,} rows, and X has {rows:,}. Make "
                "them anew from the times of its own rows."
            )
        yield from self.folds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """How many folds."""
        return len(self.folds)


def for_sklearn(
    splitter: Splitter,
    decided_at: Any,
    known_at: Any,
    *,
    symbols: Any = None,
    memory_bars: int | None = None,
) -> SklearnFolds:
    """Purged folds of a table's rows, for `cross_val_score`, `GridSearchCV` and the like.

    decided_at   (n_rows,) the moment of each row, such as a frame's index; rows in any order
    known_at     (n_rows,) when each row's label is known; or after how many rows of its symbol
    symbols      (n_rows,) whose row each is, where there are several
    memory_bars  as `Splitter.split` takes it

    >>> import numpy as np
    >>> from barstack.splits import WalkForward
    >>> hours = np.datetime64("2026-01-05T00:00") + np.arange(12) * np.timedelta64(1, "h")
    >>> cv = for_sklearn(WalkForward(folds=2, first_train=0.5), hours, 3)
    >>> for train, test in cv.split(np.zeros((12, 1))):
    ...     print(train, test)
    [0 1 2 3] [6 7 8]
    [0 1 2 3 4 5 6] [ 9 10 11]
    """
    moments = np.asarray(decided_at, "datetime64[us]")
    names = np.zeros(len(moments), "U1") if symbols is None else np.asarray(symbols).astype(str)
    if len(names) != len(moments):
        raise ConfigError(f"{len(moments):,} times and {len(names):,} symbols: give one a row.")
    unique, codes = np.unique(names, return_inverse=True)
    order = np.lexsort((moments, codes))
    decisions = Decisions(
        tuple(unique.tolist()), codes[order].astype(np.int32), DecidedAt(moments[order])
    )
    _check_moments(decisions, symbols is not None)
    if isinstance(known_at, int | np.integer):
        known = _after_rows(decisions, int(known_at))
    else:
        given = np.asarray(known_at, "datetime64[us]")
        if len(given) != len(moments):
            raise ConfigError(f"{len(moments):,} rows and {len(given):,} known_at: give one a row.")
        known = KnownAt(given[order])
    folds = splitter.split(decisions, known, memory_bars=memory_bars)
    return SklearnFolds(
        len(moments), tuple((order[fold.train], order[fold.test]) for fold in folds)
    )


def _check_moments(decisions: Decisions, named: bool) -> None:
    moments = decisions.decided_at
    if np.isnat(moments).any():
        raise DataError("A row has no time of its decision. Leave it out, or say when it falls.")
    same = np.diff(decisions.symbol_code) == 0
    repeated = same & (moments[1:] == moments[:-1])
    if repeated.any():
        row = int(np.argmax(repeated))
        whose = f" for {decisions.symbol[row]}" if named else ""
        raise DataError(
            f"Two rows{whose} are decided at {iso(moments[row])}. Drop one"
            + ("." if named else ", or say whose they are with symbols=.")
        )


def _after_rows(decisions: Decisions, rows: int) -> KnownAt:
    """When each label is known that takes so many rows of its symbol."""
    if rows < 1:
        raise ConfigError(f"A label known after {rows} rows does not lie ahead; give 1 or more.")
    places = np.arange(len(decisions)) + rows
    ends = np.searchsorted(decisions.symbol_code, decisions.symbol_code, side="right")
    known = decisions.decided_at[np.minimum(places, len(decisions) - 1)]
    # Rows whose label lies beyond the table have one all the same: it is known after all others.
    latest = decisions.decided_at.max() + np.timedelta64(1, "us")
    return KnownAt(np.where(places < ends, known, latest))
