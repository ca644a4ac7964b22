"""Columns that know the answer: alone or together they forecast better than can be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from barstack.bars import Panel
from barstack.core.decisions import Rows
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._copies import Later
from ._leak import Leak
from ._past import AHEAD, Past, correlation, over, past_of
from ._together import Together

TOO_GOOD = 0.3  # correlation with what follows that no column of an honest market reaches
_TOO_GOOD_SIZE = 0.7  # the same of how much it moves, which is far better foreseeable
_DEVIATIONS = 2.0  # how surely it must lie above
_SURE = 5.5  # and above zero: many columns are held against many futures
_FEWEST = 30  # rows, and labels side by side, that can tell anything
_CLASSES = 24  # values of a label that is read as classes
_IS_RETURN = 0.85  # correlation with the price's own move from which a label is read as a return
_WIDEST = 4.0  # deviations, beyond which a number counts no further
_MOST_ROWS, _STRETCH = 10_000, 500  # more rows tell no more
_ROUNDING = 1e-5  # of a column
# Stretches of later bars whose return a column may know: (bars until it begins, bars it lasts).
_WINDOWS = (
    *((first, 1) for first in range(24)),
    *((first, 4) for first in range(0, 24, 2)),
    *((first, 12) for first in range(0, 28, 4)),
    *((0, bars) for bars in (2, 8, 20, 24, 36, AHEAD)),
    *((first, 24) for first in (8, 16)),
)

_MEND = "Find out when it was known: it may be stamped too early, or made of the label."

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def hunt_targets(
    features: FeatureTable,
    labels: LabelTable,
    panel: Panel,
    too_good: float = TOO_GOOD,
    *,
    short: bool = False,
) -> Iterator[Leak]:
    """Columns that are later numbers themselves, or know what follows better than can be.

    too_good  what the correlation with later returns, less four standard errors, must not reach

    What the bars' own past tells, such as the way back of a price that is pegged, is no leak: only
    what a column knows beyond it counts. Whether a price will move much is foreseeable and its
    side is not, so columns are held against returns, whose mean given the past is nearly zero
    however asymmetric the barriers are, and not against the numbers of classes.
    """
    rows = _some(features)
    later = Later(features, panel, rows)
    told: set[int] = set()
    for place, name in enumerate(features.columns):
        copy = later.copied(features.values[rows, place])
        if copy is not None:
            told.add(place)
            yield _leak(features, int(rows[copy[1]]), name, f"Feature {name!r} is {copy[0]}")
    past = past_of(labels.decisions, panel, rows)
    rest = [place for place in range(len(features.columns)) if place not in told]
    table = _Table.of(features, past, rows, rest)
    if table is None:
        return
    futures = list(_futures(labels, past, rows, table))
    for future in futures:
        limit = too_good if future.side else max(_TOO_GOOD_SIZE, too_good)
        for column, found in table.knowing(future, limit):
            place = rest[column]
            if place in told:
                continue
            told.add(place)
            name = features.columns[place]
            yield _leak(
                features,
                int(rows[table.rows[0]]),
                name,
                f"Feature {name!r} forecasts {future.what} with a correlation of "
                f"{found:.2f} beyond what the bars' own past tells, over "
                f"{future.n_apart:,} such stretches side by side; nothing honest reaches "
                f"{limit:g}",
            )
    if told:
        return
    sides = [future for future in futures if future.side and (future.main or not short)]
    names = [features.columns[place] for place in rest]
    together = Together(table.raw, table.symbol, names, surely)
    for future in sides:
        known = together.knowing(future.values, future.block, too_good, deep=not short)
        if known is not None:
            yield _leak(
                features,
                int(rows[table.rows[0]]),
                known.name,
                f"{known.what} forecasts {future.what} with a correlation of "
                f"{known.correlation:.2f}, which no honest columns reach together either "
                f"({too_good:g})",
            )
            return


def _some(features: FeatureTable) -> Rows:
    """Rows to look at: all, or of many a spread of stretches, in which labels still overlap."""
    n_rows = len(features.decisions)
    if n_rows <= _MOST_ROWS:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _STRETCH, _MOST_ROWS // _STRETCH).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(_STRETCH)).ravel())


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


def _futures(labels: LabelTable, past: Past, rows: Rows, table: _Table) -> Iterator[Future]:
    times = np.unique(labels.decisions.decided_at[rows], return_inverse=True)[1]
    for place, horizon in enumerate(labels.target.horizons):
        held = _bars_held(labels, rows, place)
        returns, values = labels.returns[rows, place], labels.values[rows, place]
        what = f"the label of horizon {horizon}"
        if _is_return(returns, values, past, held):
            scaled = returns / (past.scale * np.sqrt(held))
            yield from table.future(what, np.clip(scaled, -8.0, 8.0), held, times, main=True)
            if not _differ(values, returns):
                continue
        for size in _sizes(values):
            yield from table.future(what, size, held, times, side=False)
    for first, bars in _WINDOWS:
        what = f"the return of {bars} bar{'s' if bars > 1 else ''} from the {_th(first + 1)} on"
        yield from table.future(what, over(past, bars, first), bars, times)


def _th(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number in (11, 12, 13) else ends.get(number % 10, 'th')}"


def _bars_held(labels: LabelTable, rows: Rows, place: int) -> int:
    """How many decision times the longer labels take."""
    decided = labels.decisions.decided_at[rows]
    known = labels.known_at[rows, place]
    there = ~np.isnat(known)
    times = np.unique(labels.decisions.decided_at)
    steps = np.searchsorted(times, known[there]) - np.searchsorted(times, decided[there])
    return max(int(np.quantile(steps, 0.9)), 1) if len(steps) else 1


def _is_return(returns: Floats, values: Floats, past: Past, held: int) -> bool:
    """Whether `returns` are the price's: said by a label that has values beside, else measured."""
    if _differ(values, returns):
        return True
    moves = over(past, min(held, AHEAD)) * past.scale
    both = np.isfinite(moves) & np.isfinite(returns)
    if both.sum() < _FEWEST or _few(returns):
        return False
    return correlation(rankdata(moves[both]), rankdata(returns[both])) > _IS_RETURN


