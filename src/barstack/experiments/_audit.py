"""The hunt for leaks in a study: at length by itself, and in short before anything is fitted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from barstack.core.errors import LeakError
from barstack.core.progress import Progress
from barstack.evaluation.audit import AuditRecord, Data, Leak, hunt
from barstack.features import check_known

from ._chain import Chain, Step, Values, Workplace, stage
from ._data_stages import length_us
from ._pipeline import pipeline_of
from ._series_stage import series_of
from ._study import Study

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

    folder    where relative paths in the study start
    short     three cuts and no fits, which is what every run does first
    progress  hears about steps; by default silent

    Bars are cut and their future altered, at the edges of folds and between them; features and
    the labels known by then may not change. Folds are fitted again with everything poisoned that
    they may not see; scalers, labels, members and ensembles may not change.
    """
    return audited(study, folder=folder, short=short, progress=progress).leaks


def audited(
    study: Study,
    *,
    folder: Path | str = ".",
    short: bool = False,
    progress: Progress | None = None,
) -> Audited:
    """As `audit`, and what was done."""
    panel = study.bars.load(Path(folder))
    series = {name: file.load(Path(folder), name) for name, file in study.series.items()}
    progress = progress or Progress()
    with progress.step("audit, in short" if short else "audit", total=1) as step:
        found = _hunted(study, Data(panel, series), short=short)
        step.advance()
    return found


def before_supported(study: Study, data: Data, allowed: Audited) -> Audited:
    """One fold audited in full, fits included; `LeakError` unless the study allows leaks.

    allowed  what the audit in short found before, which is not told again
    """
    found = _hunted(study, data, refits=_THOROUGH)
    known = {(leak.stage, leak.column) for leak in allowed.leaks}
    new = [leak for leak in found.leaks if (leak.stage, leak.column) not in known]
    _refuse(study, new, "The forecasts looked like an edge, and so were audited in full.")
    return Audited(new, found.record)


def _hunted(study: Study, data: Data, **how: Any) -> Audited:
    found = Audited([], AuditRecord())
    try:
        pipeline = pipeline_of(study, length_us(data.panel))
        for leak in hunt(pipeline, data, record=found.record, **how):
            found.leaks.append(leak)
    except LeakError:
        if not found.leaks:  # else it is what forecasts say of a leak found before
            raise
    return found


def _refuse(study: Study, leaks: list[Leak], what: str) -> None:
    if leaks and not study.allow_leaks:
        raise LeakError(
            "\n".join(map(str, leaks)) + f"\n{what} Where it must be all the same, "
            "write in the study why: allow_leaks: ..."
        )


@stage("audit")
def before_fits(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """The audit in short, before anything is fitted: `LeakError` unless the study allows leaks."""

    def make(inputs: Values, key: str) -> Audited:
        panel, series = inputs["bars"], series_of(study, chain)
        check_known(study.feature_set(length_us(panel)).series, series, panel)
        found = _hunted(study, Data(panel, series), short=True)
        _refuse(study, found.leaks, "Nothing was fitted.")
        if found.leaks:
            workplace.progress.note(
                f"The audit found {len(found.leaks)} leak(s), allowed by the study: "
                f"{study.allow_leaks}"
            )
        return found

    def save(found: Audited, folder: Path, key: str) -> None:
        content = {
            "audit": asdict(found.record),
            "leaks": [leak.to_json() for leak in found.leaks],
        }
        (folder / "audit.json").write_text(json.dumps(content, indent=1))

    def load(folder: Path, key: str) -> Audited:
        content = json.loads((folder / "audit.json").read_text())
        leaks = [Leak.from_json(each) for each in content["leaks"]]
        return Audited(leaks, AuditRecord(**content["audit"]))

    yield Step(
        name="audit",
        needs=("bars", "features", "label_ends", "split"),
        spec=lambda: [bool(study.allow_leaks)],
        make=make,
        save=save,
        load=load,
        publish="audit.json",
    )
