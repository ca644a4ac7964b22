"""Forecasts that need no model. Whatever cannot beat them has learned nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barstack.core.decisions import Rows
from barstack.core.times import KnownAt
from barstack.labels import LabelTable

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Naive:
    """A naive forecaster's answers.

    signal  (n_rows, n_horizons) positive for up
    values  (n_rows, n_horizons, n_outputs), or None where it speaks of direction only
    """

    name: str
    signal: Values
    values: Values | None


def naive_forecasts(labels: LabelTable, rows: Rows) -> list[Naive]:
    """zero, historical_mean, last_sign and always_up for rows of a label table.

    Each uses only labels of its own symbol known by the decision.
    """
    mean = _historical_mean(labels, rows)
    n_outputs = mean.shape[2]
    nothing = np.full(mean.shape, {1: 0.5, 3: 1 / 3}[n_outputs])
    if labels.target.task == "return":
        nothing = np.zeros(mean.shape)
    return [
        Naive("zero", np.zeros(mean.shape[:2]), nothing),
        Naive("historical_mean", _signal(mean, labels.target.task), mean),
        Naive("last_sign", _last_sign(labels, rows), None),
        Naive("always_up", np.ones(mean.shape[:2]), None),
    ]


def _signal(values: Values, task: str) -> Values:
    if task == "three_class":
        return values[:, :, 2] - values[:, :, 0]
    return values[:, :, 0] if task == "return" else 2.0 * values[:, :, 0] - 1.0


def _historical_mean(labels: LabelTable, rows: Rows) -> Values:
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


def _known_before(labels: LabelTable, rows: Rows, horizon: int, what: Values) -> Values:
    """(n_rows,) sum of `what` over the symbol's labels known by each row's decision."""
    decisions = labels.decisions
    total = np.zeros(len(rows))
    for code in range(len(decisions.symbols)):
        asked = decisions.symbol_code[rows] == code
        known, known_at = _in_order_known(labels, code, horizon)
        sums = np.concatenate([[0.0], np.cumsum(what[known])])
        count = np.searchsorted(known_at, decisions.decided_at[rows[asked]], side="right")
        total[asked] = sums[count]
    return total


def _last_sign(labels: LabelTable, rows: Rows) -> Values:
    """(n_rows, n_horizons) sign of the latest return of that horizon known by the decision."""
    decisions = labels.decisions
    signs = np.zeros((len(rows), len(labels.target.horizons)))
    for code in range(len(decisions.symbols)):
        asked = decisions.symbol_code[rows] == code
        for horizon in range(signs.shape[1]):
            known, known_at = _in_order_known(labels, code, horizon)
            past = np.concatenate([[0.0], np.sign(labels.returns[known, horizon])])
            count = np.searchsorted(known_at, decisions.decided_at[rows[asked]], side="right")
            signs[asked, horizon] = past[count]
    return signs


def _in_order_known(labels: LabelTable, code: int, horizon: int) -> tuple[Rows, KnownAt]:
    """Rows of one symbol whose label is known, as they become known; a barrier may be hit early."""
    own = np.flatnonzero(labels.decisions.symbol_code == code)
    own = own[~np.isnat(labels.known_at[own, horizon])]
    known_at = labels.known_at[own, horizon]
    order = np.argsort(known_at, kind="stable")
    return own[order], KnownAt(known_at[order])
