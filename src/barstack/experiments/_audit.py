"""The hunt for leaks in a study, before anything is fitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from barstack.bars import Bars, Panel, SeriesTable
from barstack.core.progress import Progress
from barstack.core.times import iso
from barstack.datasets import Dataset
from barstack.evaluation import Leak, find_leaks
from barstack.labels import LabelTable

from ._study import Study

_CUTS = 12


def audit(
    study: Study, *, folder: Path | str = ".", progress: Progress | None = None
) -> list[Leak]:
    """Every leak found in a study's features, labels and folds; none is good news.

    folder    where relative paths in the study start
    progress  hears about steps; by default silent

    Features must not change when later bars are cut off or altered; labels must be known no
    earlier than the bars they are made of; no training label may be known after a test begins.
    """
    progress = progress or Progress()
    panel = study.bars.load(Path(folder))
    length_us = next(iter(panel.values())).length_us
    series = {name: file.load(Path(folder), name) for name, file in study.series.items()}
    leaks: list[Leak] = []
    with progress.step("audit", total=3) as step:
        leaks += find_leaks(study.feature_set(length_us), panel, series, cuts=_CUTS)
        step.advance()
        labels = study.label.compute(panel)
        leaks += _early_labels(study, panel, labels)
        step.advance()
        leaks += _crossing_folds(study, panel, series, labels)
        step.advance()
    return leaks


def _early_labels(study: Study, panel: Panel, labels: LabelTable) -> Iterator[Leak]:
    """Labels known by a moment must be what the bars up to that moment say."""
    for symbol, bars in panel.items():
        own = labels.decisions.symbol == symbol
        for now in (len(bars) // 3, len(bars) // 2):
            cut = study.label.compute(Bars(symbol, bars.length_us, bars.records[:now].copy()))
            last = bars.closed_at[now - 1]
            known = labels.known_at[own][:now] <= last
            wrong = known & (labels.values[own][:now] != cut.values)
            wrong |= ~known & ~np.isnan(cut.values)
            for place in np.flatnonzero(wrong.any(axis=0)):
                row = int(np.argmax(wrong[:, place]))
                at, horizon = bars.closed_at[row], labels.target.horizons[place]
                yield Leak(
                    "labels",
                    horizon,
                    symbol,
                    at,
                    f"The label of {symbol} at {iso(at)}, horizon {horizon}, says it is known by "
                    f"{iso(last)}, but bars after that change it.",
                    "Give it the known_at of the last bar that it reads.",
                )
                break


def _crossing_folds(
    study: Study, panel: Panel, series: dict[str, SeriesTable], labels: LabelTable
) -> Iterator[Leak]:
    """Training labels known only after a test has begun."""
    length_us = next(iter(panel.values())).length_us
    dataset = Dataset(study.feature_set(length_us).compute(panel, series), labels)
    known_at = dataset.labels.all_known_at
    decided_at = dataset.decisions.decided_at
    for number, fold in enumerate(study.split.split(dataset.decisions, known_at, dataset.usable)):
        begins = decided_at[fold.test].min()
        late = fold.train[known_at[fold.train] > begins]
        if len(late):
            row = int(late[0])
            symbol = str(dataset.decisions.symbol[row])
            yield Leak(
                "folds",
                f"fold {number}",
                symbol,
                decided_at[row],
                f"Fold {number} tests from {iso(begins)}, and {len(late):,} of its training labels "
                f"are known only later, the first of {symbol} at {iso(decided_at[row])}.",
                "Purge them: subclass Splitter, whose split does it.",
            )
