"""Tunes a study's members: settings are searched on its first folds, and every trial is counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from barstack.core.errors import ConfigError, StorageError
from barstack.core.spec import content_id
from barstack.models import Model
from barstack.tracking import (
    Store,
    SweepSize,
    Trial,
    open_store,
    open_tracker,
    trials_on,
)

from ._engines import ENGINES, JobEngine
from ._experiment import Bench
from ._job import Job, Reply
from ._presets import completed
from ._space import label_of
from ._study import Study
from ._sweep import budget_s
from ._sweep_plan import OF_MODEL, PlannedExperiment
from ._sweep_tracked import TrackedSweep
from ._tune_held_back import HeldBack, compare_held_back
from ._tune_search import MemberSearch, Steps, TrialLoss, TrialRequest, Tried
from ._tuned import MemberTuned, TuneResult
from ._tuning import Tuning

_COPIES = 3  # of the feature table that a process has at once


class TuneWatch:
    """Hears how tuning goes on; whoever shows it to people overrides what it needs."""

    def began(self, total: int) -> None:
        """So many trials are to be made at most."""

    def ended(self, trial: Tried) -> None:
        """A trial has ended."""

    def note(self, text: str) -> None:
        """Something that the user should know."""


@dataclass(frozen=True)
class TunePlan:
    """What is to be tuned.

    Attributes
    ----------
    study
        With members, though a preset may have chosen them.
    tuning
        How.
    spaces
        By member, the space that is searched.
    left_alone
        Members that have no space and stay as they are.
    id
        Equal for the same members, spaces and study; more trials change it not.
    """

    study: Study
    tuning: Tuning
    spaces: Mapping[str, Mapping[str, Any]]
    left_alone: tuple[str, ...]

    @property
    def id(self) -> str:
        """Content id."""
        own = self.tuning.model_copy(update={"trials": Tuning.model_fields["trials"].default})
        spaces = {name: dict(space) for name, space in self.spaces.items()}
        return content_id(["tune", self.study.id, own.id, spaces])

    def split_folds(self, folds: int) -> int:
        """How many of a number of folds trials are judged on; `ConfigError` where none is left."""
        held = self.tuning.held_back
        if held is None:
            held = max(folds // 3, 1) if folds > 1 else 0
        if held >= folds:
            raise ConfigError(
                f"tune: {held} folds are held back, and the split has {folds}. Hold back fewer, or "
                "split into more: split: {split: walk_forward, folds: 6}."
            )
        return folds - held

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --dry-run --json."""
        return {
            "tuning": self.id,
            "trials_each": self.tuning.trials,
            "trials": self.tuning.trials * len(self.spaces),
            "spaces": {name: dict(space) for name, space in self.spaces.items()},
            "left_alone": list(self.left_alone),
        }


def plan_tuning(
    study: Study,
    *,
    folder: Path | str = ".",
    trials: int | None = None,
    members: Sequence[str] = (),
) -> TunePlan:
    """What `run_tune` would do; nothing is computed.

    Raises
    ------
    ConfigError
        Where no member can be tuned, or one that is named cannot.

    >>> from barstack.models import Ridge
    >>> study = Study(bars="sample", horizons=["4h"], members={"ridge": Ridge()})
    >>> plan_tuning(study, trials=20).to_json()["trials"]
    20
    """
    study, _ = completed(study, folder)
    tuning = study.tune or Tuning()
    if trials is not None:
        tuning = tuning.model_copy(update={"trials": trials})
    if members:
        tuning = tuning.model_copy(update={"members": tuple(members)})
    tuning.check_members(study.members)
    spaces = {
        name: tuning.space_of(name, model)
        for name, model in study.members.items()
        if not tuning.members or name in tuning.members
    }
    without = [name for name, space in spaces.items() if not space]
    if tuning.members and without:
        raise ConfigError(_no_space(without[0], study.members[without[0]]))
    spaces = {name: space for name, space in spaces.items() if space}
    if not spaces:
        raise ConfigError(_no_space(without[0], study.members[without[0]]))
    left_alone = tuple(name for name in study.members if name not in spaces)
    return TunePlan(study, tuning, spaces, left_alone)


