"""Settings of TimesFM, and the files of weights that may be opened."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from barstack.core.errors import ConfigError
from barstack.core.files import sha256_of
from barstack.core.times import as_time

from .._model import Model

# An environment variable: paths with colons between, for artifacts that are loaded elsewhere.
WEIGHTS = "BARSTACK_WEIGHTS"
# Files that this process was given to train with. No file that only an artifact names is opened.
NAMED_WEIGHTS: set[Path] = set()


class TimesFMSettings(Model):
    """What is read from which weights, and how it is tuned."""

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
        NAMED_WEIGHTS.add(file)
        return sha256_of(file) if file.is_file() else ""
