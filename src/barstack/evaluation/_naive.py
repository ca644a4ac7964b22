"""Forecasts that need no model. Whatever cannot beat them has learned nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.arrays import Floats, Rows
from barstack.core.forecast import signal_of
from barstack.core.times import KnownAt
from barstack.labels import LabelTable


@dataclass(frozen=True, eq=False)
class NaiveForecast:
    """A naive forecaster's forecasts.

    signal  (n_rows, n_horizons) positive for up
    values  (n_rows, n_horizons, n_outputs), or None for a forecast of direction only
    """

    name: str
    signal: Floats
    values: Floats | None


def naive_forecasts(labels: LabelTable, rows: Rows, past: Floats) -> list[NaiveForecast]:
    """zero, the baseline, last_sign and always_up for rows of a label table.

    Each uses only labels of its own symbol known by the decision.

    past  (n_rows, n_horizons, n_outputs) as `baseline` has it
    """
    target = labels.target
    shape = (len(rows), len(target.horizons))
    name, nothing = "historical_mean", None
    if target.levels:  # a forecast of no change has no quantiles
        name = "past_quantiles"
    else:
        nothing = np.full(past.shape, 1.0 / target.n_classes if target.n_classes else 0.0)
    return [
        NaiveForecast("zero", np.zeros(shape), nothing),
        NaiveForecast(name, signal_of(past, target), past),
        NaiveForecast("last_sign", _last_sign(labels, rows), None),
        NaiveForecast("always_up", np.ones(shape), None),
    ]


def baseline(labels: LabelTable, rows: Rows) -> Floats:
    """(n_rows, n_horizons, n_outputs) the mean, shares or quantiles of the labels known so far."""
    if labels.target.levels:
        return _past_quantiles(labels, rows)
    return _historical_mean(labels, rows)


def _past_quantiles(labels: LabelTable, rows: Rows) -> Floats:
    """(n_rows, n_horizons, n_levels) of the returns known so far; 0 before there is one."""
    import pandas as pd  # noqa: PLC0415 (slow to import; its quantiles of a growing past are quick)

    decisions, target = labels.decisions, labels.target
    found = np.zeros((len(rows), len(target.horizons), len(target.levels)))
    for code in range(len(decisions.symbols)):
        own = decisions.symbol_code[rows] == code
        for horizon in range(found.shape[1]):
            known, known_at = _in_order_known(labels, code, horizon)
            past = pd.Series(labels.values[known, horizon]).expanding()
            so_far = np.column_stack([past.quantile(level) for level in target.levels])
            so_far = np.vstack([np.zeros(len(target.levels)), np.sort(so_far, axis=1)])
            count = np.searchsorted(known_at, decisions.decided_at[rows[own]], side="right")
            found[own, horizon] = so_far[count]
    return found


def _historical_mean(labels: LabelTable, rows: Rows) -> Floats:
    """(n_rows, n_horizons, n_outputs) mean return or class shares among the labels known so far.

    Before the first label is known: nothing, or equal shares.
    """
    three = labels.target.task == "three_class"
    classes = [0.0, 1.0, 2.0] if three else [None]
    means = np.empty((len(rows), len(labels.target.horizons), len(classes)))
    for horizon in range(means.shape[1]):
        counts = _known_before(labels, rows, horizon, np.ones(len(labels.values)))
        for place, each in enumerate(classes):
            column = labels.values[:, horizon]
            what = column if each is None else (column == each).astype(float)
            total = _known_before(labels, rows, horizon, what)
            start = 1 / 3 if three else (0.5 if labels.target.task == "direction" else 0.0)
            means[:, horizon, place] = np.where(counts > 0, total / np.maximum(counts, 1), start)
    return means


def _known_before(labels: LabelTable, rows: Rows, horizon: int, what: Floats) -> Floats:
    """(n_rows,) sum of `what` over the symbol's labels known by each row's decision."""
    decisions = labels.decisions
    total = np.zeros(len(rows))
    for code in range(len(decisions.symbols)):
        own = decisions.symbol_code[rows] == code
        known, known_at = _in_order_known(labels, code, horizon)
        sums = np.concatenate([[0.0], np.cumsum(what[known])])
        count = np.searchsorted(known_at, decisions.decided_at[rows[own]], side="right")
        total[own] = sums[count]
    return total


def _last_sign(labels: LabelTable, rows: Rows) -> Floats:
    """(n_rows, n_horizons) sign of the latest return of that horizon known by the decision."""
    decisions = labels.decisions
    signs = np.zeros((len(rows), len(labels.target.horizons)))
    for code in range(len(decisions.symbols)):
        own = decisions.symbol_code[rows] == code
        for horizon in range(signs.shape[1]):
            known, known_at = _in_order_known(labels, code, horizon)
            past = np.concatenate([[0.0], np.sign(labels.returns[known, horizon])])
            count = np.searchsorted(known_at, decisions.decided_at[rows[own]], side="right")
            signs[own, horizon] = past[count]
    return signs


def _in_order_known(labels: LabelTable, code: int, horizon: int) -> tuple[Rows, KnownAt]:
    """Rows of one symbol whose label is known, as they become known; a barrier may be hit early."""
    own = np.flatnonzero(labels.decisions.symbol_code == code)
    own = own[~np.isnan(labels.values[own, horizon])]
    known_at = labels.known_at[own, horizon]
    order = np.argsort(known_at, kind="stable")
    return own[order], KnownAt(known_at[order])
