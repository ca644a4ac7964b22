"""Forecasts, made again with later rows altered and one row at a time: each stands for itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Floats
from barstack.core.times import iso
from barstack.features import FeatureTable
from barstack.splits import Fold

from ._leak import Leak
from ._pipeline import Fit
from ._poison import wild_after
from ._prefix import spread

_CUTS, _ALONE = 24, 16
_ROUNDING = 1e-4  # of a forecast's deviation: networks sum a batch in another order
_MEND = "Forecast each row from its own features and what was fitted on training rows."


def cuts_of(base: Fit, features: FeatureTable, fold: Fold, most: int) -> list[np.datetime64]:
    """Decisions of the test right after which the future is altered.

    Where a forecast or a feature is at its highest or lowest, where the forecast changes the most,
    then spread over the test by the golden ratio; never the last.
    """
    decided_at = features.decisions.decided_at[fold.test]
    picks = [int(0.618034 * place % 1.0 * len(fold.test)) for place in range(1, most + 1)]
    extreme: list[int] = []
    if base.forecast is not None:
        for column in base.forecast.reshape(len(fold.test), -1).T:
            extreme += _extremes(column)
    for column in features.values[fold.test].T:
        extreme += _extremes(column)
    mixed = [place for pair in zip(extreme, picks, strict=False) for place in pair]
    places = [*mixed, *extreme[len(picks) :], *picks[len(extreme) :]]
    found = dict.fromkeys(decided_at[places].tolist())
    last = decided_at.max().astype(object)
    return [np.datetime64(at, "us") for at in found if at < last][:most]


def _extremes(column: Floats) -> list[int]:
    there = np.flatnonzero(np.isfinite(column))
    if len(there) < 2:
        return []
    seen = column[there]
    return [int(there[np.argmax(seen)]), int(there[np.argmin(seen)])]


def hunt_batch(base: Fit, features: FeatureTable, fold: Fold, number: int) -> Iterator[Leak]:
    """The first forecast that another tested row changes."""
    assert base.predict is not None
    test = fold.test
    whole = np.asarray(base.predict(features, test))
    decided_at = features.decisions.decided_at[test]
    cuts = cuts_of(base, features, fold, _CUTS)
    for place, at in enumerate(cuts):
        values = wild_after(features, fold, at, np.random.default_rng(place))
        again = np.asarray(base.predict(replace(features, values=values), test))
        early = decided_at <= at
        wrong = np.flatnonzero(early & _differs(whole, again, 0.0))
        if len(wrong):
            what = f"when features of rows decided after {iso(at)} are altered"
            yield _told(features, fold, number, int(wrong[-1]), whole, again, what)
            return
    deviation = spread(whole.reshape(len(whole), -1)).reshape(whole.shape[1:])
    picks = np.searchsorted(np.sort(decided_at), np.array(cuts[:_ALONE], "datetime64[us]"))
    order = np.argsort(decided_at, kind="stable")
    for place in dict.fromkeys(order[picks % len(test)].tolist()):
        again = whole.copy()
        again[place] = np.asarray(base.predict(features, test[place : place + 1]))[0]
        if _differs(whole, again, _ROUNDING * deviation)[place]:
            what = "when it is made alone instead of with the others"
            yield _told(features, fold, number, place, whole, again, what)
            return


def _differs(before: Any, after: Any, allowed: Any) -> Bools:
    """(n_rows,) whether any number of a row differs."""
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(before - after) <= allowed) & ~(np.isnan(before) & np.isnan(after))
    return np.asarray(wrong.reshape(len(before), -1).any(axis=1))


def _told(
    features: FeatureTable, fold: Fold, number: int, place: int, before: Any, after: Any, what: str
) -> Leak:
    decisions, row = features.decisions, int(fold.test[place])
    symbol, at = str(decisions.symbols[decisions.symbol_code[row]]), decisions.decided_at[row]
    one, other = before[place].ravel(), after[place].ravel()
    first = int(np.argmax(~((one == other) | (np.isnan(one) & np.isnan(other)))))
    return Leak(
        "forecast",
        "forecast",
        symbol,
        at,
        f"The forecast of {symbol} at {iso(at)} in fold {number} changes from {one[first]:.17g} to "
        f"{other[first]:.17g} {what}.",
        _MEND,
    )
