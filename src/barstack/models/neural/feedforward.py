"""Feedforward models over whole windows: MLP, autoencoder MLP, DLinear and N-HiTS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural

if TYPE_CHECKING:
    from torch import nn


@register("mlp", family="neural", tasks=EVERY_TASK)
class MLP(Neural):
    """Fully connected layers over all bars of the window side by side. Rosenblatt (1958).

    >>> network = MLP().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    14018
    """

    lookback: int = Field(24, ge=1, le=100_000, description="bars that a forecast looks at")
    hidden: tuple[int, ...] = Field(
        (48, 48), min_length=1, description="widths of the layers, in units"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.feedforward import multilayer_perceptron  # noqa: PLC0415

        return multilayer_perceptron(
            n_features,
            n_outputs,
            hidden=self.hidden,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("autoencoder_mlp", family="neural", tasks=EVERY_TASK)
class AutoencoderMLP(Neural):
    """A network over the features and a short code of them, trained to rebuild them as well.

    After Bengio et al. (2007): noise goes in, the code must rebuild the clean features and be
    useful for the forecast at once. By default it sees the newest bar only.

    >>> network = AutoencoderMLP().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    10212
    """

    lookback: int = Field(1, ge=1, le=100_000, description="bars that a forecast looks at")
    code: int = Field(
        24, ge=1, le=4_096, description="numbers in the code that stands for the features"
    )
    hidden: tuple[int, ...] = Field(
        (96, 64), min_length=1, description="widths of the layers, in units"
    )
    noise: float = Field(
        0.1, ge=0, description="deviation of what is added to scaled features in training"
    )
    rebuild: float = Field(
        0.1, ge=0, description="how much rebuilding the features counts beside the forecast"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.feedforward import SupervisedAutoencoder  # noqa: PLC0415

        return SupervisedAutoencoder(
            n_features,
            n_outputs,
            code=self.code,
            hidden=self.hidden,
            noise=self.noise,
            rebuild=self.rebuild,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("dlinear", family="neural", tasks=EVERY_TASK)
class DLinear(Neural):
    """Each feature as its moving mean and the rest, and linear in both. Zeng et al. (2023).

    All features share `readings` linear maps over time, and one more joins what they read.

    >>> network = DLinear().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    722
    """

    trend_bars: int = Field(13, ge=3, le=100_001, description="bars in the moving mean; odd")
    readings: int = Field(
        8, ge=1, le=1_024, description="linear maps over time that all features share"
    )

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.trend_bars % 2 == 0:
            raise ConfigError(
                f"dlinear: a mean of {self.trend_bars} bars has no middle. Take an odd number."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.feedforward import DecomposedLinear  # noqa: PLC0415

        return DecomposedLinear(
            n_features,
            n_outputs,
            trend_bars=self.trend_bars,
            readings=self.readings,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("nhits", family="neural", tasks=EVERY_TASK)
class NHiTS(Neural):
    """Blocks that pool the window less and less; each explains a part and leaves the rest.

    Challu et al. (2023), with all features in one window.

    >>> network = NHiTS().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    16992
    """

    lookback: int = Field(24, ge=2, le=100_000, description="bars that a forecast looks at")
    pools: tuple[int, ...] = Field(
        (8, 4, 1), min_length=1, description="bars pooled into one, block by block"
    )
    hidden: int = Field(32, ge=1, le=4_096, description="width of each block's layers, in units")

    @model_validator(mode="after")
    def _pools_fit(self) -> Self:
        for pool in self.pools:
            if not 1 <= pool <= self.lookback:
                raise ConfigError(
                    f"nhits: {pool} bars cannot be pooled in a lookback of {self.lookback}. Give "
                    "pools from 1 to the lookback."
                )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.feedforward import HierarchicalInterpolation  # noqa: PLC0415

        return HierarchicalInterpolation(
            n_features,
            n_outputs,
            pools=self.pools,
            hidden=self.hidden,
            dropout=self.dropout,
            window=self.lookback,
        )
