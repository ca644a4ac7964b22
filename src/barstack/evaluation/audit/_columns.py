"""Columns that know more of the future than honest ones can, alone or together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from barstack.bars import Bars, Panel
from barstack.core.arrays import Bools, Floats, Ints, Rows, ranks_of
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError
from barstack.core.horizon import Horizon
from barstack.core.times import DAY_US, iso, microseconds
from barstack.features import FeatureTable
from barstack.labels import LabelTable

from ._duplicates import Later
from ._leak import Leak, who

# --- what the bars' own past tells ----------------------------------------------------------------

AHEAD = 48  # bars
_SPANS = (3, 10, 40, 160)  # bars of exponential means
_LAGS = 5
_HOURS = 24
_FURTHEST = 20.0  # deviations
_WILDEST = 8.0  # deviations, beyond which a move counts no further


@dataclass(frozen=True, eq=False)
class Past:
    """Some rows of a table beside the bars of their own symbols.

    bar    (n_rows,) the last bar closed by the decision, as a row of its symbol's bars; -1: none
    close  (n_rows,) its close
    moves  (n_rows, n) its latest returns, its distance from its own means and within its bar
    sizes  (n_rows, n) how much it has moved and traded, and the hour of the day
    scale  (n_rows,) trailing deviation of a bar's log return
    ahead  (n_rows, AHEAD) log returns of the following bars in such deviations; NaN at the end
    """

    bar: Ints
    close: Floats
    moves: Floats
    sizes: Floats
    scale: Floats
    ahead: Floats


def past_of(decisions: Decisions, panel: Panel, rows: Rows) -> Past:
    """What the bars show by the decisions of `rows`; NaN where there are too few."""
    bar = np.full(len(rows), -1, np.int64)
    close, scale = (np.full(len(rows), np.nan) for _ in range(2))
    moves = np.full((len(rows), _LAGS + len(_SPANS) + 5), np.nan)
    sizes = np.full((len(rows), 2 + 2 * len(_SPANS) + _HOURS), np.nan)
    ahead = np.full((len(rows), AHEAD), np.nan)
    for code, symbol in enumerate(decisions.symbols):
        own = np.flatnonzero(decisions.symbol_code[rows] == code)
        if symbol not in panel or not len(own):
            continue
        bars, decided_at = panel[symbol], decisions.decided_at[rows[own]]
        at = np.searchsorted(bars.closed_at, decided_at, side="right") - 1
        own, at = own[at >= 0], at[at >= 0]
        history = _BarHistory(bars)
        bar[own], close[own], scale[own] = at, bars.close[at], history.scale[at]
        moves[own], sizes[own, :-_HOURS] = history.moves[at], history.sizes[at]
        hour = microseconds(decisions.decided_at[rows[own]]) % DAY_US * _HOURS // DAY_US
        sizes[own, -_HOURS:] = hour[:, None] == np.arange(_HOURS)
        steps = np.append(history.steps, np.full(AHEAD, np.nan))
        ahead[own] = steps[at[:, None] + np.arange(1, AHEAD + 1)] / history.scale[at, None]
    return Past(bar, close, moves, sizes, scale, np.clip(ahead, -_WILDEST, _WILDEST))


def over(past: Past, bars: int, first: int = 0) -> Floats:
    """(n_rows,) the move of so many later bars, in deviations, `first` bars after the decision."""
    moves: Floats = past.ahead[:, first : first + bars].sum(axis=1) / np.sqrt(bars)
    return np.clip(moves, -_WILDEST, _WILDEST)


def correlation(first: Floats, second: Floats) -> float:
    """0 where one of the two never changes."""
    a, b = first - first.mean(), second - second.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0.0 else 0.0


class _BarHistory:
    """The same for every bar of one symbol."""

    def __init__(self, bars: Bars) -> None:
        records = bars.records
        close = np.log(np.ascontiguousarray(records["close"]))
        self.steps = np.diff(close, prepend=np.nan)
        first = np.nan_to_num(self.steps)
        variance = _mean(first**2, _SPANS[-1])
        self.scale = np.sqrt(variance)
        self.scale[: _SPANS[1]] = np.nan
        self.scale[~(self.scale > 0.0)] = np.nan
        middle = 0.5 * np.log(records["high"] * records["low"])
        levels = [_standard(close), _standard(np.ascontiguousarray(records["close"]))]
        within = np.stack([middle - close, np.log(records["open"]) - close])
        lags = [np.append(np.zeros(k), first[: len(first) - k]) for k in range(_LAGS)]
        away = [close - _mean(close, span) for span in _SPANS]
        away.append(close - np.cumsum(close) / np.arange(1, len(close) + 1))
        parts = np.stack([*lags, *away, *within]) / self.scale
        self.moves = np.vstack([np.clip(parts, -_FURTHEST, _FURTHEST), *levels]).T
        volume = np.log1p(records["volume"])
        sizes = [_mean(np.abs(first), span) for span in _SPANS]
        busy = [_mean(volume, span) for span in _SPANS]
        self.sizes = np.stack([np.log(records["high"] / records["low"]), volume, *sizes, *busy]).T


def _standard(values: Floats) -> Floats:
    size = values.std()
    return np.asarray((values - values.mean()) / (size if size > 0.0 else 1.0))


def exponential_mean(values: Floats, share: float) -> Floats:
    """Mean of the values up to each, the newest counting `share`, begun at the first."""
    # scipy.signal does the same, and takes more than a second to import.
    return pl.Series(values).ewm_mean(alpha=share, adjust=False).to_numpy()


def _mean(values: Floats, span: int) -> Floats:
    """Exponential mean of the values up to each, begun at the first."""
    return exponential_mean(values, 2.0 / (span + 1.0))


# --- what a column knows of the future beyond that, and how surely --------------------------------

FEWEST = 30  # rows, and stretches of time side by side, that can tell anything
_DEVIATIONS = 2.0  # how surely a correlation must lie above its limit
_SURE = 5.5  # and above zero: many columns are held against many futures
_COLUMN_ROUNDING = 1e-5  # of a column
_WIDEST = 4.0  # deviations, beyond which a number counts no further


@dataclass(frozen=True, eq=False)
class FutureValues:
    """Something that follows each row, as far as the bars' own past does not tell it.

    values   (n_rows,) NaN where it is not known
    block    (n_rows,) number of the stretch of time; those of two stretches hardly overlap
    n_separate  how many stretches there are
    n_fitted   how many numbers of the past were fitted to it
    side     whether it says which way the price goes, else how much it moves
    main     what the study's label asks for
    """

    what: str
    values: Floats
    block: Ints
    n_separate: int
    n_fitted: int
    side: bool
    main: bool


class Table:
    """The columns at rows whose past is known, and what of them that past does not tell."""

    def __init__(self, raw: Floats, symbol: Ints, past: Past, kept: Ints) -> None:
        self.raw, self.symbol, self.rows = raw, symbol, kept
        moves = _with_symbols(past.moves[kept], symbol)
        self.moves = np.linalg.qr(moves)[0]
        self.sizes = np.linalg.qr(np.hstack([moves, past.sizes[kept]]))[0]
        self._whole_forms = _forms(raw, symbol)
        there = np.isfinite(raw)
        self.forms = [_left(form, there, self.moves) for form in self._whole_forms]

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
    ) -> Iterator[FutureValues]:
        """One, where there is enough of it."""
        block = times[self.rows] // max(bars, 1)
        found = values[self.rows]
        there = np.isfinite(found)
        n_separate = len(np.unique(block[there]))
        basis = self.moves if side else self.sizes
        if n_separate < max(FEWEST, 2 * basis.shape[1]) or np.ptp(found[there]) == 0.0:
            return
        left = _left(found[:, None], there[:, None], basis)[:, 0]
        yield FutureValues(
            what, np.where(there, left, np.nan), block, n_separate, basis.shape[1], side, main
        )

    def knowing(self, future: FutureValues, limit: float) -> Iterator[tuple[int, float]]:
        """Each column that knows it, with the correlation."""
        forms = self.forms if future.side else self._forms_by_size
        there = np.isfinite(future.values)
        y = np.nan_to_num(future.values)
        size = np.sqrt((y * y).sum())
        best: dict[int, float] = {}
        for form in forms:
            norm = np.sqrt((form * form).T @ there.astype(float))
            # What is left of a column that the past explains is rounding.
            remains = norm > _COLUMN_ROUNDING * np.sqrt(there.sum())
            correlations = np.divide(
                form.T @ y,
                norm * size,
                out=np.zeros(len(norm)),
                where=remains & (norm * size > 0.0),
            )
            for column in map(int, np.flatnonzero(np.abs(correlations) > limit)):
                c = float(abs(correlations[column]))
                products = form[:, column] * y
                if surely(c, products, future.block, future.n_fitted) > limit:
                    best[column] = max(c, best.get(column, 0.0))
        yield from sorted(best.items())

    @property
    def strangest(self) -> Ints:
        """Columns in the order of how little the bars' own past tells of them."""
        left = (self._forms_by_size[0] ** 2).sum(axis=0)
        return np.argsort(-left, kind="stable")

    @cached_property
    def _forms_by_size(self) -> list[Floats]:
        there = np.isfinite(self.raw)
        return [_left(form, there, self.sizes) for form in self._whole_forms]