def _no_space(name: str, model: Model) -> str:
    kind = model.registered_as[1] if model.registered_as else type(model).__name__
    first = next(iter(type(model).model_fields), "SETTING")
    return (
        f"Member {name!r} ({kind}) has no space of settings to search. Write one into the study: "
        f"tune: {{space: {{{name}: {{{first}: [...]}}}}}}, or tune other members with --member."
    )


def run_tune(
    study: Study,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    trials: int | None = None,
    members: Sequence[str] = (),
    workers: int | None = None,
    engine: str = "local",
    time_budget: float | str | None = None,
    watch: TuneWatch | None = None,
) -> TuneResult:
    """Search for settings of a study's members; stopped in any way, the same call goes on.

    Each trial is a member with other settings, judged out of fold on the study's first folds, and
    is counted in the ledger, pruned ones too. Which settings are tried follows from the study and
    its seed alone, and not from how many are computed at once, where, or what was computed before.
    Then the best settings and the study's own are judged on the folds held back, which no choice
    has seen.

    Parameters
    ----------
    folder, runs, workers, engine, time_budget
        As of `run_sweep`; a batch of trials that has begun is finished.
    trials, members
        In place of those of the study's `tune`.
    watch
        Hears of each trial that ends; by default silent.

    Raises
    ------
    ConfigError
        Where no member can be tuned, or one that is named cannot.
    DataError, LeakError
        As of a run of the study.
    StorageError
        Where results cannot be stored. What was finished is kept.
    """
    begin = time.monotonic()
    seconds = budget_s(time_budget)
    plan = plan_tuning(study, folder=folder, trials=trials, members=members)
    runs, folder = Path(runs), Path(folder)
    deadline = None if seconds is None else begin + seconds
    with open_tracker(runs) as tracker, ENGINES.get(engine)(runs, folder, workers) as jobs:
        tracked = TrackedSweep(tracker, plan.id)
        run = _TuneRun(plan, runs, folder, open_store(runs), tracked, watch or TuneWatch())
        with tracker.batch():
            run.search(jobs, deadline)
            held_back = run.judge_held_back(jobs)
    return run.result(held_back, time.monotonic() - begin)