def _differ(values: Floats, returns: Floats) -> bool:
    return not np.array_equal(values, returns, equal_nan=True)


def _few(values: Floats) -> bool:
    return len(np.unique(values[np.isfinite(values)][:_STRETCH])) <= _CLASSES


def _sizes(values: Floats) -> list[Floats]:
    """A label as numbers: each of its classes, or its ranks."""
    seen = np.isfinite(values)
    if not seen.any():
        return []
    if not _few(values):
        ranks = np.full(len(values), np.nan)
        ranks[seen] = rankdata(values[seen])
        return [ranks]
    classes = np.unique(values[seen])[: _CLASSES if len(values) else 0]
    return [np.where(seen, values == each, np.nan) for each in classes]


class _Table:
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
    def of(cls, features: FeatureTable, past: Past, rows: Rows, places: list[int]) -> _Table | None:
        """None where too few rows have a past."""
        known = np.isfinite(past.scale) & np.isfinite(past.moves).all(axis=1)
        kept = np.flatnonzero(known)
        if len(kept) < 2 * past.moves.shape[1] + _FEWEST or not places:
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
        if n_apart < max(_FEWEST, 2 * basis.shape[1]) or np.ptp(found[there]) == 0.0:
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


def _left(values: Floats, there: Flags, basis: Floats) -> Floats:
    """What the basis does not explain, less its wildest; zero where there is nothing."""
    filled = np.where(there, values, 0.0)
    mean = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    filled = np.where(there, filled - mean, 0.0)
    left = np.where(there, filled - basis @ (basis.T @ filled), 0.0)
    widest = _WIDEST * np.sqrt((left * left).sum(axis=0) / np.maximum(there.sum(axis=0), 1))
    return np.clip(left, -widest, widest)


def _leak(features: FeatureTable, row: int, name: str, what: str) -> Leak:
    decisions = features.decisions
    symbol, at = str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
    return Leak(
        "features", name, symbol, at, f"{what}; first seen of {symbol} at {iso(at)}.", _MEND
    )