def surely(correlation: float, products: Floats, block: Ints, n_fitted: int) -> float:
    """What a correlation is at least, but for standard errors; 0 where it may be chance.

    products  (n_rows,) of the two, whose sum it comes from; those of one block count as one
    n_fitted    how many numbers were fitted to the same rows
    """
    sums = np.bincount(np.unique(block, return_inverse=True)[1], products)
    n_separate = len(sums)
    robust = correlation * np.sqrt(n_separate) * sums.std() / max(abs(sums.sum()), 1e-300)
    error = max(1.0 / np.sqrt(max(n_separate - n_fitted - 3.0, 1.0)), robust)
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
            for form, values in ((plain, column[seen]), (ranks, ranks_of(column[seen]))):
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


Surely = Callable[[float, Floats, Ints, int], float]

# --- columns that know it only together: a sum, a difference, a product or a ratio of them --------

_ROWS, _STRETCH_ROWS = 4_000, 400
_MOST_FACTORS = 240  # of those that products are made of; their number counts squared
_MOST_IN_TRIPLES, _ROWS_IN_TRIPLES = 40, 2_000
_WILDEST_FACTOR = 8.0  # root mean squares, beyond which a factor counts no further
_PRODUCT_ROUNDING = 1e-11  # of a product's mean square: less variance than that is none
_NAMED = 4  # columns at most
_ENOUGH = 0.8  # of the correlation that all columns have


