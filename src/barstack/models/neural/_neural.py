"""What all neural models share: settings, training, forecasts and files. A network is the rest."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._model import Carried, Model
from ._torch import compiler, trainer

if TYPE_CHECKING:
    from torch import nn

    from ._learned import Epoch, Learned


_OWN = (
    "dropout", "epochs", "patience", "learning_rate", "weight_decay", "schedule", "clip_norm",
)  # fmt: skip


class Neural(Model):
    """A network over the latest bars and how it is trained.

    Subclass it, decorate with `register(name, family="neural", tasks=...)` and write `network`.

    A `causal` network reads bars one after the other and can forecast at each of them, from the
    bars up to it alone. It is trained on chunks: `lookback - 1` bars to start from, and a loss at
    every bar after them, a few steps for each forecast where a window takes `lookback`. Its
    forecasts are those of exact windows all the same.
    """

    version: ClassVar[int] = 3
    one_thread: ClassVar[bool] = True
    stops_early: ClassVar[bool] = True
    resumes: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torch",)
    causal: ClassVar[bool] = False
    # Whether several of one shape can be trained as one; PyTorch's recurrent layers cannot.
    fuses: ClassVar[bool] = False

    lookback: int = Field(24, ge=2, le=100_000, description="bars that a forecast looks at")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of units hidden in training")
    epochs: int = Field(30, ge=1, le=100_000, description="most passes over the training rows")
    patience: int = Field(
        6,
        ge=1,
        le=100_000,
        description="epochs without improvement before stopping, after the first 100 steps",
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
    def shape(self) -> str:
        """All settings but those in which networks that are trained as one may differ.

        >>> from barstack.models import MODELS
        >>> one, two = (MODELS.parse({"model": "mlp", "dropout": each}) for each in (0.1, 0.3))
        >>> one.shape == two.shape != MODELS.parse({"model": "mlp", "batch": 32}).shape
        True
        """
        shared = {key: value for key, value in self.content().items() if key not in _OWN}
        return json.dumps([type(self).__name__, shared], sort_keys=True)

    @property
    def dense(self) -> bool:
        """Whether it is trained on chunks."""
        return self.causal and self.mode != "windows"

    def parameter_count(self, n_features: int, n_outputs: int) -> int:
        """Numbers that training sets.

        >>> from barstack.models import MODELS
        >>> MODELS.parse("lstm").parameter_count(n_features=52, n_outputs=4)
        63748
        """
        return int(trainer().parameter_count(self, n_features, n_outputs))

    def fit(
        self,
        train: Samples,
        stop: Samples | None,
        target: Target,
        seed: int,
        *,
        folder: Path | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Learned:
        """The network of the epoch that did best on `stop`, with its learning curves.

        folder    where to keep a checkpoint; training that was killed goes on from it, and ends
                  as it would have, to the bit
        on_epoch  called after each epoch; what it raises ends the training
        """
        assert stop is not None  # stops_early
        return trainer().fit(self, train, stop, target, seed, folder, on_epoch)  # type: ignore[no-any-return]

    def update(
        self, learned: Learned, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> Learned:
        """Trained on from the weights that are there."""
        assert stop is not None  # stops_early
        return trainer().fit(self, train, stop, target, seed, None, None, learned)  # type: ignore[no-any-return]

    def predict(self, learned: Learned, inputs: Inputs, target: Target) -> Floats:
        return trainer().predict(self, learned, inputs, target)  # type: ignore[no-any-return]

    def save(self, learned: Learned, folder: Path) -> None:
        learned.save(folder)

    def load(self, folder: Path, target: Target) -> Learned:
        return trainer().load(self, folder, target)  # type: ignore[no-any-return]

    def curves(self, learned: Learned) -> list[dict[str, float]]:
        return [asdict(epoch) for epoch in learned.curves]

    def compiled(self, learned: Learned, target: Target) -> Callable[[Inputs], Floats]:
        return compiler().compiled(self, learned, target)  # type: ignore[no-any-return]

    def carried(self, learned: Learned, target: Target) -> Callable[[], Carried] | None:
        return compiler().carried(self, learned, target) if self.causal else None
