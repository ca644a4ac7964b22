"""A study as the audit sees it: functions that are called again on altered bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from barstack.bars import Panel
from barstack.core.arrays import Floats, Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import concatenate
from barstack.datasets import usable_rows
from barstack.ensembles import FittedEnsemble, Stacked, align, fit_known
from barstack.evaluation.audit import Data, Fit, Pipeline, Stage, files_read
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
        self.earlier: dict[tuple[int, str, int], OutOfFold] = {}
        self._kept: list[Decisions] = []  # so that no other can have the id of one in `earlier`

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

        disturbed  each member right after final fits of the one before it and of itself
        """
        fold, own = folds[number], self._labels(data.panel, labels, folds[number])
        stages = [] if own.through is None else [_label_stage(own, fold)]
        fitted, members, weights = {}, {}, []
        names = list(self.study.members)
        for place, (name, model) in enumerate(self.study.members.items()):
            if disturbed:
                for other in (names[place - 1], name):
                    self._final(self.study.members[other], features, labels, own, number)
            with files_read() as opened:
                fitted[name] = self._fitted(model, features, own, fold, number)
            declared = _declared(model, opened)
            weights += declared
            rest = tuple(path for path in opened if path not in declared)
            stages += self._member_stages(name, fitted[name], features, own, fold, rest)
            members[name] = self._forecast(fitted[name], features, own, fold, number)
        ensembles: dict[str, FittedEnsemble] = {}
        if number:
            for name, latest in members.items():
                before = [
                    self._earlier(name, data.panel, features, labels, folds, k)
                    for k in range(number)
                ]
                members[name] = _joined([*before, latest])
            more, ensembles = self._ensemble_stages(members, data.panel, labels, folds, number)
            stages += more

        def predict(features: FeatureTable, rows: Rows) -> Floats:
            return self._predicted(fitted, ensembles, features, own, rows)

        def afresh() -> Fit:
            return self.fit(data, features, labels, folds, number, disturbed=True)

        return Fit(stages, predict(features, fold.test), predict, afresh, tuple(weights))

    def _labels(self, panel: Panel, labels: LabelTable, fold: Fold) -> FoldLabels:
        if not self.study.label.fitted:
            return FoldLabels(self.study.label, labels, None)
        return fit_label(self.study.label, panel, fold.train, labels.all_known_at)

    def _fitted(
        self, model: Model, features: FeatureTable, own: FoldLabels, fold: Fold, number: int
    ) -> FittedModel:
        dataset = self.study.dataset(features, own.table)
        return fit_member(model, dataset, fold.train, own, self.study.seed, number)

    def _final(
        self,
        model: Model,
        features: FeatureTable,
        labels: LabelTable,
        own: FoldLabels,
        number: int,
    ) -> None:
        """A fit on everything known, which is forgotten, if the model keeps to the rules."""
        dataset = self.study.dataset(features, own.table)
        every = np.flatnonzero(dataset.usable & ~np.isnat(labels.all_known_at))
        rows = every[np.argsort(dataset.decisions.decided_at[every], kind="stable")]
        fit_member(model, dataset, rows, own, self.study.seed, number)

    def _forecast(
        self, fitted: FittedModel, features: FeatureTable, own: FoldLabels, fold: Fold, number: int
    ) -> OutOfFold:
        dataset = self.study.dataset(features, own.table)
        rows = fitted.forecastable(dataset, fold.test)
        return OutOfFold(fitted.forecast(features, rows, fold.kind), np.full(len(rows), number))

    def _predicted(
        self,
        fitted: Mapping[str, FittedModel],
        ensembles: Mapping[str, FittedEnsemble],
        features: FeatureTable,
        own: FoldLabels,
        rows: Rows,
    ) -> Floats:
        """(n_rows, n_members + n_ensembles, n_horizons, n_outputs), NaN where there is none."""
        dataset, target = self.study.dataset(features, own.table), own.table.target
        shape = (len(rows), len(fitted) + len(ensembles), len(target.horizons))
        found = np.full((*shape, len(target.outputs)), np.nan)
        for column, each in enumerate(fitted.values()):
            there = np.flatnonzero(np.isin(rows, each.forecastable(dataset, rows)))
            if len(there):
                found[there, column] = each.predict(features, rows[there])
        # As out of fold: on the rows that all members forecast, by time, then by symbol.
        members = found[:, : len(fitted)]
        every = np.flatnonzero(np.isfinite(members).all(axis=(1, 2, 3)))
        decisions = features.decisions.take(rows[every])
        order = np.lexsort((decisions.symbol_code, decisions.decided_at))
        every, decisions = every[order], decisions.take(order)
        for place, ensemble in enumerate(ensembles.values() if len(every) else ()):
            stacked = Stacked(tuple(fitted), decisions, target, members[every].copy())
            found[every, len(fitted) + place] = ensemble.predict(stacked)
        return found

    def _earlier(
        self,
        name: str,
        panel: Panel,
        features: FeatureTable,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> OutOfFold:
        key = (id(features.decisions), name, number)  # tables of other dates have others
        if key not in self.earlier:
            fold, own = folds[number], self._labels(panel, labels, folds[number])
            fitted = self._fitted(self.study.members[name], features, own, fold, number)
            made = self._forecast(fitted, features, own, fold, number)
            self.earlier[key] = made
            self._kept.append(features.decisions)
        return self.earlier[key]

    def _member_stages(
        self,
        name: str,
        fitted: FittedModel,
        features: FeatureTable,
        own: FoldLabels,
        fold: Fold,
        opened: Sequence[str],
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
            Stage(f"member {name}", learned, rows, apart, through, own.table, opened),
        ]

    def _ensemble_stages(
        self,
        members: dict[str, OutOfFold],
        panel: Panel,
        labels: LabelTable,
        folds: Sequence[Fold],
        number: int,
    ) -> tuple[list[Stage], dict[str, FittedEnsemble]]:
        """Each ensemble as fitted before the fold, kept apart from what its members had seen."""
        judged = self._judged(panel, labels, folds[: number + 1])
        aligned = align(members, judged)
        at = judged.decisions.find(aligned.decisions)
        begins = judged.decisions.decided_at[folds[number].test].min()
        assert aligned.fold is not None  # of forecasts out of fold
        rows = np.flatnonzero((aligned.fold < number) & (aligned.all_known_at <= begins))
        stages, found = [], {}
        for name, ensemble in zip(self.study.ensemble_names, self.study.ensembles, strict=True):
            with files_read() as opened:
                fitted = fit_known(ensemble, aligned, rows, seed=self.study.seed, fold=number)
            learned = {"forecasts of its training rows": fitted.predict(aligned.take(rows))}
            if (weights := fitted.weight_matrix(labels.target)) is not None:
                learned = {"weights": weights}
            through, reads = fitted.trained_through, tuple(opened)
            stages.append(Stage(f"ensemble {name}", learned, at[rows], {}, through, judged, reads))
            found[name] = fitted
        for k in range(number):
            seen = folds[k].train[~np.isnat(judged.all_known_at[folds[k].train])]
            behind = {"the training of the members behind it": seen}
            from_fold = at[rows[aligned.fold[rows] == k]]
            stages.append(Stage(f"ensembles on fold {k}", {}, from_fold, behind, labels=judged))
        return stages, found

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


def _declared(model: Model, opened: Sequence[str]) -> list[str]:
    """Files of weights that its settings name, where it says what those may have seen."""
    if model.pretrained_through is None:
        return []
    named = [str(value) for value in model.content().values() if isinstance(value, str)]
    paths = {str(Path(name).absolute()) for name in named}
    return [path for path in opened if path in paths]
