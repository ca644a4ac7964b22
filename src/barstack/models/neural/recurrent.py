"""Recurrent models: LSTM, GRU, and LSTMs with attention, towers, convolutions or experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import EVERY_TASK, register
from ._neural import Neural

if TYPE_CHECKING:
    from torch import nn


class _PlainRecurrent(Neural):
    """Recurrent layers, read at their latest state."""

    causal: ClassVar[bool] = True
    kind: ClassVar[str]

    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="recurrent layers, one on another")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.recurrent import recurrent  # noqa: PLC0415

        return recurrent(
            self.kind,
            n_features,
            n_outputs,
            hidden=self.hidden,
            layers=self.layers,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("lstm", family="neural", tasks=EVERY_TASK)
class LSTM(_PlainRecurrent):
    """Long short-term memory, read at its latest state. Hochreiter, Schmidhuber (1997).

    >>> network = LSTM(hidden=32).network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    14146
    """

    kind: ClassVar[str] = "lstm"


@register("gru", family="neural", tasks=EVERY_TASK)
class GRU(_PlainRecurrent):
    """Gated recurrent units, read at their latest state. Cho et al. (2014).

    >>> network = GRU(hidden=32).network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    10626
    """

    kind: ClassVar[str] = "gru"

    hidden: int = Field(76, ge=1, le=4_096, description="numbers in the state of a layer")


@register("attention_lstm", family="neural", tasks=EVERY_TASK)
class AttentionLSTM(Neural):
    """An LSTM whose latest state attends to those of the `lookback` bars. Luong et al. (2015).

    >>> network = AttentionLSTM(hidden=32).network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    17250
    """

    causal: ClassVar[bool] = True

    hidden: int = Field(60, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.recurrent import AttentionLSTMNetwork  # noqa: PLC0415

        return AttentionLSTMNetwork(
            n_features,
            n_outputs,
            hidden=self.hidden,
            layers=self.layers,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("multitask_lstm", family="neural", tasks=EVERY_TASK)
class MultitaskLSTM(Neural):
    """One LSTM shared by all horizons, and a small network of its own for each. Caruana (1997).

    >>> network = MultitaskLSTM().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    50530
    """

    causal: ClassVar[bool] = True

    hidden: int = Field(60, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")
    tower: int = Field(
        32, ge=1, le=4_096, description="width of each horizon's own layer, in units"
    )

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks._layers import Recurrent  # noqa: PLC0415
        from .networks.recurrent import RecurrentNetwork, Towers  # noqa: PLC0415

        cells = Recurrent("lstm", n_features, self.hidden, self.layers, self.dropout, self.lookback)
        return RecurrentNetwork(cells, Towers(self.hidden, self.tower, n_outputs, self.dropout))


@register("cnn_lstm", family="neural", tasks=EVERY_TASK)
class CNNLSTM(Neural):
    """Two causal convolutions that find shapes of a few bars, then an LSTM over what they found.

    Sainath et al. (2015), without the fully connected layers before the last.

    >>> network = CNNLSTM().network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    71042
    """

    causal: ClassVar[bool] = True

    channels: int = Field(
        48, ge=1, le=4_096, description="numbers that a convolution finds at each bar"
    )
    kernel: int = Field(3, ge=2, le=1_000, description="bars that a convolution spans")
    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of an LSTM layer")
    layers: int = Field(2, ge=1, le=64, description="LSTM layers, one on another")

    @model_validator(mode="after")
    def _leaves_steps(self) -> Self:
        if 2 * (self.kernel - 1) >= self.lookback:
            raise ConfigError(
                f"cnn_lstm: two convolutions of {self.kernel} bars leave nothing of a lookback of "
                f"{self.lookback}. Look back at least {2 * self.kernel - 1} bars."
            )
        return self

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.recurrent import convolutional_lstm  # noqa: PLC0415

        return convolutional_lstm(
            n_features,
            n_outputs,
            channels=self.channels,
            kernel=self.kernel,
            hidden=self.hidden,
            layers=self.layers,
            dropout=self.dropout,
            window=self.lookback,
        )


@register("mixture_of_experts", family="neural", tasks=EVERY_TASK)
class MixtureOfExperts(Neural):
    """LSTMs that specialise, weighted by a gate that sees the newest bar and the window's mean.

    Jacobs et al. (1991).

    >>> network = MixtureOfExperts(experts=2).network(n_features=10, n_outputs=2)
    >>> sum(each.numel() for each in network.parameters())
    106102
    """

    causal: ClassVar[bool] = True

    experts: int = Field(3, ge=1, le=64, description="LSTMs that share the work")
    hidden: int = Field(64, ge=1, le=4_096, description="numbers in the state of a layer")
    layers: int = Field(2, ge=1, le=64, description="layers of each LSTM")

    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        from .networks.recurrent import MixtureNetwork  # noqa: PLC0415

        return MixtureNetwork(
            n_features,
            n_outputs,
            experts=self.experts,
            hidden=self.hidden,
            layers=self.layers,
            dropout=self.dropout,
            window=self.lookback,
        )