class _TuneRun:
    """One call."""

    def __init__(
        self,
        plan: TunePlan,
        runs: Path,
        folder: Path,
        store: Store,
        tracked: TrackedSweep,
        watch: TuneWatch,
    ) -> None:
        self.plan, self.runs, self.store, self.tracked = plan, runs, store, tracked
        self.watch = watch
        self.notes: list[str] = []
        self.bench = Bench(runs, folder)
        first = next(iter(plan.spaces))
        self.shared = asdict(self.bench.prepare(alone(plan.study, first)))
        for note in self.shared["notes"]:
            self._note(note)
        if plan.left_alone:
            self._note(f"Left as they are: {', '.join(plan.left_alone)}.")
        self.all_folds = int(self.shared["facts"]["folds"])
        self.folds = plan.split_folds(self.all_folds)
        tuning = plan.tuning
        self.searches = {
            name: MemberSearch(
                name,
                plan.study.members[name],
                space,
                folds=self.folds,
                trials=tuning.trials,
                at_once=tuning.at_once,
                prune=tuning.prune,
                seed=plan.study.seed,
            )
            for name, space in plan.spaces.items()
        }
        self.horizons = plan.study.label.target.horizons
        self._reported: set[tuple[str, int]] = set()

    def search(self, engine: JobEngine, deadline: float | None) -> None:
        """Make trials until there are enough, or the time is over."""
        total = self.plan.tuning.trials * len(self.searches)
        title = f"Tuning: {self.plan.study.title}" if self.plan.study.title else "Tuning"
        planned = total * len(self.horizons)
        self.tracked.tracker.note_sweep(SweepSize(self.plan.id, title, planned))
        self.watch.began(total)
        steps = {name: each.steps(_until(deadline)) for name, each in self.searches.items()}
        wanted = {name: next(each) for name, each in steps.items()}
        while wanted:
            answers = self._computed(engine, [each for own in wanted.values() for each in own])
            following = {}
            for name, own in wanted.items():
                more = _send(steps[name], [next(answers) for _ in own])
                if more is not None:
                    following[name] = more
            wanted = following
            self._report()

    def _computed(self, engine: JobEngine, requests: Sequence[TrialRequest]) -> Iterator[TrialLoss]:
        """The answer to each, in their order; they are computed side by side."""
        for each in requests:
            if each.trial.folds == 0:
                for planned in self._planned(each.trial):
                    self.tracked.start(planned, self.shared)
        jobs = [self._job(number, each) for number, each in enumerate(requests)]
        replies = dict[int, Reply]()
        for reply in engine.replies(jobs, len(jobs)):
            if reply.storage:
                raise StorageError(reply.error)
            replies[reply.number] = reply
        entered: list[Trial] = []
        for number, each in enumerate(requests):
            entered += self._enter(each, replies[number])
        self.store.record(entered)
        ordered = (replies[number] for number in range(len(requests)))
        return iter(
            [
                TrialLoss(None, reply.error)
                if reply.result is None
                else TrialLoss(float(reply.result["loss"]))
                for reply in ordered
            ]
        )

    def _job(self, number: int, request: TrialRequest) -> Job:
        assert request.trial.model is not None
        study = alone(self.plan.study, request.trial.member, request.trial.model)
        return Job(
            number,
            "trial",
            study.content(),
            shared=self.shared,
            memory=_COPIES * int(self.shared["bytes"]),
            folds=request.folds,
            ended=request.ended,
        )

    def _enter(self, request: TrialRequest, reply: Reply) -> Iterator[Trial]:
        """A trial that has ended, into the tracking database; what the ledger is to count."""
        result = reply.result
        if result is not None and not request.ended:
            return
        for planned in self._planned(request.trial):
            if result is None:
                self.tracked.fail(planned, self.shared, f"{reply.kind}: {reply.error}")
                continue
            trial = result["trials"][planned.horizon]
            found = {
                "scores": result["scores"][planned.horizon],
                "fit": {**result["fit"], "folds": request.folds, "relative_loss": result["loss"]},
                "curves": result["curves"],
                "how": result["how"],
                "seconds": result["seconds"],
                "trial": trial,
            }
            pruned = request.folds < self.folds
            self.tracked.finish(planned, self.shared, found, pruned=pruned)
            content = dict(trial) | {"symbols": tuple(trial["symbols"]), "name": planned.name}
            yield Trial(**content)

    def _planned(self, trial: Tried) -> list[PlannedExperiment]:
        assert trial.model is not None
        study = alone(self.plan.study, trial.member, trial.model)
        settings = {f"model.{name}": label_of(value) for name, value in trial.settings.items()}
        return [
            PlannedExperiment(
                trial.number,
                f"{trial.name} {horizon}",
                settings | {"trial": str(trial.number)},
                study,
                horizon,
                folds=self.folds,
            )
            for horizon in self.horizons
        ]

    def _report(self) -> None:
        """Say which trials have ended since, and why some failed."""
        for search in self.searches.values():
            for each in search.trials:
                if each.status != "running" and (each.member, each.number) not in self._reported:
                    self._reported.add((each.member, each.number))
                    self.watch.ended(each)
                    if each.error:
                        self._note(f"Trial {each.number} of {each.member} failed: {each.error}")

    def judge_held_back(self, engine: JobEngine) -> dict[str, HeldBack]:
        """The best settings against the study's own on the folds that no trial has seen."""
        if self.folds == self.all_folds:
            return {}
        pairs = {name: found for name, found in self._best().items() if found[1].number}
        jobs: list[Job] = []
        of: dict[int, tuple[str, int, PlannedExperiment]] = {}
        for name, pair in pairs.items():
            for place, trial in enumerate(pair):
                for planned in self._planned(trial):
                    number = len(jobs)
                    whole = replace(planned, folds=None)
                    content = planned.study.content()
                    self.tracked.start(whole, self.shared)
                    jobs.append(
                        Job(
                            number,
                            "experiment",
                            content,
                            planned.horizon,
                            self.shared,
                            name=whole.name,
                        )
                    )
                    of[number] = name, place, whole
        keys: dict[str, dict[int, str]] = {name: {} for name in pairs}
        entered: list[Trial] = []
        for reply in engine.replies(jobs, len(jobs)):
            name, place, whole = of[reply.number]
            if reply.storage:
                raise StorageError(reply.error)
            if reply.result is None:
                self.tracked.fail(whole, self.shared, f"{reply.kind}: {reply.error}")
                self._note(f"{whole.name} failed on the folds held back: {reply.error}")
                continue
            self.tracked.finish(whole, self.shared, reply.result)
            trial = reply.result["trial"]
            content = dict(trial) | {"symbols": tuple(trial["symbols"]), "name": whole.name}
            entered.append(Trial(**content))
            keys[name][place] = trial["forecasts"]
        self.store.record(sorted(entered, key=lambda each: (each.name, each.horizon)))
        whole_pairs = {name: (own[0], own[1]) for name, own in keys.items() if len(own) == 2}
        first = next(iter(self.plan.spaces))
        labels = self.bench.labels(alone(self.plan.study, first))
        return compare_held_back(self.store, labels, whole_pairs, self.folds)

    def _best(self) -> dict[str, tuple[Tried, Tried]]:
        """By member, the study's own settings and the best; where its own fail, an error."""
        found = {}
        for name, search in self.searches.items():
            own, *_ = search.trials
            if own.loss is None:
                raise ConfigError(f"Member {name!r} fails as the study has it: {own.error}")
            done = [each for each in search.trials if each.status == "completed"]
            found[name] = own, min(done, key=lambda each: (each.loss, each.number))
        return found

    def result(self, held_back: Mapping[str, HeldBack], seconds: float) -> TuneResult:
        """All that was found."""
        plan, judged_on = self.plan, self.shared["judged_on"]
        members = tuple(
            MemberTuned(
                member=name,
                before=own,
                best=best,
                trials=tuple(self.searches[name].trials),
                importance=self.searches[name].importance(),
                held_back=held_back.get(name),
            )
            for name, (own, best) in self._best().items()
        )
        models: dict[str, Any] = dict(plan.study.members)
        models |= {each.member: each.best.model for each in members}
        return TuneResult(
            id=plan.id,
            study=plan.study.model_copy(update={"members": models, "tune": None}),
            members=members,
            folds=self.folds,
            all_folds=self.all_folds,
            counted=len(trials_on(self.store, judged_on["symbols"], judged_on["bars"])),
            seconds=seconds,
            notes=tuple(self.notes),
        )

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            self.watch.note(text)


def alone(study: Study, member: str, model: Model | None = None) -> Study:
    """A study with one of its members, or another model in its place, and nothing on top."""
    kept = {name: getattr(study, name) for name in type(study).model_fields if name not in OF_MODEL}
    kept.pop("preset")
    return Study(**kept, members={member: model or study.members[member]})


def _send(steps: Steps, answers: Sequence[TrialLoss]) -> list[TrialRequest] | None:
    try:
        return steps.send(answers)
    except StopIteration:
        return None


def _until(deadline: float | None) -> Callable[[], bool]:
    """Whether another batch may begin: one that takes as long as the longest so far, and ends."""
    longest, latest = 0.0, time.monotonic()

    def may_begin() -> bool:
        nonlocal longest, latest
        now = time.monotonic()
        longest, latest = max(longest, now - latest), now
        return deadline is None or now + longest <= deadline

    return may_begin