class Found(NamedTuple):
    name: str
    what: str
    correlation: float


class Together:
    """Columns at rows, standardised within each symbol once, and tested against several futures.

    order   of the columns, those first that are to be tried where not all can be
    surely  what a correlation is at least, given the products it is the sum of, their blocks and
            how many numbers were fitted
    """

    def __init__(
        self, raw: Floats, symbol: Ints, names: Sequence[str], order: Ints, surely: Surely
    ) -> None:
        raw = raw[:, order]
        self.names, self.order = [names[place] for place in order], order
        self.surely = surely
        self.rows = _stretches(len(raw), _ROWS)
        raw, symbol = raw[self.rows], symbol[self.rows]
        self.centred = _scaled(raw, symbol, centred=True)
        self.factors, self.of = _factors(raw, self.centred, symbol)
        self.mean = self.factors.T @ self.factors / len(raw)
        squares = self.factors**2
        self.square = squares.T @ squares / len(raw)

    def knowing(self, values: Floats, block: Ints, limit: float, *, deep: bool) -> Found | None:
        """The columns that know some future, if any do.

        deep  products of three are tried as well
        """
        y = values[self.rows]
        there, block = np.isfinite(y), block[self.rows]
        y = np.where(there, y - y[there].mean(), 0.0)
        if not (size := float(np.sqrt((y * y).mean()))) > 0.0:
            return None
        return (
            self._sum(y / size, block, limit)
            or self._product(y / size, block, limit)
            or (self._triple(y / size, block, limit) if deep else None)
        )

    def _named(self, columns: Iterable[int]) -> list[str]:
        """In the order of the table."""
        return [self.names[place] for place in sorted(columns, key=self.order.__getitem__)]

    def _sum(self, y: Floats, block: Ints, limit: float) -> Found | None:
        """A linear combination, learned in one half of the time and tried in the other."""
        X, half = self.centred, block > np.median(block)
        n_columns = X.shape[1]
        if min(half.sum(), (~half).sum()) < 3 * n_columns or n_columns < 2:
            return None
        forecast = np.zeros(len(y))
        for train in (half, ~half):
            beta = np.linalg.lstsq(X[train], y[train], rcond=1e-10)[0]
            widest = _WILDEST_FACTOR * np.sqrt(((X[train] @ beta) ** 2).mean())
            forecast[~train] = np.clip(X[~train] @ beta, -widest, widest)
        found = correlation(forecast, y)
        if not (found > limit and self.surely(found, forecast * y, block, 0) > limit):
            return None
        chosen = _fewest_columns(X, y)
        names = self._named(chosen)
        return Found(_listed(names), f"A sum or difference of {_quoted(names)}", found)

    def _product(self, y: Floats, block: Ints, limit: float) -> Found | None:
        covariance = self.factors.T @ (self.factors * y[:, None]) / len(y)
        correlations = _ratio(covariance, self.square, self.mean)
        first, second = np.unravel_index(np.argmax(np.abs(correlations)), correlations.shape)
        found = float(abs(correlations[first, second]))
        if not found > limit:
            return None
        product = self.factors[:, first] * self.factors[:, second] - self.mean[first, second]
        if not self.surely(found, product * y, block, 2) > limit:
            return None
        names = self._named({self.of[first][0], self.of[second][0]})
        verb = "ratio" if self.of[first][1] != self.of[second][1] else "product"
        return Found(_listed(names), f"The {verb} of {_quoted(names)}", found)

    def _triple(self, y: Floats, block: Ints, limit: float) -> Found | None:
        if self.centred.shape[1] < 3:
            return None
        rows = _stretches(len(y), _ROWS_IN_TRIPLES)
        X, y, block = self.centred[rows][:, :_MOST_IN_TRIPLES], y[rows], block[rows]
        X = np.clip(X, -_WILDEST_FACTOR, _WILDEST_FACTOR)
        squares = X * X
        for place, third in enumerate(X.T):
            weighed = X * third[:, None]
            mean = X.T @ weighed / len(y)
            square = squares.T @ (squares * (third * third)[:, None]) / len(y)
            correlations = _ratio(X.T @ (weighed * y[:, None]) / len(y), square, mean)
            first, second = np.unravel_index(np.argmax(np.abs(correlations)), correlations.shape)
            found = float(abs(correlations[first, second]))
            product = X[:, first] * weighed[:, second] - mean[first, second]
            if found > limit and self.surely(found, product * y, block, 3) > limit:
                names = self._named({int(first), int(second), place})
                return Found(_listed(names), f"The product of {_quoted(names)}", found)
        return None


