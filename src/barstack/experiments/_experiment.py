"""One experiment of a sweep: one model at one horizon, by its forecasts out of fold and scores.

No report, no artifact and no final fit are made of it. What experiments share, features, labels,
folds and the audit among it, is made once by `Bench.prepare`.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from barstack.core.progress import Progress
from barstack.core.times import format_duration
from barstack.labels import LabelTable

from ._data import length_us
from ._engine import Engine
from ._fits import fit_name
from ._kept import KeptValues
from ._study import Study
from ._trials import JudgedOn, judged_on
from ._tune_trial import judge_folds


@dataclass(frozen=True)
class Shared:
    """What experiments on the same bars, features, labels and folds share, as plain data.

    Attributes
    ----------
    sources    content keys of what was read, which `KeptValues` takes
    judged_on  what their trials have in common
    facts      about the data, for the table of experiments
    notes      what a user should know, such as holes in the bars
    bytes      of the largest array, the features
    """

    sources: dict[str, str]
    judged_on: dict[str, Any]
    facts: dict[str, Any]
    notes: list[str]
    bytes: int


class Bench:
    """What a process keeps between the experiments that it computes.

    Parameters
    ----------
    runs, folder  as `Engine` takes them
    """

    def __init__(self, runs: Path, folder: Path) -> None:
        self.runs, self.folder, self._kept = runs, folder, KeptValues()

    def prepare(self, study: Study) -> Shared:
        """Make and store what is shared. The audit is part of it."""
        notes: list[str] = []
        engine = self._engine(study, _Notes(notes))
        engine.run(["checks", "features", "labels", "split", "audit"])
        engine.value("label_ends")  # which notes missing labels
        panel, folds = engine.value("bars"), engine.value("split")
        features, judged = engine.value("features"), judged_on(study, engine)
        facts = {
            "symbols": list(judged.symbols),
            "bar": format_duration(length_us(panel)),
            "bars": sum(map(len, panel.values())),
            "first_at": judged.first_at,
            "last_at": judged.last_at,
            "n_features": len(features.columns),
            "folds": len(folds),
            "train_rows": max(len(fold.train) for fold in folds),
            "test_rows": sum(len(fold.test) for fold in folds),
        }
        sources = dict(self._kept.sources)
        return Shared(sources, asdict(judged), facts, notes, features.values.nbytes)

    def size_of(self, study: Study) -> tuple[int, bool]:
        """Number of its bars, and whether what `prepare` makes is stored; nothing is computed."""
        engine = self._engine(study, Progress())
        n_bars = sum(map(len, engine.value("bars").values()))
        first = all(engine.place(name).folder.is_dir() for name in ("checks", "features", "labels"))
        return n_bars, first and engine.place("split").folder.is_dir()

    def has(self, study: Study, shared: Shared | None = None, folds: int = 0) -> bool:
        """Whether an experiment's result is stored, where what it shares is.

        folds  of a trial of tuning: whether its fits on so many of the first folds are
        """
        if shared is not None:
            self._kept.add_sources(shared.sources)
        (member,) = study.members
        engine = self._engine(study, Progress())
        if folds:
            names = [fit_name(member, fold) for fold in range(folds)]
            return all(engine.place(name).folder.is_dir() for name in names)
        return engine.place(f"scores {member}").folder.is_dir()

    def shared_folders(self, study: Study, shared: Shared) -> dict[str, Path]:
        """Folders of what fits are made from, by name below the store."""
        self._kept.add_sources(shared.sources)
        engine = self._engine(study, Progress())
        folders = [engine.place(name).folder for name in ("features", "labels", "split")]
        return {f"{folder.parent.name}/{folder.name}": folder for folder in folders}

    def fit(self, study: Study, shared: Shared, folds: int = 0) -> dict[str, Path]:
        """Make an experiment's fits, from `shared_folders` alone; their folders likewise.

        folds  how many of the first folds; 0 for all
        """
        self._kept.add_sources(shared.sources)
        engine = self._engine(study, Progress())
        (member,) = study.members
        count = folds or len(engine.value("split"))
        names = [fit_name(member, fold) for fold in range(count)]
        engine.run(names)
        folders = [engine.place(name).folder for name in names]
        return {f"{folder.parent.name}/{folder.name}": folder for folder in folders}

    def compute(self, study: Study, horizon: str, shared: Shared, name: str = "") -> dict[str, Any]:
        """What is left of an experiment, computed unless it is stored, as plain data.

        Its trial is in the ledger before anything is fitted, under `name`, by default the member's.

        Keys: `how`, "made" or "reused"; `seconds` on the clock and `cpu_seconds` of computing;
        `scores` at the horizon; `fit`, facts on its fits; `curves` by fold; `trial`, for the
        ledger.
        """
        begin, computed = time.perf_counter(), time.process_time()
        self._kept.add_sources(shared.sources)
        engine = self._engine(study, Progress())
        (member,) = study.members
        judged = JudgedOn(**shared.judged_on)
        forecasts = engine.key(f"member {member}")
        trial = judged.trial(name or member, study.recipe_of(member), horizon, forecasts)
        if not engine.place(f"scores {member}").folder.is_dir():
            engine.forecasts.record([trial])
        engine.run([f"scores {member}"])
        found = dict(engine.value(f"scores {member}"))
        facts = engine.value(f"member {member}").facts
        made = any(each.how == "made" for each in engine.done if each.name.startswith("member"))
        return {
            "how": "made" if made else "reused",
            "seconds": time.perf_counter() - begin,
            "cpu_seconds": time.process_time() - computed,
            "scores": found.pop("horizons")[horizon],
            "fit": found,
            "curves": {str(fit["fold"]): fit["curves"] for fit in facts},
            "trial": asdict(trial),
        }

    def judge(
        self, study: Study, shared: Shared, folds: int, *, ended: bool = False
    ) -> dict[str, Any]:
        """A trial of tuning on the first folds, as `judge_folds` returns it."""
        self._kept.add_sources(shared.sources)
        engine = self._engine(study, Progress())
        return judge_folds(engine, study, JudgedOn(**shared.judged_on), folds, ended=ended)

    def labels(self, study: Study) -> LabelTable:
        """Labels that forecasts of a study are judged by."""
        engine = self._engine(study, Progress())
        found: LabelTable = engine.value("labels").judged(engine.value("split"))
        return found

    def _engine(self, study: Study, progress: Progress) -> Engine:
        return Engine(
            study, self.runs, self.folder, progress, workers=1, kept=self._kept, threads=1
        )


class _Notes(Progress):
    """Collects notes."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def note(self, text: str) -> None:
        self._notes.append(text)
