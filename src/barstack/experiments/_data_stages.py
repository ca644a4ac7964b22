"""Stages from bars to folds. Each says what it needs and how it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from barstack.bars import Panel, panel_fingerprint
from barstack.bars.checks import Finding, find, in_short, refuse
from barstack.datasets import usable_rows
from barstack.features import FeatureTable, check_known, check_values
from barstack.splits import Fold

from ._arrays import load_arrays, save_arrays
from ._chain import Chain, Step, Values, Workplace, stage
from ._label_stages import LabelEnds, missing_labels
from ._series_stage import series_of
from ._study import Study


@stage("bars")
def bars(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Checked bars by symbol, read afresh each time; their content is their key.

    Beside them, what the checks found: `DataError` where one refuses. Holdings that have no label
    are among the findings.
    """
    found: list[Finding] = []

    def make(inputs: Values, key: str) -> Panel:
        panel = study.bars.load(workplace.folder)
        bar_format = study.bars.bar_format(workplace.folder)
        found[:] = find(
            panel,
            calendar=bar_format.calendar,
            hours=bar_format.hours,
            levels=study.bars.checks,
        )
        refuse(found)
        if found:
            workplace.progress.note(in_short(found))
        return panel

    yield Step(
        name="bars",
        needs=(),
        spec=dict,
        make=make,
        fingerprint=panel_fingerprint,
    )

    def save(findings: list[Finding], folder: Path, key: str) -> None:
        content = [each.to_json() for each in findings]
        (folder / "findings.json").write_text(json.dumps(content, indent=1))

    def load(folder: Path, key: str) -> list[Finding]:
        content = json.loads((folder / "findings.json").read_text())
        return [Finding.from_json(each) for each in content]

    def with_labels(inputs: Values, key: str) -> list[Finding]:
        return found + missing_labels(inputs["label_ends"], study.label.horizon_names)

    yield Step(
        name="findings",
        needs=("bars", "label_ends"),
        spec=lambda: [each.to_json() for each in found],
        make=with_labels,
        save=save,
        load=load,
        publish="findings.json",
    )


@stage("features")
def features(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """The feature table."""

    def make(inputs: Values, key: str) -> FeatureTable:
        panel: Panel = inputs["bars"]
        features = study.feature_set(length_us(panel))
        tables = series_of(study, chain)
        check_known(features.series, tables, panel)
        table = features.compute(panel, tables)
        check_values(features, table)
        return table

    def save(table: FeatureTable, folder: Path, key: str) -> None:
        save_arrays(folder, table.decisions, values=table.values)
        (folder / "columns.json").write_text(json.dumps(table.columns))

    def load(folder: Path, key: str) -> FeatureTable:
        decisions, arrays = load_arrays(folder)
        columns = tuple(json.loads((folder / "columns.json").read_text()))
        return FeatureTable(decisions, columns, arrays["values"])

    yield Step(
        name="features",
        needs=("bars", "series") if study.series else ("bars",),
        spec=lambda: [study.feature_set(length_us(chain.value("bars"))).id],
        make=make,
        save=save,
        load=load,
    )


@stage("split")
def split(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Purged folds."""

    def make(inputs: Values, key: str) -> list[Fold]:
        features: FeatureTable = inputs["features"]
        ends: LabelEnds = inputs["label_ends"]
        usable = usable_rows(features) & ends.eligible
        return study.split.split(features.decisions, ends.known_at, usable)

    def save(folds: list[Fold], folder: Path, key: str) -> None:
        arrays = {f"{part}_{i}": getattr(f, part) for i, f in enumerate(folds) for part in _PARTS}
        np.savez(folder / "folds.npz", **arrays)

    def load(folder: Path, key: str) -> list[Fold]:
        with np.load(folder / "folds.npz", allow_pickle=False) as arrays:
            count = len(arrays.files) // len(_PARTS)
            return [
                Fold(arrays[f"train_{i}"], arrays[f"test_{i}"], study.split.kind)
                for i in range(count)
            ]

    yield Step(
        name="split",
        needs=("features", "label_ends"),
        spec=lambda: [study.split.id],
        make=make,
        save=save,
        load=load,
    )


_PARTS = ("train", "test")


def length_us(panel: Panel) -> int:
    """Length of the bars, which is the same for all symbols."""
    return next(iter(panel.values())).length_us