def _ratio(covariance: Floats, square: Floats, mean: Floats) -> Floats:
    """Correlations of products with something of unit size."""
    variance = square - mean * mean
    found = np.zeros_like(covariance)
    there = variance > _PRODUCT_ROUNDING * square
    found[there] = covariance[there] / np.sqrt(variance[there])
    return found


def _stretches(n_rows: int, most: int) -> Ints:
    """All rows, or of many a spread of stretches."""
    if n_rows <= most:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _STRETCH_ROWS, most // _STRETCH_ROWS).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(_STRETCH_ROWS)).ravel())


def _scaled(raw: Floats, symbol: Ints, *, centred: bool) -> Floats:
    """Each column within each symbol by its size, with or without its mean; zero where unknown."""
    found = np.zeros_like(raw)
    for code in np.unique(symbol):
        own = symbol == code
        there = np.isfinite(raw[own])
        values, count = np.where(there, raw[own], 0.0), np.maximum(there.sum(axis=0), 1)
        if centred:
            values = np.where(there, values - values.sum(axis=0) / count, 0.0)
        size = np.sqrt((values * values).sum(axis=0) / count)
        found[own] = np.divide(values, size, out=np.zeros_like(values), where=size > 0.0)
    return found


def _factors(raw: Floats, centred: Floats, symbol: Ints) -> tuple[Floats, list[tuple[int, bool]]]:
    """What products are made of, and of which column each is, upright or turned over.

    As it is, less its mean where it has one, and turned over where it keeps clear of zero.
    """
    plain = _scaled(raw, symbol, centred=False)
    factors, of = [], []
    for place in range(raw.shape[1]):
        column, known = plain[:, place], np.isfinite(raw[:, place])
        if not centred[:, place].any():
            continue
        factors.append(column)
        of.append((place, False))
        if abs(column[known].mean()) > 0.05:
            factors.append(centred[:, place])
            of.append((place, False))
        clear = np.abs(column[known])
        if clear.min() > 0.02 and np.ptp(np.sign(column[known])) == 0:
            factors.append(np.divide(1.0, column, out=np.zeros_like(column), where=known))
            of.append((place, True))
    if not factors:
        return np.zeros((len(raw), 1)), [(0, False)]
    kept = slice(0, _MOST_FACTORS)
    return np.clip(np.stack(factors[kept], axis=1), -_WILDEST_FACTOR, _WILDEST_FACTOR), of[kept]


