"""What columns know of the future beyond what the bars' own past tells, and how surely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from barstack.core.arrays import Bools, Floats, Ints, Rows
from barstack.features import FeatureTable

from ._past import Past

FEWEST = 30  # rows, and stretches of time side by side, that can tell anything
_DEVIATIONS = 2.0  # how surely a correlation must lie above its limit
_SURE = 5.5  # and above zero: many columns are held against many futures
_ROUNDING = 1e-5  # of a column
_WIDEST = 4.0  # deviations, beyond which a number counts no further


@dataclass(frozen=True, eq=False)
class Future:
    """Something that follows each row, as far as the bars' own past does not tell it.

    values   (n_rows,) NaN where it is not known
    block    (n_rows,) number of the stretch of time; those of two stretches hardly overlap
    n_apart  how many stretches there are
    n_told   how many numbers of the past were fitted to it
    side     whether it says which way the price goes, else how much it moves
    main     what the study's label asks for
    """

    what: str
    values: Floats
    block: Ints
    n_apart: int
    n_told: int
    side: bool
    main: bool


class Table:
    """The columns at rows whose past is known, and what of them that past does not tell."""

    def __init__(self, raw: Floats, symbol: Ints, past: Past, kept: Ints) -> None:
        self.raw, self.symbol, self.rows = raw, symbol, kept
        moves = _with_symbols(past.moves[kept], symbol)
        self.moves = np.linalg.qr(moves)[0]
        self.sizes = np.linalg.qr(np.hstack([moves, past.sizes[kept]]))[0]
        there = np.isfinite(raw)
        self.forms = [_left(form, there, self.moves) for form in _forms(raw, symbol)]
        self._by_size: list[Floats] | None = None

    @classmethod
    def of(cls, features: FeatureTable, past: Past, rows: Rows, places: list[int]) -> Table | None:
        """None where too few rows have a past."""
        known = np.isfinite(past.scale) & np.isfinite(past.moves).all(axis=1)
        kept = np.flatnonzero(known)
        if len(kept) < 2 * past.moves.shape[1] + FEWEST or not places:
            return None
        raw = features.values[rows[kept]][:, places]
        raw = np.where(np.isfinite(raw), raw, np.nan)
        return cls(raw, features.decisions.symbol_code[rows[kept]].astype(np.int64), past, kept)

    def future(
        self,
        what: str,
        values: Floats,
        bars: int,
        times: Ints,
        *,
        side: bool = True,
        main: bool = False,
    ) -> Iterator[Future]:
        """One, where there is enough of it."""
        block = times[self.rows] // max(bars, 1)
        found = values[self.rows]
        there = np.isfinite(found)
        n_apart = len(np.unique(block[there]))
        basis = self.moves if side else self.sizes
        if n_apart < max(FEWEST, 2 * basis.shape[1]) or np.ptp(found[there]) == 0.0:
            return
        left = _left(found[:, None], there[:, None], basis)[:, 0]
        yield Future(
            what, np.where(there, left, np.nan), block, n_apart, basis.shape[1], side, main
        )

    def knowing(self, future: Future, limit: float) -> Iterator[tuple[int, float]]:
        """Each column that knows it, with the correlation."""
        forms = self.forms if future.side else self._forms_by_size
        there = np.isfinite(future.values)
        y = np.nan_to_num(future.values)
        size = np.sqrt((y * y).sum())
        best: dict[int, float] = {}
        for form in forms:
            norm = np.sqrt((form * form).T @ there.astype(float))
            # What is left of a column that the past tells is rounding.
            told = norm > _ROUNDING * np.sqrt(there.sum())
            correlations = np.divide(
                form.T @ y, norm * size, out=np.zeros(len(norm)), where=told & (norm * size > 0.0)
            )
            for column in map(int, np.flatnonzero(np.abs(correlations) > limit)):
                c = float(abs(correlations[column]))
                products = form[:, column] * y
                if surely(c, products, future.block, future.n_told) > limit:
                    best[column] = max(c, best.get(column, 0.0))
        yield from sorted(best.items())

    @property
    def strangest(self) -> Ints:
        """Columns in the order of how little the bars' own past tells of them."""
        left = (self._forms_by_size[0] ** 2).sum(axis=0)
        return np.argsort(-left, kind="stable")

    @property
    def _forms_by_size(self) -> list[Floats]:
        if self._by_size is None:
            there = np.isfinite(self.raw)
            forms = _forms(self.raw, self.symbol)
            self._by_size = [_left(form, there, self.sizes) for form in forms]
        return self._by_size


def surely(correlation: float, products: Floats, block: Ints, n_told: int) -> float:
    """What a correlation is at least, but for standard errors; 0 where it may be chance.

    products  (n_rows,) of the two, whose sum it comes from; those of one block count as one
    n_told    how many numbers were fitted to the same rows
    """
    sums = np.bincount(np.unique(block, return_inverse=True)[1], products)
    n_apart = len(sums)
    robust = correlation * np.sqrt(n_apart) * sums.std() / max(abs(sums.sum()), 1e-300)
    error = max(1.0 / np.sqrt(max(n_apart - n_told - 3.0, 1.0)), robust)
    size = np.arctanh(min(correlation, 1.0 - 1e-12))
    return float(np.tanh(size - _DEVIATIONS * error)) if size > _SURE * error else 0.0


def _with_symbols(table: Floats, symbol: Ints) -> Floats:
    """A column of ones for each symbol beside the others."""
    ones = (symbol[:, None] == np.unique(symbol)).astype(float)
    return np.hstack([table, ones])


def _forms(raw: Floats, symbol: Ints) -> list[Floats]:
    """Columns within each symbol: standardised, and as ranks. Zero where there is nothing."""
    plain, ranks = np.zeros_like(raw), np.zeros_like(raw)
    for code in np.unique(symbol):
        own = symbol == code
        for place, column in enumerate(raw[own].T):
            seen = np.isfinite(column)
            if seen.sum() < 2:
                continue
            for form, values in ((plain, column[seen]), (ranks, rankdata(column[seen]))):
                spread = values.std()
                if spread > 0.0:
                    target = np.zeros(len(column))
                    target[seen] = (values - values.mean()) / spread
                    form[own, place] = target
    return [plain, ranks]


def _left(values: Floats, there: Bools, basis: Floats) -> Floats:
    """What the basis does not explain, less its wildest; zero where there is nothing."""
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    filled = np.where(there, filled - mean, 0.0)
    left = np.where(there, filled - basis @ (basis.T @ filled), 0.0)
    widest = _WIDEST * np.sqrt((left * left).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return np.clip(left, -widest, widest)
