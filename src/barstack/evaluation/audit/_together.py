"""Columns that know the answer only together: a sum, a difference, a product or a ratio of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from barstack.core.arrays import Floats, Ints

from ._past import correlation

Surely = Callable[[float, Floats, Ints, int], float]

_ROWS, _STRETCH = 4_000, 400
_MOST_FACTORS = 240  # of those that products are made of; their number counts squared
_MOST_IN_TRIPLES, _ROWS_IN_TRIPLES = 40, 2_000
_WILDEST = 8.0  # root mean squares, beyond which a factor counts no further
_ROUNDING = 1e-11  # of a product's mean square: less variance than that is none
_NAMED = 4  # columns at most
_ENOUGH = 0.8  # of the correlation that all columns have


class Found(NamedTuple):
    name: str
    what: str
    correlation: float


class Together:
    """Columns at rows, standardised within each symbol once, and asked about several futures.

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
            widest = _WILDEST * np.sqrt(((X[train] @ beta) ** 2).mean())
            forecast[~train] = np.clip(X[~train] @ beta, -widest, widest)
        found = correlation(forecast, y)
        if not (found > limit and self.surely(found, forecast * y, block, 0) > limit):
            return None
        chosen = _few(X, y)
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
        X = np.clip(X, -_WILDEST, _WILDEST)
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
    there = variance > _ROUNDING * square
    found[there] = covariance[there] / np.sqrt(variance[there])
    return found


def _stretches(n_rows: int, most: int) -> Ints:
    """All rows, or of many a spread of stretches."""
    if n_rows <= most:
        return np.arange(n_rows)
    starts = np.linspace(0, n_rows - _STRETCH, most // _STRETCH).astype(np.int64)
    return np.unique((starts[:, None] + np.arange(_STRETCH)).ravel())


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
    return np.clip(np.stack(factors[kept], axis=1), -_WILDEST, _WILDEST), of[kept]


def _few(X: Floats, y: Floats) -> list[int]:
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
