"""Convolutional models: TCN, and encoders of several timeframes with attention across them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural

if TYPE_CHECKING:
    from torch import nn


@register("tcn", family="neural", tasks=EVERY_TASK)
class TCN(Neural):
    """Residual blocks of dilated causal convolutions, as many as `lookback` has room for.

    Bai, Kolter, Koltun (2018). Dilations double; the last block's fills what is left.

    >>> network = TCN().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    49786
    """

    causal: ClassVar[bool] = True

    lookback: int = Field(
        24, ge=5, le=100_000, description="bars that a forecast looks at; one block needs 5"
    )
    channels: int = Field(56, ge=1, le=4_096, description="numbers that a block finds at each bar")

    @property
    def dilations(self) -> tuple[int, ...]:
        """Of each block; a block of two kernels of three bars reaches back four times as far.

        >>> TCN(lookback=24).dilations, TCN(lookback=60).dilations
        ((1, 2, 2), (1, 2, 4, 7))
        """
        found: list[int] = []
        while left := (self.lookback - 1 - 4 * sum(found)) // 4:
            found.append(min(2 ** len(found), left))
        return tuple(found)

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.convolutional import TemporalConvolutions  # noqa: PLC0415

        return TemporalConvolutions(
            n_features,
            n_outputs,
            channels=self.channels,
            dilations=self.dilations,
            dropout=self.dropout,
        )


@register("hierarchical", family="neural", tasks=EVERY_TASK)
class Hierarchical(Neural):
    """Bars of several lengths, each read by convolutions of its own, then attention across them.

    A timeframe of 6 sees means of six bars, the latest six first: its bars end now, not where a
    clock says. After Shabani et al. (2023), with one pass and encoders side by side.

    >>> network = Hierarchical().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    53138
    """

    causal: ClassVar[bool] = True

    timeframes: tuple[int, ...] = Field(
        (1, 3, 6), min_length=1, description="bars in one bar of each length"
    )
    channels: int = Field(
        48, ge=1, le=4_096, description="numbers that stand for a bar of each length"
    )
    heads: int = Field(4, ge=1, le=64, description="attentions side by side")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.channels % self.heads:
            raise ConfigError(
                f"hierarchical: {self.channels} channels cannot be shared by {self.heads} heads. "
                "Make them a multiple."
            )
        for timeframe in self.timeframes:
            if timeframe < 1 or 3 * timeframe > self.lookback:
                raise ConfigError(
                    f"hierarchical: timeframe {timeframe} does not fit into a lookback of "
                    f"{self.lookback} bars three times. Look back further, or leave it out."
                )
        return self

    def dilations(self, timeframe: int) -> tuple[int, ...]:
        """Of the convolutions over bars of one timeframe, doubling while `lookback` has room.

        >>> [Hierarchical().dilations(each) for each in (1, 3, 6)]
        [(1, 2, 4), (3, 6), (6,)]
        """
        found = [timeframe]
        while timeframe + 2 * (sum(found) + 2 * found[-1]) <= self.lookback:
            found.append(2 * found[-1])
        return tuple(found)

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.convolutional import TimeframeAttention  # noqa: PLC0415

        return TimeframeAttention(
            n_features,
            n_outputs,
            channels=self.channels,
            heads=self.heads,
            dilations=[(each, self.dilations(each)) for each in self.timeframes],
            dropout=self.dropout,
        )
