"""TimesFM, with weights brought by the user."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from barstack.core.arrays import Floats
from barstack.core.errors import ConfigError, MissingPackageError
from barstack.core.files import sha256_of
from barstack.core.forecast import Target
from barstack.core.times import as_time
from barstack.datasets import Inputs, Samples

from .._model import Model, register
from ..neural._torch import trainer
from ._weights import TOLD

if TYPE_CHECKING:
    from ._tuned import Tuned


@register("timesfm", family="pretrained", tasks=("return",))
class TimesFM(Model):
    """A pretrained decoder over patches of one series, read by a linear head. Das et al. (2024).

    The series is the price, as the running sum of one feature that is each bar's log return. The
    decoder forecasts its next bars; a ridge regression on that path learns each horizon. Weights
    of TimesFM 2.5 are read from a file of your own and never fetched. What they were pretrained on
    is not listed day by day, so nothing before `seen_through` is forecast.
    """

    packages: ClassVar[tuple[str, ...]] = ("timesfm", "torch")
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it reads the price alone, and the signal is elsewhere",
    }

    weights: str = Field("", description="path of model.safetensors")
    # By default the day that TimesFM 2.5 came out.
    seen_through: str = Field(
        "2025-09-15",
        description="day through which the weights may have seen bars: nothing earlier is forecast",
    )
    feature: int = Field(
        0, ge=0, le=100_000, description="place of the log return among the columns, counted from 0"
    )
    lookback: int = Field(
        512, ge=32, le=100_000, description="bars that a forecast looks at, a multiple of 32"
    )
    tune: Literal["head", "all"] = Field(
        "head", description="what learns: the head alone, or all of the network"
    )
    penalty: float = Field(1.0, ge=0, description="L2 of the head, per row")
    most_rows: int = Field(
        20_000,
        ge=2,
        le=100_000_000,
        description="rows learned from, the latest of those trained on",
    )
    epochs: int = Field(
        1, ge=1, le=100_000, description="passes over these rows, where all is tuned"
    )
    learning_rate: float = Field(
        1e-5, gt=0, description="length of a step of AdamW, where all is tuned"
    )
    batch: int = Field(32, ge=1, le=1_000_000, description="windows in a step, where all is tuned")

    @field_validator("lookback")
    @classmethod
    def _whole_patches(cls, lookback: int) -> int:
        if lookback % 32:
            raise ConfigError(f"lookback must be a multiple of 32 bars, got {lookback}.")
        return lookback

    @field_validator("seen_through")
    @classmethod
    def _date(cls, seen_through: str) -> str:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", seen_through):
            raise ConfigError(
                f"seen_through must be a date such as 2025-09-15, got {seen_through!r}."
            )
        as_time(seen_through)  # says which month or day there is not
        return seen_through

    @property
    def pretrained_through(self) -> np.datetime64:
        return as_time(self.seen_through)

    @property
    def lookback_bars(self) -> int:
        return self.lookback

    def files_id(self) -> str:
        file = Path(self.weights)
        TOLD.add(file)
        return sha256_of(file) if file.is_file() else ""

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> Tuned:
        return _tuned().fit(self, train, seed)  # type: ignore[no-any-return]  # loaded by name

    def predict(self, learned: Tuned, inputs: Inputs, target: Target) -> Floats:
        return _tuned().predict(self, learned, inputs)  # type: ignore[no-any-return]  # as above

    def save(self, learned: Tuned, folder: Path) -> None:
        _tuned().save(self, learned, folder)

    def load(self, folder: Path, target: Target) -> Tuned:
        return _tuned().load(self, folder, target)  # type: ignore[no-any-return]  # as above


def _tuned() -> ModuleType:
    trainer()  # says what to install where PyTorch is missing
    try:
        import_module("timesfm.timesfm_2p5.timesfm_2p5_torch")
    except ImportError as error:
        raise MissingPackageError(
            f"This model needs TimesFM: pip install 'barstack[timesfm]' ({error})."
        ) from None
    from . import _tuned  # noqa: PLC0415

    return _tuned
