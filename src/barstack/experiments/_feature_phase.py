"""A sweep's further phase: its best experiments again, with more features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field, field_validator, model_validator

from barstack.bars import SeriesFile
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.spec import Spec
from barstack.features import FEATURE_SETS, Feature, named_set

from ._study import as_feature

MORE_FEATURES = "more_features"  # the setting in which such experiments differ
NOTHING = "none"
_MULTI_TIMEFRAME, _OF_SET = "multi_timeframe", "stack52"  # whose columns of longer bars it is


class Addition(Spec):
    """Features of the bars, and series, that are added to those of an experiment.

    Attributes
    ----------
    features
        Names, or features with settings; or the name of a set.
    series
        Tables of other numbers by name, as in a study; all their columns are features.
    """

    features: str | tuple[Feature, ...] = ()
    series: dict[str, SeriesFile] = Field(default_factory=dict)

    @field_validator("features", mode="before")
    @classmethod
    def _features(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple(as_feature(each) for each in value)
        return value

    @model_validator(mode="after")
    def _something(self) -> Addition:
        if isinstance(self.features, str) and self.features != _MULTI_TIMEFRAME:
            known = (_MULTI_TIMEFRAME, *FEATURE_SETS)
            if self.features not in known:
                raise ConfigError(
                    f"Unknown feature set {self.features!r}. {did_you_mean(self.features, known)}"
                )
        if not self.features and not self.series:
            raise ConfigError("Nothing is added. Give features, series or both.")
        return self

    def of(self, bar_length_us: int) -> tuple[Feature, ...]:
        """The features, for bars of this length."""
        if not isinstance(self.features, str):
            return self.features
        if self.features == _MULTI_TIMEFRAME:
            every = named_set(_OF_SET, bar_length_us).features
            return tuple(each for each in every if each.timeframe is not None)
        return named_set(self.features, bar_length_us).features


class FeaturePhase(Spec):
    """A further phase of a sweep: its best experiments again, with more features.

    Attributes
    ----------
    best
        How many experiments.
    add
        By name, what is added to each of them; or names of feature sets alone, `multi_timeframe`
        among them: momentum, trend and volatility of two longer timeframes.

    >>> list(FeaturePhase(add=["multi_timeframe"]).add)
    ['multi_timeframe']
    """

    best: int = Field(10, ge=1, le=1_000)
    add: dict[str, Addition]

    @field_validator("add", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list | tuple):
            value = dict.fromkeys(value)
        if not isinstance(value, dict) or not value:
            raise ConfigError(
                f"Cannot read what to add from {value!r:.80}. Write names of feature sets, or "
                "{name: {features: [...], series: {...}}}."
            )
        for name in value:
            if not str(name).replace("_", "").replace("-", "").isalnum() or name == NOTHING:
                raise ConfigError(f"Name {name!r}: use letters, digits, _ and -, and not none.")
        return {
            str(name): {"features": str(name)} if each is None else each
            for name, each in value.items()
        }


def labelled(names: Iterable[str]) -> Iterator[str]:
    """Names as given on the command line: several, each perhaps a list divided by commas."""
    for name in names:
        yield from (part.strip() for part in name.split(",") if part.strip())
