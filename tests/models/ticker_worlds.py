"""Panels whose tickers share a structure and differ in a part of their own."""

from dataclasses import replace

import numpy as np

from barstack.core.arrays import Rows
from barstack.datasets import Dataset
from barstack.features import Feature, FeatureSet
from barstack.labels import LABELS
from barstack.testing import walk

FEATURES = ("log_return", "body", "rsi", "realized_volatility")


def panel_of(own: dict[str, np.ndarray], bars: int, seed: int, noise: float = 0.5) -> Dataset:
    """Labels of each ticker: its own weights on effects that all share, and noise.

    own  (n_effects,) weights by symbol; effects are those of `effects`
    """
    bars_of = {symbol: walk(bars, seed=i, symbol=symbol) for i, symbol in enumerate(own)}
    table = FeatureSet(features=tuple(Feature(feature=f) for f in FEATURES)).compute(bars_of)
    labels = LABELS.parse({"label": "return", "horizons": [1]}).compute(bars_of)
    random = np.random.default_rng(seed)
    X = random.normal(size=table.values.shape)
    X[np.isnan(table.values)] = np.nan
    weights = np.array([own[symbol] for symbol in table.decisions.symbols])
    y = (effects(X) * weights[table.decisions.symbol_code]).sum(axis=1)
    y = 0.01 * (y + noise * random.normal(size=len(X)))
    y = np.where(np.isnan(labels.values[:, 0]), np.nan, y)[:, None]
    return Dataset(replace(table, values=X), replace(labels, values=y, returns=y))


def effects(X: np.ndarray) -> np.ndarray:
    """(n_rows, 4) what the features do, which no straight line tells."""
    a, b, c, d = X.T
    return np.column_stack([np.tanh(2.0 * a * b), np.abs(c) - 0.8, np.sin(2.0 * d), np.sign(a) * c])


def rows_of(dataset: Dataset, symbols: set[str], first: int, last: int) -> Rows:
    """Usable rows of some tickers, from bar `first` of each up to `last`, in time order."""
    decisions = dataset.decisions
    place = np.arange(len(decisions)) - decisions.first_row
    known = dataset.usable & ~np.isnat(dataset.labels.all_known_at)
    rows = np.flatnonzero(known & np.isin(decisions.symbol, list(symbols)))
    rows = rows[(place[rows] >= first) & (place[rows] < last)]
    return rows[np.argsort(decisions.decided_at[rows], kind="stable")]
