"""A study: everything a run depends on, as one frozen value and one YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, field_validator, model_validator

from barstack.bars import PROVIDERS, Provider, SeriesFile
from barstack.core.errors import ConfigError
from barstack.core.spec import Spec, content_id
from barstack.core.times import canonical_duration
from barstack.core.yaml import read_yaml
from barstack.datasets import MAX_GAP, SCALERS, Dataset, Scaler, StandardScaler
from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.features import FEATURE_SETS, Feature, FeatureSet, FeatureTable, named_set
from barstack.labels import LABELS, Label, LabelTable, SampleWeights
from barstack.models import MODELS, Model
from barstack.splits import SPLITTERS, Splitter, WalkForward

_FEATURES = "Write the name of a set, or a list of names and {feature: NAME, params: {...}}."

# What evaluation calls the forecasts that need no model.
NAIVE = ("always_up", "historical_mean", "past_quantiles", "last_sign", "zero")


def _feature(item: Any) -> Feature:
    """A feature from its name, from its fields, or as it is."""
    if isinstance(item, Feature):
        return item
    if isinstance(item, str):
        return Feature(feature=item)
    if not isinstance(item, dict):
        raise ConfigError(f"Cannot read a feature from {item!r:.80}. {_FEATURES}")
    return Feature(**{str(key): value for key, value in item.items()})


class Study(Spec):
    """What to learn, from which bars, and how to judge it.

    >>> study = Study(bars="sample", label={"label": "return", "horizons": ["4h"]},
    ...               members=["ridge"])
    >>> study.members["ridge"].penalty
    1.0
    """

    title: str = ""  # for people; changes nothing
    bars: Annotated[Provider, PROVIDERS]
    features: str | tuple[Feature, ...] = "fast25"
    series: dict[str, SeriesFile] = Field(default_factory=dict)  # other tables, as of when known
    label: Annotated[Label, LABELS]
    split: Annotated[Splitter, SPLITTERS] = WalkForward()
    scaler: Annotated[Scaler, SCALERS] = StandardScaler()
    weights: SampleWeights = SampleWeights()
    max_gap: str = MAX_GAP  # neighbouring bars of one window lie no further apart
    members: dict[str, Annotated[Model, MODELS]]
    ensembles: tuple[Annotated[Ensemble, ENSEMBLES], ...] = Field(
        default=("stack", "average"), validate_default=True, min_length=1
    )
    cost_bps: float = Field(1.0, ge=0, le=10_000)  # of buying or selling one unit, 0.01 %
    seed: int = 0
    large_effect: str = ""  # why forecasts may be better than real markets allow
    allow_leaks: str = ""  # why the run may go on where the audit finds one; its verdict says so

    @field_validator("max_gap")
    @classmethod
    def _gap(cls, text: str) -> str:
        return canonical_duration(text)

    @field_validator("weights", mode="before")
    @classmethod
    def _weights(cls, value: Any) -> Any:
        """By name, or with settings."""
        return {"by": value} if isinstance(value, str) else value

    @field_validator("features", mode="before")
    @classmethod
    def _features(cls, value: Any) -> Any:
        """A set's name, a set, or a list of features given by name or in full."""
        if isinstance(value, FeatureSet):
            return value.features
        if isinstance(value, str) and value not in FEATURE_SETS:
            named_set(value, 1)  # says which sets there are
        if isinstance(value, list | tuple):
            return tuple(_feature(item) for item in value)
        if not isinstance(value, str):
            raise ConfigError(f"Cannot read features from {value!r:.80}. {_FEATURES}")
        return value

    @field_validator("members", mode="before")
    @classmethod
    def _members(cls, value: Any) -> Any:
        """A list of names, or names with settings; a name is its own model unless it says."""
        if (
            value
            and isinstance(value, list | tuple)
            and all(isinstance(item, str) for item in value)
        ):
            if len(set(value)) < len(value):
                raise ConfigError(
                    f"Members {value} repeat a name. Give each its own: name: {{model: ...}}."
                )
            value = {name: {} for name in value}
        if not isinstance(value, dict) or not value:
            raise ConfigError(
                f"Cannot read members from {value!r}. Write a list of names, or "
                "{name: {model: ..., setting: value}}."
            )
        return {str(name): cls._member(str(name), item) for name, item in value.items()}

    @staticmethod
    def _member(name: str, value: Any) -> Any:
        """A member that says only its settings is the model of its own name."""
        if value is None:
            return name
        return {"model": name, **value} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check(self) -> Study:
        if self.split.kind != "forward":
            raise ConfigError(
                "A study's verdict needs forward forecasts, and this split trains on both sides "
                "of its tests. Split with walk_forward or chronological."
            )
        some = (Feature(feature="body"),) if isinstance(self.features, str) else self.features
        self._with_series(some)  # refuses none, the same one twice, and names it cannot use
        for name, model in self.members.items():
            if not name.replace("_", "").replace("-", "").isalnum():
                raise ConfigError(f"Member name {name!r}: use letters, digits, _ and - only.")
            if self.label.task not in model.tasks:
                able = [m for m in MODELS.names() if self.label.task in MODELS.get(m).tasks]
                raise ConfigError(
                    f"Member {name!r} does {', '.join(model.tasks)}, not {self.label.task}. "
                    f"Models that do: {', '.join(able)}."
                )
        for each, name in zip(self.ensembles, self.ensemble_names, strict=True):
            if self.label.task not in each.tasks:
                able = [e for e in ENSEMBLES.names() if self.label.task in ENSEMBLES.get(e).tasks]
                raise ConfigError(
                    f"Ensemble {name!r} combines {', '.join(each.tasks)}, not {self.label.task}. "
                    f"Ensembles that do: {', '.join(able)}."
                )
        names = [*self.members, *self.ensemble_names, *NAIVE]
        taken = sorted({name for name in names if names.count(name) > 1})
        if taken:
            raise ConfigError(
                f"More than one forecaster is called {', '.join(taken)}. Give members other names "
                f"than ensembles and the naive forecasts {', '.join(NAIVE)}; list each ensemble "
                "once."
            )
        return self

    @property
    def ensemble_names(self) -> tuple[str, ...]:
        """Names of the ensembles; the verdict is on the first."""
        return tuple(str((each.registered_as or ("", ""))[1]) for each in self.ensembles)

    def feature_set(self, bar_length_us: int) -> FeatureSet:
        """The features for bars of this length."""
        if isinstance(self.features, str):
            return self._with_series(named_set(self.features, bar_length_us).features)
        return self._with_series(self.features)

    def dataset(self, features: FeatureTable, labels: LabelTable) -> Dataset:
        """Features and labels as members of this study see them."""
        return Dataset(features, labels, self.scaler, self.weights, self.max_gap)

    def _with_series(self, features: tuple[Feature, ...]) -> FeatureSet:
        series = {name: file.series for name, file in self.series.items()}
        return FeatureSet(features=features, series=series)

    def identity(self) -> list[Any]:
        """Everything but the title; what a study does not use makes no other study of it."""
        *front, fields = super().identity()
        later = ("series", "large_effect")  # keys that there were none of at first
        kept = {name: item for name, item in fields.items() if item or name not in later}
        return [*front, {name: item for name, item in kept.items() if name != "title"}]

    def run_id(self, data_fingerprint: str) -> str:
        """Id of a run: the study on these very bars and series."""
        return content_id([self.id, data_fingerprint])

    def to_yaml(self) -> str:
        """The study as text; `from_yaml` reads it back."""
        return yaml.safe_dump(self.content(), sort_keys=False)

    @classmethod
    def from_yaml(cls, file: Path | str) -> Study:
        """Read a study file; `ConfigError` names every mistake with its place."""
        file = Path(file)
        try:
            content = read_yaml(file.read_text("utf-8"))
        except FileNotFoundError:
            raise ConfigError(
                f"There is no study file {file}. Look at examples/ for one."
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} cannot be read as text: {error}.") from None
        except yaml.YAMLError as error:
            raise ConfigError(f"{file} is not YAML: {error}.") from None
        if not isinstance(content, dict):
            raise ConfigError(f"{file} holds {content!r}, not a study. Look at examples/ for one.")
        try:
            return cls(**{str(key): value for key, value in content.items()})
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
