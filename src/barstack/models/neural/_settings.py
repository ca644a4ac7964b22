"""Settings of all neural models: the network's window and how it is trained."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from .._model import Model

if TYPE_CHECKING:
    from torch import nn


class NetworkSettings(Model):
    """Settings that the training loop reads, and the network that it trains."""

    version: ClassVar[int] = 3
    stops_early: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    causal: ClassVar[bool] = False

    lookback: int = Field(24, ge=2, le=100_000, description="bars that a forecast looks at")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of units hidden in training")
    epochs: int = Field(30, ge=1, le=100_000, description="most passes over the training rows")
    patience: int = Field(
        6,
        ge=1,
        le=100_000,
        description="epochs without improvement before stopping, after the first 100 steps, or 50 "
        "on chunks",
    )
    batch: int = Field(
        64, ge=1, le=1_000_000, description="windows in a step; a chunk counts for 16 of them"
    )
    learning_rate: float = Field(
        3e-3, gt=0, description="length of a step of AdamW, at its highest"
    )
    weight_decay: float = Field(1e-3, ge=0, description="how hard AdamW pulls weights to 0")
    schedule: Literal["constant", "cosine", "one_cycle"] = Field(
        "constant",
        description="of the learning rate; one_cycle goes up for three tenths, then down",
    )
    clip_norm: float = Field(
        1.0, gt=0, description="longest gradient; a longer one is shortened to it"
    )
    loss: Literal["auto", "huber", "mse", "directional", "sharpe", "cross_entropy", "pinball"] = (
        Field(
            "auto", description="auto: huber for returns, cross_entropy for classes, else pinball"
        )
    )
    mode: Literal["auto", "dense", "windows"] = Field(
        "auto",
        description="dense: trained on chunks of bars; auto: dense where the network is causal",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of training steps; forecasts are float32"
    )

    @model_validator(mode="after")
    def _can_be_dense(self) -> Self:
        if self.mode == "dense" and not self.causal:
            name = self.registered_as[1] if self.registered_as else type(self).__name__
            raise ConfigError(
                f"{name} reads whole windows and cannot be trained on chunks, got mode 'dense'. "
                "Leave mode: auto, or choose a causal network such as lstm or tcn."
            )
        return self

    @abstractmethod
    def network(self, n_features: int, n_outputs: int) -> nn.Module:
        """The network, untrained.

        A causal one maps (batch, steps, n_features) and `keep` to the outputs at the latest steps,
        (batch, keep, n_outputs), each from the `lookback` bars up to it or, where it carries a
        state, more. Any other one maps (batch, lookback, n_features) to (batch, n_outputs).
        """

    @property
    def lookback_bars(self) -> int:
        return self.lookback

    @property
    def dense(self) -> bool:
        """Whether it is trained on chunks."""
        return self.causal and self.mode != "windows"
