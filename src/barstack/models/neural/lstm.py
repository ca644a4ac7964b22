"""A small LSTM over the latest bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._model import Model, Values, register
from ._torch import torch_and_training

if TYPE_CHECKING:
    import torch


@register("lstm", family="neural", tasks=("return", "direction", "three_class"))
class LSTM(Model):
    """One recurrent layer over `lookback` bars, then a linear head for all horizons at once.

    Hochreiter, Schmidhuber (1997).
    """

    stops_early: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ("torch",)

    lookback: int = Field(24, ge=2)  # bars
    hidden: int = Field(24, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    epochs: int = Field(20, ge=1)
    patience: int = Field(4, ge=1)  # epochs without improvement before stopping
    batch: int = Field(128, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-3, ge=0)

    @property
    def lookback_bars(self) -> int:
        return self.lookback

    def network(self, n_features: int, n_outputs: int) -> torch.nn.Module:
        """(batch, lookback, n_features) -> (batch, n_outputs)."""
        _, training = torch_and_training()
        return training.LastStep(n_features, self.hidden, n_outputs, self.dropout)  # type: ignore[no-any-return]

    def fit(
        self, train: Samples, stop: Samples | None, target: Target, seed: int
    ) -> torch.nn.Module:
        _, training = torch_and_training()
        assert stop is not None  # stops_early
        return training.fit(  # type: ignore[no-any-return]
            lambda: self.network(train.n_features, len(target.columns)),
            train,
            stop,
            target,
            lookback=self.lookback,
            epochs=self.epochs,
            patience=self.patience,
            batch=self.batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            seed=seed,
        )

    def predict(self, learned: torch.nn.Module, inputs: Inputs, target: Target) -> Values:
        _, training = torch_and_training()
        return training.predict(learned, inputs, target, self.lookback)  # type: ignore[no-any-return]

    def save(self, learned: torch.nn.Module, folder: Path) -> None:
        _, training = torch_and_training()
        training.save(learned, folder / "network.safetensors")

    def load(self, folder: Path, target: Target) -> Any:
        _, training = torch_and_training()
        weights = training.read(folder / "network.safetensors")
        n_features = weights["recurrent.weight_ih_l0"].shape[1]
        network = self.network(n_features, len(target.columns))
        network.load_state_dict(weights)
        return network.eval()
