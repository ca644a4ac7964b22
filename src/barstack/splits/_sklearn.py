"""Any splitter in the form of scikit-learn's cross-validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from barstack.core.arrays import Rows
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt, Times, iso

from ._splitter import Splitter


@dataclass(frozen=True, eq=False)
class SklearnFolds:
    """Folds to use as `cv` in scikit-learn, for a table of `n_rows` rows."""

    n_rows: int
    folds: tuple[tuple[Rows, Rows], ...]

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """(training rows, test rows) of each fold; `groups` is ignored."""
        rows = X.shape[0] if hasattr(X, "shape") else len(X)
        if rows != self.n_rows:
            raise ConfigError(
                f"These folds are of a table of {self.n_rows:,} rows, and X has {rows:,}. Make "
                "folds from the times of its rows."
            )
        yield from self.folds

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of folds."""
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

    decided_at   (n_rows,) time of each row, such as a frame's index; rows in any order
    known_at     (n_rows,) when each row's label is known, after its decision, or NaT if it is
                 open; or an integer: after how many rows of its symbol
    symbols      (n_rows,) symbol of each row, if there are several
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
    moments = _moments(decided_at, "decided_at")
    if len(moments) == 0:
        raise DataError("There is no row to split. Give decided_at a time for each row.")
    names = np.zeros(len(moments), "U1") if symbols is None else np.asarray(symbols).astype(str)
    if len(names) != len(moments):
        raise ConfigError(f"{len(moments):,} times and {len(names):,} symbols: give one a row.")
    decisions, order = Decisions.of(DecidedAt(moments), names)
    _check_moments(decisions, symbols is not None)
    if isinstance(known_at, int | np.integer) and not isinstance(known_at, bool):
        known = _after_rows(decisions, int(known_at))
    else:
        given = _moments(known_at, "known_at")
        if len(given) != len(moments):
            raise ConfigError(f"{len(moments):,} rows and {len(given):,} known_at: give one a row.")
        known = KnownAt(given[order])
        _check_ahead(decisions, known)
    folds = splitter.split(decisions, known, memory_bars=memory_bars)
    return SklearnFolds(
        len(moments), tuple((order[fold.train], order[fold.test]) for fold in folds)
    )


def _moments(given: Any, name: str) -> Times:
    """(n_rows,) times as given, in UTC."""
    ways = "a time for each row" + (
        ", such as index + pd.Timedelta('4h'), or a whole number of rows"
        if name == "known_at"
        else ", such as a frame's index"
    )
    try:
        plain = np.asarray(given)
        if plain.ndim == 1 and len(plain) and plain.dtype.kind in "bfcm":
            raise TypeError(f"it is of type {plain.dtype}")
        times = np.asarray(given, "datetime64[us]") if plain.ndim == 1 else None
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{name} contains a value that is not a time: {error}. Give {ways}."
        ) from None
    if times is None:
        shown = f"{given!r}" if plain.ndim == 0 else f"a table of shape {plain.shape}"
        raise ConfigError(f"{name} is {shown}. Give {ways}.")
    return times


def _check_ahead(decisions: Decisions, known_at: KnownAt) -> None:
    """Refuse labels known at their decision, which would not be purged."""
    early = known_at <= decisions.decided_at  # False for NaT, an open label
    if early.any():
        row = int(np.argmax(early))
        raise DataError(
            f"{int(early.sum()):,} labels are known by their decision, the first decided at "
            f"{iso(decisions.decided_at[row])} and known at {iso(known_at[row])}. Give the time at "
            "which each label is known, after its decision."
        )


def _check_moments(decisions: Decisions, named: bool) -> None:
    moments = decisions.decided_at
    if np.isnat(moments).any():
        raise DataError("A row has no decision time. Leave it out, or give its time.")
    same = np.diff(decisions.symbol_code) == 0
    repeated = same & (moments[1:] == moments[:-1])
    if repeated.any():
        row = int(np.argmax(repeated))
        whose = f" for {decisions.symbol[row]}" if named else ""
        raise DataError(
            f"Two rows{whose} are decided at {iso(moments[row])}. Drop one"
            + ("." if named else ", or give their symbols with symbols=.")
        )


def _after_rows(decisions: Decisions, rows: int) -> KnownAt:
    """When each label is known that spans so many rows of its symbol."""
    if rows < 1:
        raise ConfigError(f"A label known after {rows} rows does not lie ahead; give 1 or more.")
    places = np.arange(len(decisions)) + min(rows, len(decisions))
    ends = np.searchsorted(decisions.symbol_code, decisions.symbol_code, side="right")
    known = decisions.decided_at[np.minimum(places, len(decisions) - 1)]
    # Labels that end beyond the table are known after all others.
    latest = decisions.decided_at.max() + np.timedelta64(1, "us")
    return KnownAt(np.where(places < ends, known, latest))
