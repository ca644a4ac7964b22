"""The hunt for leaks in a study: at length by itself, and in short in every run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from barstack.bars import Panel, SeriesTable
from barstack.core.errors import LeakError
from barstack.core.progress import Progress
from barstack.evaluation.audit import AuditRecord, Data, Leak, hunt
from barstack.features import check_known

from ._data import length_us, load_series
from ._pipeline import Recipe, pipeline_of
from ._presets import complete_with
from ._study import Study, feature_set
from ._task import Operation, Place, Task, Workspace, stage

_THOROUGH = 1  # folds that are fitted again before anything is called supported: the last


class Audited(NamedTuple):
    """What an audit found, and what it did."""

    leaks: list[Leak]
    record: AuditRecord


def audit(
    study: Study,
    *,
    folder: Path | str = ".",
    short: bool = False,
    progress: Progress | None = None,
) -> list[Leak]:
    """Every leak found in a study, from features to ensembles; none is good news.

    Bars are cut and their future altered, at the edges of folds and between them; features and
    the labels known by then may not change. Folds are fitted again with everything poisoned that
    they may not see; scalers, labels, members and ensembles may not change.

    Parameters
    ----------
    folder    where relative paths in the study start
    short     three cuts and no fits, which is what every run does first
    progress  reports steps; by default silent

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> how = {"symbol": "WALK", "calendar": "24/7", "stamp": "open"}
    >>> bars = bs.keep_frame(walk(400).to_frame(), runs=tempfile.mkdtemp(), **how)
    >>> study = bs.Study(bars=bars, horizons=["1h"], features=["body"], members=["ridge"])
    >>> bs.audit(study, short=True)
    []
    """
    return audited(study, folder=folder, short=short, progress=progress).leaks


def audited(
    study: Study,
    *,
    folder: Path | str = ".",
    short: bool = False,
    progress: Progress | None = None,
) -> Audited:
    """As `audit`, and what was done.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = audited(small_study(Path(folder)), folder=folder, short=True)
    >>> found[0]  # leaks
    []
    """
    panel = study.visible_bars.load(Path(folder))
    if not study.members:
        study, _ = complete_with(study, panel)
    series = load_series(study.series, Path(folder), study.holdout)
    progress = progress or Progress()
    with progress.step("audit, in short" if short else "audit", total=1) as step:
        found = _hunted(Recipe.of(study), Data(panel, series), short=short)
        step.advance()
    return found


def audit_in_short(
    workspace: Workspace,
    panel: Panel,
    tables: Mapping[str, SeriesTable],
    *,
    recipe: Recipe,
    allowed: bool,
) -> Audited:
    """Features, labels and folds on three cuts; `LeakError` unless the study allows leaks."""
    check_known(feature_set(recipe.features, recipe.series, length_us(panel)).series, tables, panel)
    found = _hunted(recipe, Data(panel, tables), short=True)
    if found.leaks and not allowed:
        raise _refusal(found.leaks, "No forecast was kept.")
    if found.leaks:
        workspace.progress.note(
            f"The audit found {len(found.leaks)} leak(s), which the study allows."
        )
    return found


def audit_in_full(
    workspace: Workspace,
    panel: Panel,
    tables: Mapping[str, SeriesTable],
    short: Audited,
    *,
    recipe: Recipe,
    allowed: bool,
) -> Audited:
    """The last fold with its fits; leaks that the short audit found are not reported again."""
    with workspace.progress.step("audit of a fold in full", total=1) as progress:
        found = _hunted(recipe, Data(panel, tables), refits=_THOROUGH)
        progress.advance()
    known = {(leak.stage, leak.column) for leak in short.leaks}
    new = [leak for leak in found.leaks if (leak.stage, leak.column) not in known]
    if new and not allowed:
        raise _refusal(new, "The forecasts looked like an edge, and so were audited in full.")
    return Audited(new, replace(found.record, leaks=len(new)))


def _hunted(recipe: Recipe, data: Data, **how: Any) -> Audited:
    found = Audited([], AuditRecord())
    try:
        pipeline = pipeline_of(recipe, length_us(data.panel))
        for leak in hunt(pipeline, data, record=found.record, **how):
            found.leaks.append(leak)
    except LeakError:
        if not found.leaks:  # else forecasts tell of a leak that was found before
            raise
    return found


def _refusal(leaks: list[Leak], what: str) -> LeakError:
    return LeakError(
        "\n".join(map(str, leaks)) + f"\n{what} Where it must be all the same, "
        "write in the study why: allow_leaks: ..."
    )


def save_audit(found: Audited, place: Place) -> None:
    content = {"audit": asdict(found.record), "leaks": [leak.to_json() for leak in found.leaks]}
    (place.folder / "audit.json").write_text(json.dumps(content, indent=1))


def load_audit(place: Place) -> Audited:
    content = json.loads((place.folder / "audit.json").read_text())
    leaks = [Leak.from_json(each) for each in content["leaks"]]
    return Audited(leaks, AuditRecord(**content["audit"]))


SHORT = Operation("audit", audit_in_short, ("evaluation",), save_audit, load_audit)
FULL = Operation("full_audit", audit_in_full, ("evaluation",), save_audit, load_audit)


@stage("audit")
def audit_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """In short before a forecast is kept; in full before anything is called supported."""
    recipe, allowed = Recipe.of(study), bool(study.allow_leaks)
    yield Task(
        "audit",
        SHORT,
        ("bars", "series"),
        {"recipe": recipe.without_fits(), "allowed": allowed},
        after=("features", "split"),
        publish=("audit.json",),
    )
    yield Task(
        "full_audit",
        FULL,
        ("bars", "series", "audit"),
        {"recipe": recipe, "allowed": allowed},
        alone=True,  # it watches which files are opened
        on_demand=True,
    )
