"""Networks that learn where to begin."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Self, cast

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed

from .._model import EVERY_TASK, register
from ..neural._neural import Neural
from ..neural._torch import trainer
from ._by_ticker import AnyModel, ByTicker, Rows, Tickers

if TYPE_CHECKING:
    from ..neural._learned import Learned


@register("reptile", family="tickers", tasks=EVERY_TASK)
class Reptile(ByTicker):
    """A start from which a few steps lead to each ticker. Nichol, Achiam, Schulman (2018).

    Each round takes `inner_steps` on one ticker from the common start and then moves the start a
    part of the way to where they led, less and less. Each ticker's own network is `adapt_steps`
    from there, or fewer, whichever did best on its rows to stop by. A new ticker joins with
    `update`, from few rows.
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
        self, rows: Mapping[str, Rows], target: Target, seed: int, known: Tickers
    ) -> Tickers:
        model = cast(Neural, self.of)
        shared: Learned = known.shared or _meta().common_start(self, model, rows, target, seed)
        own = {
            symbol: each.ticker(
                _meta().adapted(
                    model, shared, each, target, derive_seed(seed, symbol), self.adapt_steps
                )
            )
            for symbol, each in rows.items()
        }
        return Tickers({**known.own, **own}, shared)


def _meta() -> ModuleType:
    trainer()  # says what to install where PyTorch is missing
    from . import _meta  # noqa: PLC0415

    return _meta
