"""Tasks from bars to folds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import BarFormat, Panel, Provider, SeriesFile, SeriesTable, panel_fingerprint
from barstack.bars.checks import Finding, find, in_short, refuse
from barstack.core.errors import DataError
from barstack.core.spec import content_id
from barstack.core.times import KnownAt, as_time, iso
from barstack.datasets import usable_rows
from barstack.features import FeatureTable, check_known, check_values
from barstack.splits import Fold, Splitter

from ._arrays import load_array, load_arrays, save_arrays
from ._labels import LabelEnds, missing_labels
from ._study import FeatureNames, Study, feature_set
from ._task import Operation, Place, Task, Workspace, stage

FINDINGS = "findings.json"


def length_us(panel: Panel) -> int:
    """Length of the bars, which is the same for all symbols."""
    return next(iter(panel.values())).length_us


def read_bars(workspace: Workspace, *, provider: Provider) -> Panel:
    """Bars by symbol, as the provider has them now."""
    return provider.load(workspace.folder)


def read_format(workspace: Workspace, *, provider: Provider) -> BarFormat:
    """How the bars are read, such as their calendar."""
    return provider.bar_format(workspace.folder)


def format_id(bar_format: BarFormat) -> str:
    """Content id of how bars are read."""
    return content_id(bar_format.to_json())


def read_series(
    workspace: Workspace, *, files: Mapping[str, SeriesFile], until: str = ""
) -> dict[str, SeriesTable]:
    """The tables of a study's series by name, of rows known before a holdout begins."""
    return load_series(files, workspace.folder, until)


def load_series(
    files: Mapping[str, SeriesFile], folder: Path, until: str
) -> dict[str, SeriesTable]:
    """Tables of series by name; `until`, where it is given, is when rows must be known."""
    tables = {name: file.load(folder, name) for name, file in files.items()}
    if not until:
        return tables
    return {name: known_before(each, as_time(until)) for name, each in tables.items()}


def known_before(table: SeriesTable, moment: np.datetime64) -> SeriesTable:
    """The rows of a series that were known before a moment."""
    rows = table.known_at < moment
    if not rows.any():
        raise DataError(f"No row of the series was known before {iso(moment)}.")
    return replace(
        table,
        symbol_code=table.symbol_code[rows],
        known_at=KnownAt(table.known_at[rows]),
        values=table.values[rows],
    )


def series_fingerprint(tables: Mapping[str, SeriesTable]) -> str:
    """Content id of all tables."""
    return content_id({name: table.fingerprint for name, table in tables.items()})


def check_bars(
    workspace: Workspace, panel: Panel, bar_format: BarFormat, *, levels: Mapping[str, str]
) -> list[Finding]:
    """What the checks find; `DataError` where one refuses."""
    found = find(panel, calendar=bar_format.calendar, hours=bar_format.hours, levels=levels)
    refuse(found)
    if found:
        workspace.progress.note(in_short(found))
    return found


def all_findings(
    workspace: Workspace, found: list[Finding], ends: LabelEnds, *, horizons: list[str]
) -> list[Finding]:
    """What the checks found, and holdings that have no label."""
    return found + missing_labels(ends, horizons)


def save_findings(findings: list[Finding], place: Place) -> None:
    content = [each.to_json() for each in findings]
    (place.folder / FINDINGS).write_text(json.dumps(content, indent=1))


def load_findings(place: Place) -> list[Finding]:
    content = json.loads((place.folder / FINDINGS).read_text())
    return [Finding.from_json(each) for each in content]


def compute_features(
    workspace: Workspace,
    panel: Panel,
    tables: Mapping[str, SeriesTable],
    *,
    features: FeatureNames,
    series: Mapping[str, Any],
) -> FeatureTable:
    """The feature table."""
    chosen = feature_set(features, series, length_us(panel))
    check_known(chosen.series, tables, panel)
    table = chosen.compute(panel, tables)
    check_values(chosen, table)
    return table


def save_features(table: FeatureTable, place: Place) -> None:
    save_arrays(place.folder, table.decisions, values=table.values)
    (place.folder / "columns.json").write_text(json.dumps(table.columns))


def load_features(place: Place) -> FeatureTable:
    decisions, arrays = load_arrays(place.folder)
    columns = tuple(json.loads((place.folder / "columns.json").read_text()))
    return FeatureTable(decisions, columns, arrays["values"])


def split_rows(
    workspace: Workspace, features: FeatureTable, ends: LabelEnds, *, splitter: Splitter
) -> list[Fold]:
    """Purged folds."""
    usable = usable_rows(features) & ends.eligible
    return splitter.split(features.decisions, ends.known_at, usable)


def save_folds(folds: list[Fold], place: Place) -> None:
    for number, fold in enumerate(folds):
        folder = place.folder / str(number)
        folder.mkdir()
        for part in _PARTS:
            np.save(folder / f"{part}.npy", getattr(fold, part), allow_pickle=False)
        (folder / "kind.json").write_text(json.dumps(fold.kind))


def load_folds(place: Place) -> list[Fold]:
    count = sum(each.is_dir() for each in place.folder.iterdir())
    found = []
    for folder in (place.folder / str(number) for number in range(count)):
        train, test = (load_array(folder / f"{part}.npy") for part in _PARTS)
        found.append(Fold(train, test, json.loads((folder / "kind.json").read_text())))
    return found


_PARTS = ("train", "test")

BARS = Operation("bars", read_bars, source=panel_fingerprint)
FORMAT = Operation("format", read_format, source=format_id)
SERIES = Operation("series", read_series, source=series_fingerprint)
CHECKS = Operation("checks", check_bars, ("bars",), save_findings, load_findings)
ALL_FINDINGS = Operation("findings", all_findings, ("labels",), save_findings, load_findings)
FEATURES = Operation("features", compute_features, ("features",), save_features, load_features)
SPLIT = Operation("split", split_rows, ("datasets",), save_folds, load_folds)


@stage("data")
def data_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """Bars and series, what the checks find in them, features and folds."""
    yield Task("bars", BARS, settings={"provider": study.visible_bars})
    yield Task("format", FORMAT, settings={"provider": study.bars}, part_of="bars")
    files: dict[str, Any] = {"files": study.series}
    if study.holdout:
        files["until"] = study.holdout
    yield Task("series", SERIES, settings=files, part_of="" if study.series else "bars")
    yield Task("checks", CHECKS, ("bars", "format"), {"levels": study.bars.checks})
    yield Task(
        "findings",
        ALL_FINDINGS,
        ("checks", "label_ends"),
        {"horizons": list(study.label.horizon_names)},
        publish=(FINDINGS,),
    )
    series = {name: file.series for name, file in study.series.items()}
    yield Task(
        "features",
        FEATURES,
        ("bars", "series"),
        {"features": study.features, "series": series},
        after=("checks",),
    )
    yield Task("split", SPLIT, ("features", "label_ends"), {"splitter": study.split})
