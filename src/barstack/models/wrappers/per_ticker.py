"""A model for each ticker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed

from .._model import EVERY_TASK, register
from ..training._calls import fit
from ._by_ticker import ByTicker, TickerRows, Tickers


@register("per_ticker", family="wrappers", tasks=EVERY_TASK)
class PerTicker(ByTicker):
    """A fit for each ticker, from its own rows in its own scales, instead of one on all rows.

    >>> PerTicker(of={"model": "ridge", "penalty": 10.0}).of.penalty
    10.0
    """

    def fit_tickers(
        self,
        rows: Mapping[str, TickerRows],
        target: Target,
        seed: int,
        known: Tickers,
        **options: Any,
    ) -> Tickers:
        own = {
            symbol: each.ticker(
                fit(self.of, each.train, each.stop, target, derive_seed(seed, symbol), **options)
            )
            for symbol, each in rows.items()
        }
        return replace(known, own={**known.own, **own})
