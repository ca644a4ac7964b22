"""A study as the audit sees it: functions that are called again on altered bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from barstack.bars import Panel, Series
from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import concatenate
from barstack.datasets import Dataset, Scaler, StandardScaler, usable_rows
from barstack.ensembles import (
    Ensemble,
    FittedEnsemble,
    Layers,
    Stacked,
    align,
    fit_known,
    walk_forward,
)
from barstack.evaluation.audit import Data, Fit, Pipeline, Stage, files_read
from barstack.features import FeatureTable
from barstack.forecasting import NO_REGIME, regimes_at, with_features_of
from barstack.labels import Label, LabelTable, SampleWeights
from barstack.models import FittedModel, Model, RegimeDetector
from barstack.splits import Fold, Splitter
from barstack.tracking import OutOfFold

from ._fits import TrainingData, fit_fold
from ._labels import FoldLabels, StudyLabels, fit_label, latest_labels
from ._regimes import detect_fold, regime_data
from ._study import FeatureNames, Study, feature_set

_PROBED = 200  # training rows whose forecasts stand for what a model has learned


class Recipe(NamedTuple):
    """What the forecasts of a study depend on, beside its bars and series."""

    features: FeatureNames
    series: Mapping[str, Series]
    label: Label
    split: Splitter
    scaler: Scaler
    weights: SampleWeights
    max_gap: str
    members: Mapping[str, Model]
    ensembles: Mapping[str, Ensemble]
    detector: RegimeDetector | None
    seed: int

    @classmethod
    def of(cls, study: Study) -> Recipe:
        """Of a study."""
        return cls(
            features=study.features,
            series={name: file.series for name, file in study.series.items()},
            label=study.label,
            split=study.split,
            scaler=study.scaler,
            weights=study.weights,
            max_gap=study.max_gap,
            members=study.members,
            ensembles=study.ensembles,
            detector=study.detector,
            seed=study.seed,
        )

    def without_fits(self) -> Recipe:
        """As an audit that fits nothing needs it."""
        return self._replace(
            scaler=StandardScaler(),
            weights=SampleWeights(),
            max_gap="",
            members={},
            ensembles={},
            detector=None,
            seed=0,
        )


def pipeline_of(recipe: Recipe, length_us: int) -> Pipeline:
    """Features, labels, folds and fits of a study on bars of this length.

    A fitted label is represented by returns that are known when it is at the latest; its numbers
    are a stage of each fit.
    """
    own = feature_set(recipe.features, recipe.series, length_us)
    features = with_features_of(own, recipe.detector)

    def folds(features: FeatureTable, labels: LabelTable) -> list[Fold]:
        usable = usable_rows(columns_of(features, own.columns)) & labels.eligible
        return recipe.split.split(features.decisions, labels.all_known_at, usable)

    return Pipeline(
        features=lambda data: features.compute(data.panel, data.series),
        labels=lambda data: latest_labels(recipe.label, data.panel),
        folds=folds,
        fit=_Fitter(recipe, own.columns).fit,
        traded=True,
    )


class _Fitter:
    """Fits a study's folds as a run does; what earlier folds forecast is made only once."""

    def __init__(self, recipe: Recipe, columns: tuple[str, ...]) -> None:
        self.recipe, self._columns = recipe, columns  # those that members see
        self._forecasts: dict[tuple[int, str, int], OutOfFold] = {}
        self._kept: list[Decisions] = []  # so that no other has the id of one in `_forecasts`

    def fit(
        self,
        data: Data,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
        *,
        disturbed: bool = False,
    ) -> Fit:
        """Label, scalers, members and ensembles of one fold, in that order.

        Parameters
        ----------
        disturbed  each member right after final fits of the one before it and of itself
        """
        everything, features = features, columns_of(features, self._columns)
        fold, training = folds[number], self._data(data.panel, features, labels, folds, number)
        own = training.labels.of(number)
        stages = [] if own.through is None else [_label_stage(own, fold)]
        fitted, members, weights = {}, {}, []
        names = list(self.recipe.members)
        for place, (name, model) in enumerate(self.recipe.members.items()):
            if disturbed:
                for other in (names[place - 1], name):
                    fit_fold(training, self.recipe.members[other], None, self.recipe.seed)
            with files_read() as opened:
                fitted[name] = fit_fold(training, model, number, self.recipe.seed)
            declared = _declared(model, opened)
            weights += declared
            rest = tuple(path for path in opened if path not in declared)
            stages += self._member_stages(name, fitted[name], training, number, rest)
            members[name] = _forecast(fitted[name], training, number)
        ensembles: dict[str, FittedEnsemble] = {}
        detected: FittedModel | None = None
        context = {"features": (features.decisions, features.values)}
        if number and self.recipe.detector is not None:
            more, detected, regimes = self._regimes(everything, folds, number)
            context["regimes"] = (features.decisions, regimes)
            stages += more
        if number:
            for name, latest in members.items():
                before = [self._earlier(name, training, fold) for fold in range(number)]
                members[name] = _joined([*before, latest])
            more, ensembles = self._ensemble_stages(members, context, training, number)
            stages += more

        def predict(table: FeatureTable, rows: Rows) -> Floats:
            dataset = training.of(columns_of(table, self._columns), own.table)
            regimes = None
            if detected is not None:
                regimes = regimes_at(detected, columns_of(table, detected.columns), rows)
            return self._predicted(fitted, ensembles, dataset, rows, regimes)

        def afresh() -> Fit:
            return self.fit(data, everything, labels, folds, number, disturbed=True)

        return Fit(stages, predict(everything, fold.test), predict, afresh, tuple(weights))

    def _regimes(
        self, table: FeatureTable, folds: Sequence[Fold], number: int
    ) -> tuple[list[Stage], FittedModel, Floats]:
        """The detector as fitted for a fold, and what those of each fold up to it say."""
        detector, seed = self.recipe.detector, self.recipe.seed
        assert detector is not None
        own = columns_of(table, detector.feature_set.columns)
        data = regime_data(own, folds, self.recipe.max_gap)
        found = np.tile(NO_REGIME, (len(own.values), 1))
        for fold in range(number + 1):
            with files_read() as opened:
                fitted = detect_fold(data, detector, fold, seed)
            found[folds[fold].test] = regimes_at(fitted, own, folds[fold].test)
        stages = self._member_stages("regimes", fitted, data, number, tuple(opened))
        return stages, fitted, found

    def _data(
        self,
        panel: Panel,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> TrainingData:
        """What members are fitted on; a fitted label as fitted for folds up to `number`."""
        recipe = self.recipe
        if recipe.label.fitted:
            known_at = labels.all_known_at
            fits = [
                fit_label(recipe.label, panel, fold.train, known_at) for fold in folds[: number + 1]
            ]
            own = StudyLabels(fits[-1], tuple(fits))
        else:
            own = StudyLabels(FoldLabels(recipe.label.content(), labels, None))
        return TrainingData(
            features, own, list(folds), recipe.scaler, recipe.weights, recipe.max_gap
        )

    def _earlier(self, name: str, training: TrainingData, fold: int) -> OutOfFold:
        decisions = training.features.decisions
        key = (id(decisions), name, fold)  # tables of other dates have others
        if key not in self._forecasts:
            fitted = fit_fold(training, self.recipe.members[name], fold, self.recipe.seed)
            self._forecasts[key] = _forecast(fitted, training, fold)
            self._kept.append(decisions)
        return self._forecasts[key]

    def _predicted(
        self,
        fitted: Mapping[str, FittedModel],
        ensembles: Mapping[str, FittedEnsemble],
        dataset: Dataset,
        rows: Rows,
        regimes: Floats | None,
    ) -> Floats:
        """(n_rows, n_members + n_ensembles, n_horizons, n_outputs), NaN where there is none."""
        features, target = dataset.features, dataset.target
        shape = (len(rows), len(fitted) + len(ensembles), len(target.horizons))
        found = np.full((*shape, len(target.outputs)), np.nan)
        for column, each in enumerate(fitted.values()):
            able = np.flatnonzero(np.isin(rows, each.forecastable(dataset, rows)))
            if len(able):
                found[able, column] = each.predict(features, rows[able])
        # As out of fold: on the rows that all members forecast, by time, then by symbol.
        members = found[:, : len(fitted)]
        every = np.flatnonzero(np.isfinite(members).all(axis=(1, 2, 3)))
        decisions = features.decisions.take(rows[every])
        order = np.lexsort((decisions.symbol_code, decisions.decided_at))
        every, decisions = every[order], decisions.take(order)
        if len(every) and ensembles:
            context = {"features": features.values[rows[every]]}
            if regimes is not None:
                context["regimes"] = regimes[every]
            forecasts = members[every].copy()
            stacked = Stacked(tuple(fitted), decisions, target, forecasts, context=context)
            layers = Layers(tuple(fitted), ensembles)
            for place, values in enumerate(layers.predict(stacked).values()):
                found[every, len(fitted) + place] = values
        return found

    def _member_stages(
        self,
        name: str,
        fitted: FittedModel,
        training: TrainingData,
        number: int,
        opened: Sequence[str],
    ) -> list[Stage]:
        """Its scaler, and the member by its forecasts of some rows that it was trained on."""
        labels = training.labels.of(number).table
        rows, stop = fitted.fit_rows, fitted.stop_rows
        assert rows is not None  # it has just been trained
        assert stop is not None
        disjoint = {"the rows it stops early by": stop} if len(stop) else {}
        known = fitted.forecastable(training.dataset(number), rows)
        probed = known[np.linspace(0, len(known) - 1, min(_PROBED, len(known))).astype(int)]
        forecasts = fitted.predict(training.features, probed)
        learned = {"forecasts of its training rows": forecasts}
        through = fitted.trained_through
        shares = not training.labels.folds and fitted.model.fold_fits is not None
        scaled = {key: np.asarray(values).T for key, values in fitted.scaler.learned.items()}
        return [
            Stage(f"scaler of {name}", scaled, rows, labels=labels, shares_sums=shares),
            Stage(f"member {name}", learned, rows, disjoint, through, labels, opened, shares),
        ]

    def _ensemble_stages(
        self,
        members: dict[str, OutOfFold],
        context: Mapping[str, tuple[Decisions, Floats]],
        training: TrainingData,
        number: int,
    ) -> tuple[list[Stage], dict[str, FittedEnsemble]]:
        """Each ensemble as fitted before the fold, disjoint from what its members had seen."""
        folds, seed = training.folds, self.recipe.seed
        judged = training.labels.judged(folds[: number + 1])
        begins = judged.decisions.decided_at[folds[number].test].min()
        forecasts, stages, found = dict(members), [], {}
        for name, ensemble in self.recipe.ensembles.items():
            combined = ensemble.of or tuple(members)
            if not forecasts.keys() >= set(combined):
                continue  # what it combines has nothing before this fold to learn from
            aligned = align({each: forecasts[each] for each in combined}, judged, context=context)
            assert aligned.fold is not None  # of forecasts out of fold
            rows = np.flatnonzero((aligned.fold < number) & (aligned.all_known_at <= begins))
            if not len(rows):
                continue
            with files_read() as opened:
                fitted = fit_known(ensemble, aligned, rows, seed=seed, fold=number)
            learned = {"forecasts of its training rows": fitted.predict(aligned.take(rows))}
            if (weights := fitted.weight_matrix(judged.target)) is not None:
                learned = {"weights": weights}
            through, reads = fitted.trained_through, tuple(opened)
            at = judged.decisions.find(aligned.decisions.take(rows))
            stages.append(Stage(f"ensemble {name}", learned, at, {}, through, judged, reads))
            found[name] = fitted
            if any(name in each.of for each in self.recipe.ensembles.values()):
                forecasts[name], _ = walk_forward(ensemble, aligned, seed=seed)
        everyone = align(members, judged)
        assert everyone.fold is not None
        known = everyone.all_known_at <= begins
        for k in range(number):
            seen = folds[k].train[~np.isnat(judged.all_known_at[folds[k].train])]
            behind = {"the training of the members behind it": seen}
            own = everyone.decisions.take(np.flatnonzero(known & (everyone.fold == k)))
            from_fold = judged.decisions.find(own)
            stages.append(Stage(f"ensembles on fold {k}", {}, from_fold, behind, labels=judged))
        return stages, found


def columns_of(table: FeatureTable, columns: tuple[str, ...]) -> FeatureTable:
    """Some of a table's columns, in the order given."""
    if columns == table.columns:
        return table
    places = [table.columns.index(name) for name in columns]
    return FeatureTable(table.decisions, columns, table.values[:, places])


def _forecast(fitted: FittedModel, training: TrainingData, number: int) -> OutOfFold:
    fold = training.folds[number]
    rows = fitted.forecastable(training.dataset(number), fold.test)
    forecast = fitted.forecast(training.features, rows, fold.kind)
    return OutOfFold(forecast, np.full(len(rows), number))


def _label_stage(own: FoldLabels, fold: Fold) -> Stage:
    """A fitted label by its numbers: whatever of its content is not a word."""
    numbers = {
        name: np.asarray(value, float)
        for name, value in own.content.items()
        if np.asarray(value).dtype.kind in "if"
    }
    return Stage("label", numbers, fold.train, {}, own.through)


def _joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    fold = np.concatenate([part.fold for part in parts])
    return OutOfFold(concatenate([part.forecast for part in parts]), fold)


def _declared(model: Model, opened: Sequence[str]) -> list[str]:
    """Files of weights that its settings name, where it says what those may have seen."""
    if model.pretrained_through is None:
        return []
    named = [str(value) for value in model.content().values() if isinstance(value, str)]
    paths = {str(Path(name).absolute()) for name in named}
    return [path for path in opened if path in paths]