def _fewest_columns(X: Floats, y: Floats) -> list[int]:
    """The fewest columns that do most of it, those with the surest coefficients first."""
    inverse = np.linalg.pinv(X.T @ X, rcond=1e-12)
    beta = inverse @ (X.T @ y)
    order = np.argsort(-np.abs(beta) / np.sqrt(np.maximum(np.diag(inverse), 1e-300)))
    whole = correlation(X @ beta, y)
    for count in range(2, _NAMED):
        own = X[:, order[:count]]
        if correlation(own @ np.linalg.lstsq(own, y, rcond=None)[0], y) >= _ENOUGH * whole:
            return sorted(map(int, order[:count]))
    return sorted(map(int, order[:_NAMED]))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in dict.fromkeys(names))


# --- all columns against labels and later returns -------------------------------------------------

TOO_GOOD = 0.3  # correlation with what follows that no column of an honest market reaches
_TOO_GOOD_SIZE = 0.7  # the same of how much it moves, which is far better foreseeable
_CLASSES = 24  # values of a label that is read as classes
_IS_RETURN = 0.85  # correlation with the price's own move from which a label is read as a return
_MOST_ROWS, _STRETCH = 10_000, 500  # more rows tell no more
# Stretches of later bars whose return a column may know: (bars until it begins, bars it lasts).
_WINDOWS = (
    *((first, 1) for first in range(24)),
    *((first, 4) for first in range(0, 24, 2)),
    *((first, 12) for first in range(0, 28, 4)),
    *((0, bars) for bars in (2, 8, 20, 24, 36, AHEAD)),
    *((first, 24) for first in (8, 16)),
)

_MEND = "Find out when it was known: it may be stamped too early, or made of the label."


