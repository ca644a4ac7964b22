"""The stages of labels: when they end at the latest, and what each fold calls them.

A label may learn numbers, such as thresholds or barriers. Folds are cut by the latest moment at
which its answers can be known, then each fold fits it on its own training rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

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
from ._chain import Chain, Step, Values, Workplace, stage
from ._study import Study

_WHERE_ANY = ("side", "close", "latest")  # columns that not every label table has
FINAL = -1  # the fold number of what is fitted on everything, for the artifact


class LabelEnds(NamedTuple):
    """The latest moments at which labels are known, which is what folds are purged by.

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
    """A study's labels as fitted for one fold.

    label    with its numbers learned
    table    of every decision
    through  the latest holding that the numbers were learned from; None where nothing is learned
    """

    label: Label
    table: LabelTable
    through: np.datetime64 | None


@dataclass(frozen=True, eq=False)
class StudyLabels:
    """A study's labels, by fold where they are fitted; `FINAL` is fitted on everything known."""

    fits: Mapping[int, FoldLabels]

    def of(self, fold: int) -> FoldLabels:
        """As fitted for a fold; where nothing is fitted all folds have the same."""
        return self.fits[fold] if len(self.fits) > 1 else self.fits[FINAL]

    def judged(self, folds: Sequence[Fold]) -> LabelTable:
        """Each decision's label as fitted for the fold that was the latest to begin by then.

        Decisions before the first test are labelled as the first fold does. It is what forecasts
        are judged by, and what an ensemble learns from.
        """
        first = self.of(0).table
        if len(self.fits) == 1:
            return first
        tables = [self.of(number).table for number in range(len(folds))]
        decided_at = first.decisions.decided_at
        begins = np.array([decided_at[fold.test].min() for fold in folds])
        fold_of = np.maximum(np.searchsorted(begins, decided_at, side="right") - 1, 0)
        rows = np.arange(len(decided_at))

        def pick(name: str) -> Array:
            return np.stack([getattr(table, name) for table in tables])[fold_of, rows]

        known_at = KnownAt(pick("known_at"))
        values, returns, eligible = pick("values"), pick("returns"), pick("eligible")
        side = None if first.side is None else pick("side")
        return replace(
            first, values=values, known_at=known_at, returns=returns, eligible=eligible, side=side
        )


@stage("label_ends")
def label_ends(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """When labels are known at the latest, however they are fitted."""

    def make(inputs: Values, key: str) -> LabelEnds:
        table = latest_labels(study.label, inputs["bars"])
        ends = LabelEnds(table.decisions, table.all_known_at, table.eligible, table.missing)
        if found := missing_labels(ends, study.label.horizon_names):
            workplace.progress.note(in_short(found, "holes in the bars"))
        return ends

    def save(ends: LabelEnds, folder: Path, key: str) -> None:
        save_arrays(
            folder,
            ends.decisions,
            known_at=ends.known_at,
            eligible=ends.eligible,
            missing=ends.missing,
        )

    def load(folder: Path, key: str) -> LabelEnds:
        decisions, arrays = load_arrays(folder)
        known_at = KnownAt(arrays["known_at"])
        return LabelEnds(decisions, known_at, arrays["eligible"], arrays["missing"])

    yield Step(
        name="label_ends",
        needs=("bars",),
        spec=lambda: [study.label.id],
        make=make,
        save=save,
        load=load,
    )


def missing_labels(ends: LabelEnds, horizons: Sequence[str]) -> list[Finding]:
    """For each symbol, how many decisions have no label at each horizon, in words."""
    found = []
    for code, symbol in enumerate(ends.decisions.symbols):
        own = ends.decisions.symbol_code == code
        counts = {
            horizon: int(count)
            for horizon, count in zip(horizons, ends.missing[own].sum(axis=0), strict=True)
            if count
        }
        if not counts:
            continue
        at = ends.decisions.decided_at[own & ends.missing.any(axis=1)]
        listed = ", ".join(f"{count:,} over {horizon}" for horizon, count in counts.items())
        defect = Defect(
            count=len(at),
            values=f"{listed}; of {own.sum():,}",
            what=(
                f"{len(at):,} of {own.sum():,} decisions have no label, as bars are missing before "
                f"their holdings end, or hold a price far off: {listed}."
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
    """Labels as folds are cut by; of one that is fitted, returns known when it is at the latest."""
    if not label.fitted:
        return label.compute(panel)
    known_at, decisions = latest_known_at(label, panel), AT_EACH_CLOSE.decisions(panel)
    returns = np.full(known_at.shape, np.nan)
    for code, symbol in enumerate(decisions.symbols):
        own, bars = decisions.symbol_code == code, panel[symbol]
        left = np.searchsorted(bars.closed_at, known_at[own], side="right") - 1
        values = bars.close[left] / bars.close[:, None] - 1.0
        missing = [
            label.across_hole(bars, horizon, KnownAt(known_at[own, place]))
            for place, horizon in enumerate(label.horizons)
        ]
        gone = np.isnat(known_at[own]) | np.column_stack(missing)
        returns[own] = np.where(gone, np.nan, values)
    target, eligible = Target("return", label.target.horizons), np.ones(len(known_at), bool)
    return LabelTable(decisions, target, returns, known_at, returns, eligible)


@stage("labels")
def labels(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Label tables of every fold and of the final fit; one and the same where nothing is fitted."""

    def make(inputs: Values, key: str) -> StudyLabels:
        panel: Panel = inputs["bars"]
        if not study.label.fitted:
            return StudyLabels({FINAL: FoldLabels(study.label, study.label.compute(panel), None)})
        ends: LabelEnds = inputs["label_ends"]
        rows = {number: fold.train for number, fold in enumerate(inputs["split"])}
        rows[FINAL] = np.flatnonzero(~np.isnat(ends.known_at))
        fits = {}
        with workplace.progress.step("fitting labels", len(rows)) as progress:
            for number, seen in rows.items():
                fits[number] = fit_label(study.label, panel, seen, ends.known_at)
                progress.advance()
        return StudyLabels(fits)

    def save(labels: StudyLabels, folder: Path, key: str) -> None:
        for number, each in labels.fits.items():
            _save_one(each, folder / str(number))

    def load(folder: Path, key: str) -> StudyLabels:
        return StudyLabels(
            {int(each.name): _load_one(each) for each in folder.iterdir() if each.is_dir()}
        )

    yield Step(
        name="labels",
        needs=("bars", "label_ends", "split") if study.label.fitted else ("bars",),
        spec=lambda: [study.label.id],
        make=make,
        save=save,
        load=load,
    )


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
        **{name: array for name in _WHERE_ANY if (array := getattr(table, name)) is not None},
    )
    about = {
        "label": labels.label.content(),
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
        **{name: arrays[name] for name in _WHERE_ANY if name in arrays},
    )
    return FoldLabels(label, table, about["through"] and as_time(about["through"]))


def fit_label(label: Label, panel: Panel, rows: Rows, latest: KnownAt) -> FoldLabels:
    """A label fitted on the holdings of `rows`, and its table of every decision."""
    fitted = fitted_on(label, panel, rows)
    table = replace(fitted.compute(panel), latest=latest)
    return FoldLabels(fitted, table, latest[rows].max())
