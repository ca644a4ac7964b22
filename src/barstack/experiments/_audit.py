"""The hunt for leaks in a study: at length by itself, and in short before anything is fitted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from barstack.core.errors import LeakError
from barstack.core.progress import Progress
from barstack.evaluation.audit import Data, Leak, hunt
from barstack.features import check_known

from ._chain import Chain, Step, Values, Workplace, stage
from ._data_stages import length_us
from ._pipeline import pipeline_of
from ._series_stage import series_of
from ._study import Study

_REFITS = 2  # folds that are fitted again: the first and the last


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
    progress = progress or Progress()
    panel = study.bars.load(Path(folder))
    series = {name: file.load(Path(folder), name) for name, file in study.series.items()}
    pipeline = pipeline_of(study, length_us(panel))
    leaks: list[Leak] = []
    with progress.step("audit, in short" if short else "audit", total=1) as step:
        try:
            for leak in hunt(pipeline, Data(panel, series), refits=_REFITS, short=short):
                leaks.append(leak)
        except LeakError:
            if not leaks:  # else it is what forecasts say of a leak found before
                raise
        step.advance()
    return leaks


@stage("audit")
def before_fits(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """The audit in short, before anything is fitted: `LeakError` unless the study allows leaks."""

    def make(inputs: Values, key: str) -> list[Leak]:
        panel, series = inputs["bars"], series_of(study, chain)
        check_known(study.feature_set(length_us(panel)).series, series, panel)
        pipeline = replace(pipeline_of(study, length_us(panel)), fit=None)
        leaks = list(hunt(pipeline, Data(panel, series), short=True))
        if leaks and not study.allow_leaks:
            raise LeakError(
                "\n".join(map(str, leaks)) + "\nNothing was fitted. Where it must be all the same, "
                "write in the study why: allow_leaks: ..."
            )
        if leaks:
            workplace.progress.note(
                f"The audit found {len(leaks)} leak(s), allowed by the study: {study.allow_leaks}"
            )
        return leaks

    def save(leaks: list[Leak], folder: Path, key: str) -> None:
        content = [leak.to_json() for leak in leaks]
        (folder / "audit.json").write_text(json.dumps(content, indent=1))

    def load(folder: Path, key: str) -> list[Leak]:
        content = json.loads((folder / "audit.json").read_text())
        return [Leak.from_json(each) for each in content]

    yield Step(
        name="audit",
        needs=("bars", "features", "label_ends", "split"),
        spec=lambda: [bool(study.allow_leaks)],
        make=make,
        save=save,
        load=load,
        publish="audit.json",
    )
