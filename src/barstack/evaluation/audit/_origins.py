"""What a label is made of that no holding earns: an earlier price, the best one, a logarithm."""

from __future__ import annotations

import numpy as np

from barstack.bars import Panel

from ._holdings import EQUAL, LabelHoldings

_FEWEST = 30  # rows from which a label is measured
_MOST = 3_000  # rows that are
_MEASURED = 0.9  # share of them that show what a label is made of
_BEFORE, _AFTER = 24, 64  # bars
_PART = 0.05  # of an earlier move


def made_of(held: LabelHoldings, panel: Panel, *, said: bool) -> str | None:
    """What a label is made of, where that can be told: an earlier price, or the best one."""
    if len(held.rows) < _FEWEST:
        return None
    held = held.take(np.unique(np.linspace(0, len(held.rows) - 1, _MOST).astype(int)))
    found = _from_before(held, panel) or _best(held, panel)
    return found or (_logarithm(held, panel) if said else None)


def _from_before(held: LabelHoldings, panel: Panel) -> str | None:
    """Whether moves of bars up to the decision are part of the return."""
    X = np.zeros((len(held.rows), 3 + _BEFORE + _AFTER))
    y = np.log(np.maximum(held.exit, 1e-300))
    y -= np.log(held.entry)
    for own, bars in held.by_symbol(panel):
        steps = np.diff(np.log(bars.close), prepend=np.nan)
        steps = np.concatenate([np.full(_BEFORE, np.nan), steps, np.zeros(_AFTER)])
        first, last = held.first[own, None] + _BEFORE, held.last[own, None] + _BEFORE
        ahead = first + np.arange(1, _AFTER + 1)
        for place, name in enumerate(("open", "high", "low")):
            X[own, place] = np.log(held.entry[own] / bars.records[name][held.first[own]])
        X[own, 3 : 3 + _BEFORE] = steps[first - np.arange(_BEFORE)]
        X[own, 3 + _BEFORE :] = np.where(ahead <= last, steps[ahead], 0.0)
    kept = np.isfinite(X).all(axis=1) & np.isfinite(y)
    X, y = X[kept], y[kept]
    if len(y) < 3 * X.shape[1]:
        return None
    beta = np.linalg.lstsq(X, y, rcond=1e-10)[0]
    rest = y - X @ beta
    if rest @ rest > (1.0 - _MEASURED) * ((y - y.mean()) @ (y - y.mean())):
        return None  # it is not made of moves
    if not (np.abs(beta[: 3 + _BEFORE]) > _PART).any():
        return None
    return "Moves that are over by the decision are part of it: it begins at an earlier price."


def _best(held: LabelHoldings, panel: Panel) -> str | None:
    """Whether it is left at the best or the worst price of its time."""
    for what, name, best in (
        ("highest close", "close", np.maximum),
        ("lowest close", "close", np.minimum),
        ("highest price", "high", np.maximum),
        ("lowest price", "low", np.minimum),
    ):
        same = np.zeros(len(held.rows), bool)
        for own, bars in held.by_symbol(panel):
            price, first, last = bars.records[name], held.first[own], held.last[own]
            found = price[first + 1]
            for ahead in range(2, min(int((last - first).max()), 4 * _AFTER) + 1):
                found = best(found, price[np.minimum(first + ahead, last)])
            same[own] = np.abs(held.exit[own] - found) <= EQUAL * held.entry[own]
        if same.mean() >= _MEASURED:
            return f"It is left at the {what} of its time, which is known only afterwards."
    return None


def _logarithm(held: LabelHoldings, panel: Panel) -> str | None:
    same = np.zeros(len(held.rows), bool)
    for own, bars in held.by_symbol(panel):
        left = held.entry[own] * np.exp(held.exit[own] / held.entry[own] - 1.0)
        same[own] = np.abs(left - bars.close[held.last[own]]) <= EQUAL * held.entry[own]
    said = "It is the logarithm of the return, which differs where moves are large."
    return said if same.mean() >= _MEASURED else None
