"""How much each training row counts: holdings that overlap tell the same story more than once."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from barstack.core.arrays import Floats, Ints, Rows
from barstack.core.errors import ConfigError, DataError
from barstack.core.spec import Spec
from barstack.core.times import iso

from ._label import LabelTable


class SampleWeights(Spec):
    """Weights of training rows, from those rows alone. López de Prado (2018), chapter 4.

    by      `uniform`: all alike.
            `uniqueness`: average uniqueness, the mean of 1 / concurrency over the holding's bars;
            concurrency counts the holdings of its symbol that are open in a bar (section 4.4).
            `return`: return attribution, the size of the sum of log return / concurrency over the
            holding's bars, close to close (section 4.5)
    oldest  oldest row's weight relative to the newest; between them it falls linearly with the
            average uniqueness since. 1 disables the decay (section 4.7)

    A holding lasts from its decision until its last horizon is known.

    >>> SampleWeights(by="uniqueness", oldest=0.5).content()
    {'by': 'uniqueness', 'oldest': 0.5}
    """

    by: Literal["uniform", "uniqueness", "return"] = "uniform"
    oldest: float = Field(1.0, ge=0, le=1)

    def compute(self, labels: LabelTable, rows: Rows) -> Floats:
        """(len(rows),) weights with mean 1; `DataError` where a label is not known yet.

        >>> from barstack.labels import LABELS
        >>> from barstack.testing import walk
        >>> labels = LABELS.parse({"label": "return", "horizons": [2]}).compute(walk(bars=9))
        >>> rows = np.array([0, 1, 5])  # the first two share one of their two bars
        >>> SampleWeights(by="uniqueness").compute(labels, rows)
        array([0.9, 0.9, 1.2])
        """
        if len(rows) == 0:
            return np.empty(0)
        if self.by == "uniform" and self.oldest == 1.0:
            return np.ones(len(rows))
        unique = uniqueness(labels, rows)
        weights = np.ones(len(rows))
        if self.by == "uniqueness":
            weights = unique.copy()
        elif self.by == "return":
            weights = np.abs(attributed_return(labels, rows))
        if self.oldest < 1.0:
            weights *= self._fading(labels, rows, unique)
        if not weights.any():
            raise DataError(
                f"All {len(rows)} training rows would weigh nothing: none of their returns differs "
                "from 0. Weigh by uniqueness instead."
            )
        scaled: Floats = weights / weights.mean()
        return scaled

    def _fading(self, labels: LabelTable, rows: Rows, unique: Floats) -> Floats:
        """(len(rows),) from `oldest` to 1; rows of one moment fade alike."""
        moments, place = np.unique(labels.decisions.decided_at[rows], return_inverse=True)
        gathered = np.cumsum(np.bincount(place, weights=unique, minlength=len(moments)))
        if len(moments) == 1:
            return np.ones(len(rows))
        share = (gathered - gathered[0]) / (gathered[-1] - gathered[0])
        faded: Floats = (self.oldest + (1.0 - self.oldest) * share)[place]
        return faded


def uniqueness(labels: LabelTable, rows: Rows) -> Floats:
    """(len(rows),) average uniqueness of the holdings of `rows`, among themselves.

    The mean of 1 / concurrency over the holding's bars, the holdings of its symbol counted.

    >>> from barstack.labels import LABELS
    >>> from barstack.testing import walk
    >>> table = LABELS.parse({"label": "return", "horizons": [2]}).compute(walk(bars=50))
    >>> uniqueness(table, np.arange(10, 14)).round(2).tolist()
    [0.75, 0.5, 0.5, 0.75]
    """
    begins, ends = _spans(labels, rows)
    total = _running_total(_shares(labels, begins, ends))
    unique: Floats = (total[ends] - total[begins]) / (ends - begins)
    return unique


def attributed_return(labels: LabelTable, rows: Rows) -> Floats:
    """(len(rows),) sum of log return / concurrency over the bars of each holding of `rows`."""
    if labels.close is None:
        raise ConfigError(
            "These labels do not say at which prices bars closed, by which returns are attributed. "
            "Give LabelTable a close, or weigh by uniqueness."
        )
    begins, ends = _spans(labels, rows)
    log_close = np.log(labels.close)
    # From each bar to the next; from one symbol to another no holding reaches.
    moves = np.diff(log_close, append=log_close[-1:])
    total = _running_total(moves * _shares(labels, begins, ends))
    attributed: Floats = total[ends] - total[begins]
    return attributed


def _shares(labels: LabelTable, begins: Ints, ends: Ints) -> Floats:
    """(n_bars,) 1 / concurrency of the bar after each; 0 where no holding is open."""
    # Bars of different symbols have different numbers, so one sum serves all.
    n_bars = len(labels.decisions)
    changes = np.bincount(begins, minlength=n_bars) - np.bincount(ends, minlength=n_bars)
    open_holdings = np.cumsum(changes)
    shares: Floats = np.divide(1.0, open_holdings, out=np.zeros(n_bars), where=open_holdings > 0)
    return shares


def _running_total(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def _spans(labels: LabelTable, rows: Rows) -> tuple[Ints, Ints]:
    """(len(rows),) numbers of the first bar after each decision, less one, and of the last.

    Bars are numbered as the rows of the table: a holding spans those after its own up to the
    last that has closed when it is known.
    """
    known_at = labels.all_known_at[rows]
    if np.isnat(known_at).any():
        row = rows[np.argmax(np.isnat(known_at))]
        raise DataError(
            f"The label of {labels.decisions.symbol[row]} decided at "
            f"{iso(labels.decisions.decided_at[row])} is not known, so it has no weight. Weigh "
            "training rows, whose labels are."
        )
    ends = np.empty(len(rows), np.int64)
    codes = labels.decisions.symbol_code
    for code in np.unique(codes[rows]):
        start, stop = np.searchsorted(codes, [code, code + 1])
        own = codes[rows] == code
        closes = labels.decisions.decided_at[start:stop]
        ends[own] = start + np.searchsorted(closes, known_at[own], side="right") - 1
    return np.asarray(rows, np.int64), ends
