"""Networks that learn where to begin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed

from .._libraries import require_torch
from .._model import EVERY_TASK, register
from ..neural._neural import Neural
from ._by_ticker import AnyModel, ByTicker, TickerRows, Tickers


@register("reptile", family="wrappers", tasks=EVERY_TASK)
class Reptile(ByTicker):
    """A start from which a few steps lead to each ticker. Nichol, Achiam, Schulman (2018).

    Each round takes `inner_steps` on one ticker from the common start and then moves the start a
    part of the way to where they led, less and less. Each ticker's own network is `adapt_steps`
    from there, or fewer, whichever did best on its rows to stop by. A new ticker joins with
    `update`, from few rows.

    >>> Reptile(of="mlp", rounds=100).of.registered_as
    ('model', 'mlp')
    """

    of: AnyModel = Field(
        "mlp",
        validate_default=True,
        description="the network that each ticker gets, by name or with settings",
    )
    rounds: int = Field(300, ge=1, le=1_000_000, description="tickers visited, one after the other")
    inner_steps: int = Field(8, ge=1, le=100_000, description="gradient steps on each visit")
    outer_rate: float = Field(
        0.5,
        gt=0,
        le=1,
        description="share of the way to where they led in the first round; it falls to 0",
    )
    adapt_steps: int = Field(
        40, ge=1, le=100_000, description="most steps from the common start to a ticker"
    )

    @model_validator(mode="after")
    def _is_a_network(self) -> Self:
        if not isinstance(self.of, Neural):
            name = self.of.registered_as and self.of.registered_as[1]
            raise ConfigError(
                f"of is {name!r}, and reptile takes gradient steps. Name a network, such as mlp "
                "or lstm; per_ticker and transfer take any model."
            )
        return self

    def fit_tickers(
        self,
        rows: Mapping[str, TickerRows],
        target: Target,
        seed: int,
        known: Tickers,
        **options: Any,
    ) -> Tickers:
        require_torch()
        from ._reptile import adapted, common_start  # noqa: PLC0415

        model = cast(Neural, self.of)
        shared = known.shared or common_start(
            model,
            rows,
            target,
            seed,
            rounds=self.rounds,
            inner_steps=self.inner_steps,
            outer_rate=self.outer_rate,
        )
        own = {
            symbol: each.ticker(
                adapted(model, shared, each, target, derive_seed(seed, symbol), self.adapt_steps)
            )
            for symbol, each in rows.items()
        }
        return Tickers({**known.own, **own}, shared)