def hunt_targets(
    features: FeatureTable,
    labels: LabelTable,
    panel: Panel,
    too_good: float = TOO_GOOD,
    *,
    short: bool = False,
) -> Iterator[Leak]:
    """Columns that are later numbers themselves, or know what follows better than can be.

    too_good  what the correlation with later returns, less two standard errors, must not reach

    What the bars' own past tells, such as the way back of a price that is pegged, is no leak: only
    what a column knows beyond it counts. Whether a price will move much is foreseeable and its
    side is not, so columns are held against returns, whose mean given the past is nearly zero
    however asymmetric the barriers are, and not against the numbers of classes.
    """
    rows = _some(features)
    later = Later(features, panel, rows)
    reported: set[int] = set()
    for place, name in enumerate(features.columns):
        copy = later.copied(features.values[rows, place])
        if copy is not None:
            reported.add(place)
            yield _leak(features, int(rows[copy[1]]), name, f"Feature {name!r} is {copy[0]}")
    past = past_of(labels.decisions, panel, rows)
    rest = [place for place in range(len(features.columns)) if place not in reported]
    table = Table.of(features, past, rows, rest)
    if table is None:
        return
    futures = list(_futures(labels, past, rows, table))
    for future in futures:
        limit = too_good if future.side else max(_TOO_GOOD_SIZE, too_good)
        for column, found in table.knowing(future, limit):
            place = rest[column]
            if place in reported:
                continue
            reported.add(place)
            name = features.columns[place]
            yield _leak(
                features,
                int(rows[table.rows[0]]),
                name,
                f"Feature {name!r} forecasts {future.what} with a correlation of "
                f"{found:.2f} beyond what the bars' own past tells, over "
                f"{future.n_separate:,} such stretches side by side; nothing honest reaches "
                f"{limit:g}",
            )
    if reported:
        return
    sides = [future for future in futures if future.side and (future.main or not short)]
    names = [features.columns[place] for place in rest]
    together = Together(table.raw, table.symbol, names, table.strangest, surely)
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


def _futures(labels: LabelTable, past: Past, rows: Rows, table: Table) -> Iterator[FutureValues]:
    times = np.unique(labels.decisions.decided_at[rows], return_inverse=True)[1]
    for place, horizon in enumerate(labels.target.horizons):
        held = _bars_held(labels, rows, place)
        returns, values = labels.returns[rows, place], labels.values[rows, place]
        what = f"the label {horizon} ahead"
        with suppress(ConfigError):  # a column of somebody's own may have any name
            what = f"the label {Horizon.parse(horizon).in_words} ahead"
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
    """Whether `returns` are the price's: as a label with other values states, else measured."""
    if _differ(values, returns):
        return True
    moves = over(past, min(held, AHEAD)) * past.scale
    both = np.isfinite(moves) & np.isfinite(returns)
    if both.sum() < FEWEST or _has_few_values(returns):
        return False
    return correlation(ranks_of(moves[both]), ranks_of(returns[both])) > _IS_RETURN


def _differ(values: Floats, returns: Floats) -> bool:
    return not np.array_equal(values, returns, equal_nan=True)


def _has_few_values(values: Floats) -> bool:
    return len(np.unique(values[np.isfinite(values)][:_STRETCH])) <= _CLASSES


def _sizes(values: Floats) -> list[Floats]:
    """A label as numbers: each of its classes, or its ranks."""
    seen = np.isfinite(values)
    if not seen.any():
        return []
    if not _has_few_values(values):
        ranks = np.full(len(values), np.nan)
        ranks[seen] = ranks_of(values[seen])
        return [ranks]
    classes = np.unique(values[seen])[: _CLASSES if len(values) else 0]
    return [np.where(seen, values == each, np.nan) for each in classes]


def _leak(features: FeatureTable, row: int, name: str, what: str) -> Leak:
    decisions = features.decisions
    symbol, at = who(decisions, row)
    return Leak(
        "features", name, symbol, at, f"{what}; first seen of {symbol} at {iso(at)}.", _MEND
    )
