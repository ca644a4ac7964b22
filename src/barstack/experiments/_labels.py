"""Tasks of labels: when they end at the latest, and the labels of each fold.

A label may learn numbers, such as thresholds or barriers. Folds are cut by the latest moment at
which a label can be known; then each fold fits it on its own training rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from barstack.bars import Panel
from barstack.bars.checks import Defect, Finding, in_short
from barstack.core.arrays import Array, Bools, Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import Target
from barstack.core.schedule import AT_EACH_CLOSE
from barstack.core.times import KnownAt, as_time, microseconds
from barstack.labels import LABELS, Label, LabelTable, fitted_on, latest_known_at
from barstack.splits import Fold

from ._arrays import load_arrays, save_arrays
from ._study import Study
from ._task import Operation, Place, Task, Workspace, stage

_OPTIONAL = ("side", "close", "latest")  # columns that not every label table has


class LabelEnds(NamedTuple):
    """The latest moments at which labels are known, by which folds are purged.

    Attributes
    ----------
    decisions  the rows
    known_at   (n_rows,) of the last horizon; NaT while open, and where a label is missing
    eligible   (n_rows,) decisions that can have a label
    missing    (n_rows, n_horizons) holdings without a label, across a hole or a bad print
    """

    decisions: Decisions
    known_at: KnownAt
    eligible: Bools
    missing: Bools


@dataclass(frozen=True, eq=False)
class FoldLabels:
    """A study's labels as fitted for one fold, or for the final fit.

    Attributes
    ----------
    content  of the label, with its numbers learned; {} where a detector learns without any
    table    of every decision
    through  the latest holding that the numbers were learned from; None where nothing is learned
    """

    content: Mapping[str, Any]
    table: LabelTable
    through: np.datetime64 | None


@dataclass(frozen=True, eq=False)
class StudyLabels:
    """A study's labels.

    Attributes
    ----------
    final   fitted on everything known
    folds   as fitted for each fold; empty where nothing is fitted, as all folds then share `final`
    """

    final: FoldLabels
    folds: tuple[FoldLabels, ...] = ()

    def of(self, fold: int | None) -> FoldLabels:
        """As fitted for a fold, by default for the final fit."""
        return self.final if fold is None or not self.folds else self.folds[fold]

    def judged(self, folds: Sequence[Fold]) -> LabelTable:
        """Each decision's label as fitted for the fold that was the latest to begin by then.

        Decisions before the first test are labelled as the first fold does. Forecasts are judged
        by it, and ensembles learn from it.
        """
        if not self.folds:
            return self.final.table
        tables = [each.table for each in self.folds[: len(folds)]]
        first = tables[0]
        decided_at = first.decisions.decided_at
        begins = np.array([decided_at[fold.test].min() for fold in folds])
        fold_of = np.maximum(np.searchsorted(begins, decided_at, side="right") - 1, 0)
        rows = np.arange(len(decided_at))

        def pick(name: str) -> Array:
            return np.stack([getattr(table, name) for table in tables])[fold_of, rows]

        return replace(
            first,
            values=pick("values"),
            known_at=KnownAt(pick("known_at")),
            returns=pick("returns"),
            eligible=pick("eligible"),
            side=None if first.side is None else pick("side"),
        )


def label_ends(workspace: Workspace, panel: Panel, *, label: Label) -> LabelEnds:
    """When labels are known at the latest, of a label that is fitted on each fold."""
    return _ends(workspace, latest_labels(label, panel))


def ends_of_labels(workspace: Workspace, labels: StudyLabels) -> LabelEnds:
    """When labels are known, of a label that learns nothing."""
    return _ends(workspace, labels.final.table)


def _ends(workspace: Workspace, table: LabelTable) -> LabelEnds:
    ends = LabelEnds(table.decisions, table.all_known_at, table.eligible, table.missing)
    if found := missing_labels(ends, table.target.horizons):
        workspace.progress.note(in_short(found, "holes in the bars"))
    return ends


def save_ends(ends: LabelEnds, place: Place) -> None:
    known_at, eligible, missing = ends.known_at, ends.eligible, ends.missing
    save_arrays(place.folder, ends.decisions, known_at=known_at, eligible=eligible, missing=missing)


def load_ends(place: Place) -> LabelEnds:
    decisions, arrays = load_arrays(place.folder)
    known_at = KnownAt(arrays["known_at"])
    return LabelEnds(decisions, known_at, arrays["eligible"], arrays["missing"])


def missing_labels(ends: LabelEnds, horizons: Sequence[str]) -> list[Finding]:
    """For each symbol, how many decisions have no label at each horizon."""
    found = []
    for code, symbol in enumerate(ends.decisions.symbols):
        rows = ends.decisions.symbol_code == code
        counts = {
            horizon: int(count)
            for horizon, count in zip(horizons, ends.missing[rows].sum(axis=0), strict=True)
            if count
        }
        if not counts:
            continue
        at = ends.decisions.decided_at[rows & ends.missing.any(axis=1)]
        listed = ", ".join(f"{count:,} over {horizon}" for horizon, count in counts.items())
        defect = Defect(
            count=len(at),
            values=f"{listed}; of {rows.sum():,}",
            what=(
                f"{len(at):,} of {rows.sum():,} decisions have no label, as bars are missing "
                f"before their holdings end, or hold a price far off: {listed}."
            ),
            advice=(
                "They are neither trained on nor scored, and the profit holds their positions "
                "all the same. Fetch the bars that are missing or bad, or allow holes in the study "
                "with label: {max_gap: 10d}."
            ),
            at=microseconds(at),
        )
        found.append(Finding.of(defect, "missing_labels", symbol, "warn"))
    return found


def latest_labels(label: Label, panel: Panel) -> LabelTable:
    """Labels as folds are cut by; of a fitted one, returns known when it is at the latest."""
    if not label.fitted:
        return label.compute(panel)
    known_at, decisions = latest_known_at(label, panel), AT_EACH_CLOSE.decisions(panel)
    returns = np.full(known_at.shape, np.nan)
    for code, symbol in enumerate(decisions.symbols):
        rows, bars = decisions.symbol_code == code, panel[symbol]
        left = np.searchsorted(bars.closed_at, known_at[rows], side="right") - 1
        values = bars.close[left] / bars.close[:, None] - 1.0
        missing = [
            label.across_hole(bars, horizon, KnownAt(known_at[rows, place]))
            for place, horizon in enumerate(label.horizons)
        ]
        gone = np.isnat(known_at[rows]) | np.column_stack(missing)
        returns[rows] = np.where(gone, np.nan, values)
    target, eligible = Target("return", label.target.horizons), np.ones(len(known_at), bool)
    return LabelTable(decisions, target, returns, known_at, returns, eligible)


def fit_label(label: Label, panel: Panel, rows: Rows, latest: KnownAt) -> FoldLabels:
    """A label fitted on the holdings of `rows`, and its table of every decision."""
    fitted = fitted_on(label, panel, rows)
    table = replace(fitted.compute(panel), latest=latest)
    return FoldLabels(fitted.content(), table, latest[rows].max())


def compute_labels(workspace: Workspace, panel: Panel, *, label: Label) -> StudyLabels:
    """One table for all folds, of a label that learns nothing."""
    return StudyLabels(FoldLabels(label.content(), label.compute(panel), None))


def fit_labels(
    workspace: Workspace, panel: Panel, ends: LabelEnds, folds: list[Fold], *, label: Label
) -> StudyLabels:
    """A table for each fold, of a label fitted on its training rows, and one for the final fit."""
    known = np.flatnonzero(~np.isnat(ends.known_at))
    fits = []
    with workspace.progress.step("fitting labels", len(folds) + 1) as progress:
        for rows in (*(fold.train for fold in folds), known):
            fits.append(fit_label(label, panel, rows, ends.known_at))
            progress.advance()
    return StudyLabels(fits[-1], tuple(fits[:-1]))


def save_labels(labels: StudyLabels, place: Place) -> None:
    _save_one(labels.final, place.folder / "final")
    for number, each in enumerate(labels.folds):
        _save_one(each, place.folder / str(number))


def load_labels(place: Place) -> StudyLabels:
    count = sum(each.is_dir() for each in place.folder.iterdir()) - 1
    folds = tuple(_load_one(place.folder / str(number)) for number in range(count))
    return StudyLabels(_load_one(place.folder / "final"), folds)


def _save_one(labels: FoldLabels, folder: Path) -> None:
    folder.mkdir()
    table = labels.table
    save_arrays(
        folder,
        table.decisions,
        values=table.values,
        known_at=table.known_at,
        returns=table.returns,
        eligible=table.eligible,
        **{name: array for name in _OPTIONAL if (array := getattr(table, name)) is not None},
    )
    about = {
        "label": labels.content,
        "through": None if labels.through is None else str(labels.through),
    }
    (folder / "label.json").write_text(json.dumps(about, indent=1))


def _load_one(folder: Path) -> FoldLabels:
    about = json.loads((folder / "label.json").read_text())
    label = LABELS.parse(about["label"])
    decisions, arrays = load_arrays(folder)
    table = LabelTable(
        decisions,
        label.target,
        arrays["values"],
        KnownAt(arrays["known_at"]),
        arrays["returns"],
        arrays["eligible"],
        **{name: arrays[name] for name in _OPTIONAL if name in arrays},
    )
    return FoldLabels(label.content(), table, about["through"] and as_time(about["through"]))


LATEST_ENDS = Operation("label_ends", label_ends, ("labels",), save_ends, load_ends)
ENDS = Operation("label_ends", ends_of_labels, ("labels",))
SAME_LABELS = Operation("labels", compute_labels, ("labels",), save_labels, load_labels)
FITTED_LABELS = Operation("labels", fit_labels, ("labels",), save_labels, load_labels)


@stage("labels")
def label_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """When labels end at the latest, and label tables."""
    settings = {"label": study.label}
    if study.label.fitted:
        yield Task("label_ends", LATEST_ENDS, ("bars",), settings, after=("checks",))
        yield Task("labels", FITTED_LABELS, ("bars", "label_ends", "split"), settings)
    else:
        yield Task("labels", SAME_LABELS, ("bars",), settings, after=("checks",))
        yield Task("label_ends", ENDS, ("labels",))
