"""A study: everything a run depends on, as one frozen value and one YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, field_validator, model_validator

from barstack.bars import PROVIDERS, Provider, Series, SeriesFile
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.horizon import Horizon
from barstack.core.notebook import card, remark, table
from barstack.core.spec import Spec, content_id
from barstack.core.times import canonical_duration
from barstack.core.yaml import read_yaml_file
from barstack.datasets import MAX_GAP, SCALERS, Dataset, Scaler, StandardScaler
from barstack.ensembles import ENSEMBLES, Ensemble
from barstack.evaluation import BEST_SO_FAR
from barstack.features import FEATURE_SETS, Feature, FeatureSet, FeatureTable, named_set
from barstack.labels import LABELS, Label, LabelTable, SampleWeights
from barstack.models import MODELS, Model, RegimeDetector, RegimeRules
from barstack.splits import SPLITTERS, Splitter, WalkForward

from ._plan import StatedPlan
from ._tuning import Tuning

Named = str | Mapping[str, Any]  # a part by its name, or by name and settings
FeatureNames = str | tuple[Feature, ...]  # the name of a set, or features
_FEATURES = "Write the name of a set, or a list of names and {feature: NAME, params: {...}}."

_IDLE = ("title", "tune")  # keys that no result depends on

# What evaluation calls the forecasts that need no model.
NAIVE = ("always_up", "historical_mean", "past_quantiles", "last_sign", "zero")


def as_feature(item: Any) -> Feature:
    """A feature from its name, from its fields, or as it is."""
    if isinstance(item, Feature):
        return item
    if isinstance(item, str):
        return Feature(feature=item)
    if not isinstance(item, dict):
        raise ConfigError(f"Cannot read a feature from {item!r:.80}. {_FEATURES}")
    return Feature(**{str(key): value for key, value in item.items()})


@cache
def _any_feature() -> tuple[Feature, ...]:
    """One that stands for those of a named set, which only bars of some length make."""
    return (Feature(feature="body"),)


def feature_set(
    features: FeatureNames, series: Mapping[str, Series], bar_length_us: int
) -> FeatureSet:
    """The features for bars of a length, with the series that they may name."""
    if isinstance(features, str):
        features = named_set(features, bar_length_us).features
    return FeatureSet(features=features, series=dict(series))


def _with_horizons(schema: dict[str, Any]) -> None:
    """Horizons may stand beside the label in place of within it."""
    one = [{"type": "string"}, {"type": "integer"}]
    schema["properties"]["horizons"] = {
        "anyOf": [*one, {"type": "array", "items": {"anyOf": one}}],
        "description": "those of the label; without one, of returns",
    }
    schema["required"].remove("label")


class Study(Spec):
    """What to learn, from which bars, and how to judge it.

    >>> study = Study(bars="sample", label={"label": "return", "horizons": ["4h"]},
    ...               members=["ridge"])
    >>> study.members["ridge"].penalty
    1.0

    The same, with a preset's members in place of `members`:

    >>> Study(bars="sample", horizons=["4h"], preset="quick").label == study.label
    True

    Parts may be objects, of classes that `barstack` has:

    >>> import barstack as bs
    >>> Study(bars=bs.Sample(), label=bs.Return(["4h"]), members={"ridge": bs.Ridge()}) == study
    True
    """

    model_config = ConfigDict(json_schema_extra=_with_horizons)
    title: str = ""  # for people; changes nothing
    bars: Annotated[Provider, PROVIDERS]
    features: str | tuple[Feature, ...] = "fast25"
    series: dict[str, SeriesFile] = Field(default_factory=dict)  # other tables, as of when known
    label: Annotated[Label, LABELS]
    split: Annotated[Splitter, SPLITTERS] = WalkForward()
    scaler: Annotated[Scaler, SCALERS] = StandardScaler()
    weights: SampleWeights = SampleWeights()
    max_gap: str = MAX_GAP  # neighbouring bars of one window lie no further apart
    members: dict[str, Annotated[Model, MODELS]] = Field(default_factory=dict)
    # Where there are no members it chooses them, from how many bars there are: see `completed`.
    preset: Literal["", "quick", "standard", "thorough"] = ""
    ensembles: dict[str, Annotated[Ensemble, ENSEMBLES]] = Field(
        # The first is never worse than equal weights in benchmarks/ensembles.py; the second shows
        # whether learned weights would have been better.
        default={"inverse_variance": "inverse_variance", "nnls": "nnls"},
        validate_default=True,
    )
    # What tells ensembles that need it the regime; by default rules on trend and volatility.
    regimes: Annotated[Model, MODELS] | None = None
    judged: str = ""  # the ensemble that the verdict is on and the artifact holds; "": the first
    cost_bps: float = Field(1.0, ge=0, le=10_000)  # of buying or selling one unit, 0.01 %
    seed: int = 0
    large_effect: str = ""  # why forecasts may be better than real markets allow
    allow_leaks: str = ""  # why the run may go on where the audit finds one; its verdict says so
    tune: Tuning | None = None  # how `barstack tune` tunes its members; changes nothing else
    # From this moment on, UTC, bars and series are not seen until `barstack holdout open`.
    holdout: str = ""
    preregistered: StatedPlan | None = None  # entered in the ledger before the first fit

    if TYPE_CHECKING:  # parts may be given by name and by their settings too

        def __init__(
            self,
            *,
            bars: Provider | Named,
            label: Label | Named = "return",
            horizons: str | int | Horizon | Sequence[str | int | Horizon] = (),
            title: str = "",
            features: str | FeatureSet | Sequence[str | Feature | Mapping[str, Any]] = "fast25",
            series: Mapping[str, SeriesFile | Mapping[str, Any]] = ...,
            split: Splitter | Named = "walk_forward",
            scaler: Scaler | Named = "standard",
            weights: SampleWeights | Named = "uniform",
            max_gap: str = MAX_GAP,
            members: Sequence[str | Model] | Mapping[str, Model | Named | None] = ...,
            preset: Literal["", "quick", "standard", "thorough"] = "",
            ensembles: Sequence[Ensemble | Named] | Mapping[str, Ensemble | Named | None] = ...,
            regimes: Model | Named | None = None,
            judged: str = "",
            cost_bps: float = 1.0,
            seed: int = 0,
            large_effect: str = "",
            allow_leaks: str = "",
            tune: Tuning | Mapping[str, Any] | None = None,
            holdout: str = "",
            preregistered: StatedPlan | Mapping[str, Any] | None = None,
        ) -> None: ...

    def _repr_html_(self) -> str:
        """The settings that differ from the defaults, as notebooks show them."""
        rows = [
            (name, _in_short(getattr(self, name)))
            for name, field in type(self).model_fields.items()
            if name not in self.left_open
            and getattr(self, name) != field.get_default(call_default_factory=True)
        ]
        return card(
            f"Study {self.id}", table(["setting", "value"], rows), remark("to_yaml() has all.")
        )

    @model_validator(mode="before")
    @classmethod
    def _horizons(cls, values: Any) -> Any:
        """`horizons` beside a label by its name; without a label, of returns."""
        if not isinstance(values, dict) or "horizons" not in values:
            return values
        values = dict(values)
        horizons, label = values.pop("horizons"), values.get("label", "return")
        if not isinstance(label, str | dict) or (isinstance(label, dict) and "horizons" in label):
            raise ConfigError(
                f"Horizons {horizons!r} are given beside a label that has its own. Give them once."
            )
        own = {"label": label} if isinstance(label, str) else label
        return values | {"label": {**own, "horizons": horizons}}

    @field_validator("max_gap")
    @classmethod
    def _gap(cls, text: str) -> str:
        return canonical_duration(text)

    @field_validator("holdout", mode="before")
    @classmethod
    def _holdout(cls, value: Any) -> Any:
        """A date that YAML has read as one is text again."""
        return value.isoformat() if isinstance(value, date) else value

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
            return tuple(as_feature(item) for item in value)
        if not isinstance(value, str):
            raise ConfigError(f"Cannot read features from {value!r:.80}. {_FEATURES}")
        return value

    @field_validator("members", mode="before")
    @classmethod
    def _members(cls, value: Any) -> Any:
        """A list of names, or names with settings; a name is its own model unless it says."""
        return _named(value, "model", "Members")

    @field_validator("ensembles", mode="before")
    @classmethod
    def _ensembles(cls, value: Any) -> Any:
        """Likewise; a list may hold ensembles with settings, each called by its kind."""
        if value and isinstance(value, list | tuple):
            kinds = [_kind(item) for item in value]
            if all(kinds) and len(set(kinds)) == len(kinds):
                value = dict(zip(kinds, value, strict=True))
            elif all(kinds):
                raise ConfigError(
                    f"Ensembles {kinds} repeat a name. Give each its own: name: {{ensemble: ...}}."
                )
        named = _named(value, "ensemble", "Ensembles")
        return {name: _of_today(item) for name, item in named.items()}

    @model_validator(mode="after")
    def _check(self) -> Study:
        self._check_holdout()
        if self.preset and self.members:
            raise ConfigError(
                f"Preset {self.preset!r} chooses members, and the study names "
                f"{', '.join(self.members)}. Leave one of the two out."
            )
        if self.split.kind != "forward":
            raise ConfigError(
                "A study's verdict needs forward forecasts, and this split trains on both sides "
                "of its tests. Split with walk_forward or chronological."
            )
        self._check_features()
        for name in (*self.members, *self.ensembles):
            if not name.replace("_", "").replace("-", "").isalnum():
                raise ConfigError(f"Name {name!r}: use letters, digits, _ and - only.")
        for name, model in self.members.items():
            if self.label.task not in model.tasks:
                able = [m for m in MODELS.names() if self.label.task in MODELS.get(m).tasks]
                raise ConfigError(
                    f"Member {name!r} does {', '.join(model.tasks)}, not {self.label.task}. "
                    f"Models that do: {', '.join(able)}."
                )
        for name, each in self.ensembles.items():
            if self.label.task not in each.tasks:
                able = [e for e in ENSEMBLES.names() if self.label.task in ENSEMBLES.get(e).tasks]
                raise ConfigError(
                    f"Ensemble {name!r} combines {', '.join(each.tasks)}, not {self.label.task}. "
                    f"Ensembles that do: {', '.join(able)}."
                )
        if self.regimes is not None and not isinstance(self.regimes, RegimeDetector):
            able = [m for m in MODELS.names() if "regime" in MODELS.get(m).tasks]
            raise ConfigError(
                f"{type(self.regimes).__name__} detects no regimes. Detectors: {', '.join(able)}."
            )
        if self.judged and self.judged not in self.ensembles:
            raise ConfigError(
                f"The verdict is to be on {self.judged!r}, and the ensembles are "
                f"{', '.join(self.ensembles)}. Name one of them."
            )
        self._check_combined()
        if self.tune is not None and self.members:
            self.tune.check_members(self.members)
        names = [*self.members, *self.ensembles, BEST_SO_FAR, *NAIVE]
        taken = sorted({name for name in names if names.count(name) > 1})
        if taken:
            raise ConfigError(
                f"More than one forecaster is called {', '.join(taken)}. Give members other names "
                f"than ensembles, {BEST_SO_FAR} and the naive forecasts {', '.join(NAIVE)}."
            )
        return self

    def _check_holdout(self) -> None:
        if not self.holdout:
            return
        try:
            moment = datetime.fromisoformat(self.holdout)
        except ValueError:
            raise ConfigError(
                f"The holdout begins at {self.holdout!r}, which is no date. Write it as "
                "holdout: 2025-06-01, or with a time in UTC as 2025-06-01T14:30."
            ) from None
        if moment.tzinfo is not None and moment.utcoffset():
            raise ConfigError(f"The holdout begins at {self.holdout!r}. Write the time in UTC.")
        if self.bars.end is not None:
            raise ConfigError(
                f"The bars end at {self.bars.end}, and the holdout begins at {self.holdout}. Leave "
                "`end` out of the bars: the holdout ends with them."
            )

    @property
    def visible_bars(self) -> Provider:
        """The provider of all bars but those of the holdout, which only `open_holdout` reads."""
        return self.bars.model_copy(update={"end": self.holdout}) if self.holdout else self.bars

    def _check_features(self) -> None:
        """There are some, none twice, and all names can be used; a named set alone is known."""
        if self.series or not isinstance(self.features, str):
            some = _any_feature() if isinstance(self.features, str) else self.features
            feature_set(some, self._series(), 1)

    @property
    def detector(self) -> RegimeDetector | None:
        """What detects regimes; None where no ensemble needs them."""
        if not any("regimes" in each.needs for each in self.ensembles.values()):
            return None
        found = self.regimes or RegimeRules()
        assert isinstance(found, RegimeDetector)  # as was checked
        return found

    def _check_combined(self) -> None:
        """What ensembles combine is known, and comes before them."""
        known = list(self.members)
        for name, each in self.ensembles.items():
            for one in each.of:
                if one in known:
                    continue
                if one in self.ensembles:
                    raise ConfigError(
                        f"Ensemble {name!r} combines {one!r}, which comes after it or is itself. "
                        "Write an ensemble below those that it combines."
                    )
                raise ConfigError(
                    f"Ensemble {name!r} combines {one!r}, which is neither a member nor an "
                    f"ensemble. {did_you_mean(one, known)}"
                )
            if len(set(each.of)) < len(each.of):
                raise ConfigError(f"Ensemble {name!r} combines one forecaster twice: {each.of}.")
            known.append(name)

    def combined_by(self, ensemble: str) -> tuple[str, ...]:
        """Names of the members and ensembles that an ensemble combines."""
        return self.ensembles[ensemble].of or tuple(self.members)

    def behind(self, ensemble: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """All members behind an ensemble, and all ensembles, itself the last, in their order."""
        members, ensembles, ahead = set(), set(), [ensemble]
        while ahead:
            name = ahead.pop()
            if name in self.members:
                members.add(name)
            elif name not in ensembles:
                ensembles.add(name)
                ahead += self.combined_by(name)
        return (
            tuple(name for name in self.members if name in members),
            tuple(name for name in self.ensembles if name in ensembles),
        )

    def recipe_of(self, name: str) -> Any:
        """A member or ensemble with all that it combines as plain data, without their names."""
        if name in self.members:
            return self.members[name].id
        alone = self.ensembles[name].model_copy(update={"of": ()})
        combined = [self.recipe_of(each) for each in self.combined_by(name)]
        return [alone.id, sorted(combined, key=str)]

    @property
    def ensemble_names(self) -> tuple[str, ...]:
        """Names of the ensembles, the one that the verdict is on first."""
        first = self.judged or next(iter(self.ensembles))
        return (first, *(name for name in self.ensembles if name != first))

    def feature_set(self, bar_length_us: int) -> FeatureSet:
        """The features for bars of this length."""
        return feature_set(self.features, self._series(), bar_length_us)

    def dataset(self, features: FeatureTable, labels: LabelTable) -> Dataset:
        """Features and labels as members of this study see them."""
        return Dataset(features, labels, self.scaler, self.weights, self.max_gap)

    def _series(self) -> dict[str, Series]:
        return {name: file.series for name, file in self.series.items()}

    def identity(self) -> list[Any]:
        """All that results depend on; what a study does not use makes no other study of it."""
        *front, fields = super().identity()
        later = (
            "series",
            "large_effect",
            "judged",
            "regimes",
            "preset",
            "holdout",
            "preregistered",
        )  # keys that there were none of at first
        kept = {name: item for name, item in fields.items() if item or name not in later}
        if all(_kind(each) == name for name, each in self.ensembles.items()):
            kept["ensembles"] = list(kept["ensembles"].values())  # as before they had names
        return [*front, {name: item for name, item in kept.items() if name not in _IDLE}]

    def run_id(self, data_fingerprint: str) -> str:
        """Id of a run: the study on these very bars and series."""
        return content_id([self.id, data_fingerprint])

    @property
    def left_open(self) -> tuple[str, ...]:
        """Settings that a preset chooses; none once there are members."""
        if self.members:
            return ()
        return ("members", *({"split", "ensembles"} - self.model_fields_set))

    def content(self) -> dict[str, Any]:
        """Plain data from which an equal study can be made, without what is left open."""
        later = ("preset", "tune", "holdout", "preregistered")
        unused = (*self.left_open, *(name for name in later if not getattr(self, name)))
        return {name: item for name, item in super().content().items() if name not in unused}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Study:
        """An equal study but for `update`; what was left open stays so."""
        return type(self)(**(self._given() | dict(update or {})))

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self._given(),)

    def _given(self) -> dict[str, Any]:
        """Fields by name, without those that are left open."""
        names = (name for name in type(self).model_fields if name not in self.left_open)
        return {name: getattr(self, name) for name in names}

    def to_yaml(self) -> str:
        """The study as text; `from_yaml` reads it back."""
        return yaml.safe_dump(self.content(), sort_keys=False)

    @classmethod
    def from_yaml(cls, file: Path | str) -> Study:
        """Read a study file; `ConfigError` names every mistake with its place."""
        file = Path(file)
        content = read_yaml_file(file, "study", "examples/ for one")
        if "study" in content and "bars" not in content:
            raise ConfigError(f"{file} looks like a sweep. Run it with: barstack sweep {file}")
        try:
            return cls(**content)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None


def _in_short(value: Any) -> str:
    """A setting as text, with the settings of its parts that differ from their defaults."""
    if isinstance(value, Spec):
        own = {
            name: getattr(value, name)
            for name, field in type(value).model_fields.items()
            if getattr(value, name) != field.get_default(call_default_factory=True)
        }
        name = value.registered_as[1] if value.registered_as else own.pop("feature", "")
        listed = ", ".join(f"{key}: {_in_short(item)}" for key, item in own.items())
        return f"{name} ({listed})" if name and listed else name or listed
    if isinstance(value, Mapping):
        items = {str(key): _in_short(item) for key, item in value.items()}
        return ", ".join(key if key == item else f"{key}: {item}" for key, item in items.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_in_short, value))
    return str(value)


def _made(fields: dict[str, Any]) -> Study:
    return Study(**fields)


def _named(value: Any, kind: str, what: str) -> Any:
    """A list of names or specs, or either by name; a name is its own kind unless it says."""
    if value and isinstance(value, list | tuple):
        names = [_listed_as(item) for item in value]
        if all(names):
            if len(set(names)) < len(names):
                raise ConfigError(
                    f"{what} {names} repeat a name. Give each its own: name: {{{kind}: ...}}."
                )
            value = {
                name: item if isinstance(item, Spec) else {}
                for name, item in zip(names, value, strict=True)
            }
    if not isinstance(value, dict) or not value:
        raise ConfigError(
            f"Cannot read {what.lower()} from {value!r:.200}. Write a list of names, or "
            f"{{name: {{{kind}: ..., setting: value}}}}."
        )
    return {str(name): _of_kind(str(name), item, kind) for name, item in value.items()}


def _listed_as(item: Any) -> str:
    """The name of a member or ensemble in a list: its own, or that of its kind; else empty."""
    if isinstance(item, Spec):
        return item.registered_as[1] if item.registered_as else ""
    return item if isinstance(item, str) else ""


def _of_kind(name: str, value: Any, kind: str) -> Any:
    if value is None:
        return name
    return {kind: name, **value} if isinstance(value, dict) else value


def _of_today(value: Any) -> Any:
    """What was called `stack` before that had a meta-learner, as the studies of old runs say."""
    if isinstance(value, dict) and value.get("ensemble") == "stack" and "weight_spread" in value:
        return value | {"ensemble": "nnls"}
    return value


def _kind(value: Any) -> str | None:
    """The registered name of an ensemble, given by name, by its fields or as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return value.get("ensemble")
    return value.registered_as[1] if isinstance(value, Ensemble) and value.registered_as else None
