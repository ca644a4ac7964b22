"""A study as the audit sees it: functions that are called again on altered bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from barstack.bars import Panel
from barstack.core.forecast import Forecast, concatenate
from barstack.datasets import usable_rows
from barstack.ensembles import align, fit_known
from barstack.evaluation.audit import Data, Fit, Pipeline, Stage
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.models import FittedModel, Model
from barstack.splits import Fold
from barstack.tracking import OutOfFold

from ._label_stages import FoldLabels, StudyLabels, fit_label, latest_labels
from ._member_fits import fit_member
from ._study import Study

_PROBED = 200  # training rows whose forecasts stand for what a model has learned


def pipeline_of(study: Study, length_us: int) -> Pipeline:
    """Features, labels, folds and fits of a study on bars of this length.

    A label that is fitted is stood for by returns that are known when it is at the latest; its
    numbers are a stage of each fit.
    """
    features = study.feature_set(length_us)

    def folds(features: FeatureTable, labels: LabelTable) -> list[Fold]:
        usable = usable_rows(features) & labels.eligible
        return study.split.split(features.decisions, labels.all_known_at, usable)

    return Pipeline(
        features=lambda data: features.compute(data.panel, data.series),
        labels=lambda data: latest_labels(study.label, data.panel),
        folds=folds,
        fit=_Fitter(study).fit,
        traded=True,
    )


class _Fitter:
    """Fits a study's folds one at a time; what earlier folds forecast is made only once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.earlier: dict[tuple[str, int], OutOfFold] = {}

    def fit(
        self,
        data: Data,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> Fit:
        """Label, scalers, members and ensembles of one fold, in that order."""
        fold, own = folds[number], self._labels(data.panel, labels, folds[number])
        stages = [] if own.through is None else [_label_stage(own, fold)]
        members, seen = {}, {}
        for name, model in self.study.members.items():
            fitted = self._fitted(model, features, own, fold, number)
            members[name] = self._forecast(fitted, features, own, fold, number)
            stages += self._member_stages(name, fitted, features, own, fold)
            seen[name] = members[name].forecast
        for name in members if number else ():
            before = [
                self._earlier(name, data.panel, features, labels, folds, k) for k in range(number)
            ]
            members[name] = _joined([*before, members[name]])
        if number:
            stages += self._ensemble_stages(members, data.panel, labels, folds, number)
        return Fit(stages, _side_by_side(list(seen.values()), features, fold))

    def _labels(self, panel: Panel, labels: LabelTable, fold: Fold) -> FoldLabels:
        if not self.study.label.fitted:
            return FoldLabels(self.study.label, labels, None)
        return fit_label(self.study.label, panel, fold.train, labels.all_known_at)

    def _fitted(
        self, model: Model, features: FeatureTable, own: FoldLabels, fold: Fold, number: int
    ) -> FittedModel:
        dataset = self.study.dataset(features, own.table)
        return fit_member(model, dataset, fold.train, own, self.study.seed, number)

    def _forecast(
        self, fitted: FittedModel, features: FeatureTable, own: FoldLabels, fold: Fold, number: int
    ) -> OutOfFold:
        dataset = self.study.dataset(features, own.table)
        rows = fitted.forecastable(dataset, fold.test)
        return OutOfFold(fitted.forecast(features, rows, fold.kind), np.full(len(rows), number))

    def _earlier(
        self,
        name: str,
        panel: Panel,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> OutOfFold:
        if (name, number) not in self.earlier:
            fold, own = folds[number], self._labels(panel, labels, folds[number])
            fitted = self._fitted(self.study.members[name], features, own, fold, number)
            made = self._forecast(fitted, features, own, fold, number)
            self.earlier[name, number] = made
        return self.earlier[name, number]

    def _member_stages(
        self,
        name: str,
        fitted: FittedModel,
        features: FeatureTable,
        own: FoldLabels,
        fold: Fold,
    ) -> list[Stage]:
        """Its scaler, and the member by what it forecasts for some rows that it was trained on."""
        rows, stop = fitted.fit_rows, fitted.stop_rows
        assert rows is not None  # it has just been trained
        assert stop is not None
        apart = {"the rows it stops early by": stop} if len(stop) else {}
        known = fitted.forecastable(self.study.dataset(features, own.table), rows)
        probed = known[np.linspace(0, len(known) - 1, min(_PROBED, len(known))).astype(int)]
        learned = {"forecasts of its training rows": fitted.predict(features, probed)}
        through = fitted.trained_through
        scaled = {key: np.asarray(values).T for key, values in fitted.scaler.learned.items()}
        return [
            Stage(f"scaler of {name}", scaled, rows, labels=own.table),
            Stage(f"member {name}", learned, rows, apart, through, own.table),
        ]

    def _ensemble_stages(
        self,
        members: dict[str, OutOfFold],
        panel: Panel,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> list[Stage]:
        """Each ensemble as fitted before the fold, kept apart from what its members had seen."""
        aligned = align(members)
        judged = self._judged(panel, labels, folds[: number + 1])
        at = judged.decisions.find(aligned.decisions)
        begins = judged.decisions.decided_at[folds[number].test].min()
        rows = np.flatnonzero((aligned.fold < number) & (judged.all_known_at[at] <= begins))
        stages = []
        for name, ensemble in zip(self.study.ensemble_names, self.study.ensembles, strict=True):
            fitted = fit_known(ensemble, aligned, judged, rows)
            learned = {"weights": fitted.weight_matrix(labels.target)}
            through = fitted.trained_through
            stages.append(Stage(f"ensemble {name}", learned, at[rows], {}, through, judged))
        for k in range(number):
            seen = folds[k].train[~np.isnat(judged.all_known_at[folds[k].train])]
            behind = {"the training of the members behind it": seen}
            from_fold = at[rows[aligned.fold[rows] == k]]
            stages.append(Stage(f"ensembles on fold {k}", {}, from_fold, behind, labels=judged))
        return stages

    def _judged(self, panel: Panel, labels: LabelTable, folds: Sequence[Fold]) -> LabelTable:
        if not self.study.label.fitted:
            return labels
        fits = {number: self._labels(panel, labels, fold) for number, fold in enumerate(folds)}
        return StudyLabels(fits).judged(folds)


def _label_stage(own: FoldLabels, fold: Fold) -> Stage:
    """A fitted label by its numbers: whatever of its content is not a word."""
    numbers = {
        name: np.asarray(value, float)
        for name, value in own.label.content().items()
        if np.asarray(value).dtype.kind in "if"
    }
    return Stage("label", numbers, fold.train, {}, own.through)


def _joined(parts: Sequence[OutOfFold]) -> OutOfFold:
    fold = np.concatenate([part.fold for part in parts])
    return OutOfFold(concatenate([part.forecast for part in parts]), fold)


def _side_by_side(
    forecasts: Sequence[Forecast], features: FeatureTable, fold: Fold
) -> npt.NDArray[np.float64]:
    """(n_test_rows, n_members, n_horizons, n_outputs), NaN where a member forecasts nothing."""
    shape = (len(features.decisions), len(forecasts), *forecasts[0].values.shape[1:])
    whole = np.full(shape, np.nan)
    for place, each in enumerate(forecasts):
        whole[features.decisions.find(each.decisions), place] = each.values
    return whole[fold.test]
