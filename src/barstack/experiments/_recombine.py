"""Members of finished runs combined anew, from what is stored: nothing is fitted again below."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError, StorageError, did_you_mean
from barstack.core.forecast import Forecast, Target
from barstack.core.spec import content_id
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.ensembles import ENSEMBLES, Ensemble, FittedEnsemble, Stacked, align, walk_forward
from barstack.evaluation import CombinedScore, Evaluation, score_combined
from barstack.tracking import (
    EnsembleRecord,
    OutOfFold,
    Store,
    Trial,
    open_store,
    open_tracker,
    trials_on,
)

from ._compare_runs import read_table
from ._counting import VERDICT
from ._engine import Engine
from ._study import Study
from ._tracked import experiment_id
from ._verdicts import EVALUATION, DatedVerdict, read_json

_OF_ROWS = ("decided_at", "symbol", "fold", "trained_through")
_OUTCOMES = ("label", "known_at", "realised")
_KEY = "recombined-"  # begins the key of forecasts that a recombination made
_SAME = 1e-9  # of labels: what one and the same may differ by between two runs


@dataclass(frozen=True, eq=False)
class Recombined:
    """One ensemble, of a run or made anew of its members.

    Attributes
    ----------
    name
        What it is called here.
    ensemble
        Its recipe.
    members
        What it combines, by name.
    out_of_fold
        Its forecasts.
    fitted
        By fold, what it learned before; empty where the run had it already.
    seconds
        It took to fit and forecast; None where the run had it already.
    scores
        By horizon, on the decisions that all ensembles of the recombination share.
    """

    name: str
    ensemble: Ensemble
    members: tuple[str, ...]
    out_of_fold: OutOfFold
    fitted: Mapping[int, FittedEnsemble]
    seconds: float | None
    scores: tuple[CombinedScore, ...] = ()

    @property
    def forecast(self) -> Forecast:
        """Its forecasts out of fold."""
        return self.out_of_fold.forecast

    def to_json(self) -> dict[str, Any]:
        """As plain data, without forecasts."""
        gains = [[_with_sentence(gain) for gain in score.gains] for score in self.scores]
        scores = [
            asdict(score) | {"gains": own} for score, own in zip(self.scores, gains, strict=True)
        ]
        return {
            "name": self.name,
            "ensemble": self.ensemble.content(),
            "members": list(self.members),
            "new": self.seconds is not None,
            "seconds": self.seconds,
            "scores": scores,
        }


def _with_sentence(gain: Any) -> dict[str, Any]:
    return asdict(gain) | {"distinguished": gain.distinguished, "sentence": gain.sentence}


@dataclass(frozen=True, eq=False)
class Recombination:
    """The ensembles of a run and new ones, side by side.

    entries   the run's own first
    requested     by method, what it made; one that the run had already is the run's
    added     trials that the ledger did not know yet
    counted   trials on these symbols that verdicts now count
    """

    entries: tuple[Recombined, ...]
    requested: Mapping[str, Recombined]
    added: int
    counted: int

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        entries = [each.to_json() for each in self.entries]
        return {"ensembles": entries, "trials_added": self.added, "trials": self.counted}


class RunForecasts:
    """What the folder of a run holds of its forecasts, and what it was run on."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.evaluation = read_json(self.folder, EVALUATION, Evaluation.from_json)
        self.given = read_json(self.folder, VERDICT, DatedVerdict.from_json)
        self.study = Study.from_yaml(self.folder / "study.yaml")
        found = self.evaluation
        self.target = Target(found.task, tuple(found.horizons), tuple(found.levels))  # type: ignore[arg-type]
        self.symbols = tuple(found.symbols)
        self._tables: dict[str, pl.DataFrame] = {}

    @property
    def id(self) -> str:
        """Of the run."""
        return self.folder.resolve().name

    def spec_id(self, name: str) -> str:
        """Id of a member's model, or an ensemble's recipe."""
        study = self.study
        return study.members[name].id if name in study.members else study.ensembles[name].id

    def check(self, name: str) -> str:
        """The name of a member or ensemble of the run; `ConfigError` for another."""
        known = [*self.study.members, *self.study.ensembles]
        if name not in known:
            hint = did_you_mean(name, known)
            raise ConfigError(f"Run {self.id} has no member or ensemble {name!r}. {hint}")
        return name

    def table(self, name: str) -> pl.DataFrame:
        """Forecasts of a member or ensemble with what was realised."""
        if name not in self._tables:
            role = "members" if name in self.study.members else "ensembles"
            file = self.folder / role / self.check(name) / "test.parquet"
            if not file.is_file():
                raise ConfigError(
                    f"{file} is not there. Run the study again; finished steps are reused."
                )
            self._tables[name] = read_table(file)
        return self._tables[name]

    def out_of_fold(self, table: pl.DataFrame, symbols: tuple[str, ...]) -> OutOfFold:
        """The forecasts of such a table."""
        known = [f"{kind}_{each}" for kind in _OUTCOMES for each in self.target.horizons]
        needed = (*_OF_ROWS, *self.target.columns, *known)
        missing = [each for each in needed if each not in table.columns]
        strange = sorted(set(table["symbol"].unique()) - set(symbols))
        if missing or strange:
            what = f"lacks {', '.join(missing)}" if missing else f"is of {', '.join(strange)} too"
            raise ConfigError(
                f"A table of forecasts of run {self.id} {what}. Combine runs of the same label "
                "on the same symbols."
            )
        codes = table["symbol"].cast(pl.Enum(symbols)).to_physical().to_numpy().astype(np.int32)
        decisions = Decisions(symbols, codes, DecidedAt(table["decided_at"].to_numpy()))
        values = table.select(self.target.columns).to_numpy().astype(np.float64)
        shape = (len(table), len(self.target.horizons), len(self.target.outputs))
        through = TrainedThrough(table["trained_through"].to_numpy())
        forecast = Forecast(decisions, self.target, values.reshape(shape), through)
        return OutOfFold(forecast, table["fold"].to_numpy().astype(np.int64))


def recombine(
    folder: Path | str,
    methods: Mapping[str, Ensemble | str] | Sequence[str] = (),
    *,
    add: Sequence[str] = (),
    drop: Sequence[str] = (),
    engine: Engine | None = None,
) -> Recombination:
    """Ensembles of a run's stored forecasts, beside those that it had; seconds, as nothing is
    fitted below them.

    Every combination that the ledger does not know yet is entered there as a trial at each
    horizon: whoever tries many finds a lucky one.

    Parameters
    ----------
    folder
        Of a finished run.
    methods
        Ensembles to fit by name; a name alone is that of an ensemble of the study or a registered
        one. By default the judged one where members are added or dropped.
    add
        Further members: ensembles of the run, or RUN:NAME, a member or ensemble of another run with
        the same bars, label and split.
    drop
        Members to leave out.
    engine
        Of the run's study, for ensembles that read features; by default relative paths in the study
        start where the process runs.

    Raises
    ------
    ConfigError
        For unknown names, or what cannot be combined.
    DataError
        Where labels of two runs differ.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     found = recombine(run.folder, ["median"])
    >>> type(found).__name__
    'Recombination'
    """
    run = RunForecasts(folder)
    study = run.study
    pool = _pool(run, add, drop)
    chosen = _methods(run, methods, changed=bool(add or drop))
    tables = {name: run.table(name) for name in study.ensemble_names}
    entries, pools = [], {}
    for name, table in tables.items():
        own = study.ensembles[name]
        members = own.of or tuple(study.members)
        pools[name] = _stacked({each: (run, each) for each in members}, run)
        forecasts = run.out_of_fold(table, run.symbols)
        entries.append(Recombined(name, own, members, forecasts, {}, None))
    trials: list[Trial] = []
    called_for: dict[str, str] = {}
    store = open_store(run.folder.resolve().parent)
    data = _data(run, store)
    known = {(each.id, each.data) for each in store.trials()}
    stacked = _stacked(pool, run) if chosen else None
    label = _label(add, drop)
    for name, ensemble in chosen.items():
        assert stacked is not None
        if (there := _is_there(run, ensemble, pool)) is not None:
            called_for[name] = there
            continue
        called_for[name] = called = _unused(f"{name}{label}", [each.name for each in entries])
        pools[called] = _in_context(stacked, ensemble, run, engine)
        made = _trials(run, data, called, ensemble, pool)
        store.record(made)
        begun = time.perf_counter()
        forecasts, fitted = walk_forward(ensemble, pools[called], seed=study.seed)
        seconds = time.perf_counter() - begun
        entries.append(Recombined(called, ensemble, tuple(pool), forecasts, fitted, seconds))
        assert made[0].forecasts is not None
        store.write(made[0].forecasts, forecasts)
        trials += made
    by_name: dict[str, list[Trial]] = {}
    for each in trials:
        by_name.setdefault(each.name, []).append(each)
    again = [t for t in store.trials() if t.data == data and (t.forecasts or "").startswith(_KEY)]
    tried = len(again) + len(study.ensembles) * len(run.target.horizons)
    scores = score_combined(pools, {each.name: each.out_of_fold for each in entries}, tried=tried)
    scored = {
        each.name: replace(each, scores=tuple(s for s in scores if s.ensemble == each.name))
        for each in entries
    }
    _track(run, pool, [(scored[name], own) for name, own in by_name.items()])
    return Recombination(
        tuple(scored.values()),
        {name: scored[called] for name, called in called_for.items()},
        sum((each.id, each.data) not in known for each in trials),
        max(len(trials_on(store, run.given.symbols, run.given.bars)), run.given.verdict.trials),
    )


Pool = Mapping[str, tuple[RunForecasts, str]]


def _pool(run: RunForecasts, add: Sequence[str], drop: Sequence[str]) -> Pool:
    """What is combined: those that the judged ensemble combines, less some and with others."""
    judged = run.study.ensembles[run.study.ensemble_names[0]]
    pool = {name: (run, name) for name in judged.of or run.study.members}
    runs = {run.folder.resolve(): run}  # each once, whatever path names it
    for name in drop:
        if name not in pool:
            raise ConfigError(f"Cannot drop {name!r}, which is not combined. "
                              f"{did_you_mean(name, pool)}")  # fmt: skip
        del pool[name]
    for each in add:
        where, colon, name = each.rpartition(":")
        source = run
        if colon:
            place = Path(where).resolve()
            source = runs[place] if place in runs else runs.setdefault(place, RunForecasts(where))
        if source is not run and source.target != run.target:
            raise ConfigError(
                f"{each} forecasts {source.target}, and run {run.id} {run.target}. Combine runs of "
                "the same label."
            )
        called = source.check(name)
        if (source, name) in pool.values():
            raise ConfigError(f"{each} is combined already. Name each once.")
        if called in pool:
            called = f"{name}_{source.id[:4]}"
        pool[called] = (source, name)
    if not pool:
        raise ConfigError("Nothing is left to combine. Drop fewer members.")
    return pool


def _methods(
    run: RunForecasts, methods: Mapping[str, Ensemble | str] | Sequence[str], *, changed: bool
) -> dict[str, Ensemble]:
    """Ensembles by name, each combining all that it is given."""
    study = run.study
    if not isinstance(methods, Mapping):
        methods = {name: name for name in methods}
    if not methods and changed:
        methods = {study.ensemble_names[0]: study.ensemble_names[0]}
    found = {}
    for name, method in methods.items():
        if isinstance(method, str):
            method = study.ensembles.get(method) or ENSEMBLES.parse(method)  # noqa: PLW2901
        elif method.of:
            raise ConfigError(
                f"{name!r} says what it combines, {', '.join(method.of)}. Say it with --drop and "
                "--add (`drop` and `add`), which hold for all methods."
            )
        if study.label.task not in method.tasks:
            raise ConfigError(
                f"Ensemble {name!r} combines {', '.join(method.tasks)}, not {study.label.task}. "
                "Choose another: barstack list ensembles."
            )
        found[name] = _of_all(method)
    return found


def _stacked(pool: Pool, run: RunForecasts) -> Stacked:
    """Forecasts of a pool side by side, with the labels of the run."""
    tables = {name: source.table(stored) for name, (source, stored) in pool.items()}
    forecasts = {n: pool[n][0].out_of_fold(table, run.symbols) for n, table in tables.items()}
    found, outcomes = align(forecasts), dict[str, Any]()
    for name, table in tables.items():
        rows = forecasts[name].forecast.decisions.find(found.decisions)
        y = _columns(table, "label", run.target)[rows]
        if not outcomes:
            outcomes = {
                "y": y,
                "known_at": KnownAt(_columns(table, "known_at", run.target)[rows]),
                "returns": _columns(table, "realised", run.target)[rows],
            }
        elif not np.allclose(y, outcomes["y"], rtol=0.0, atol=_SAME, equal_nan=True):
            raise DataError(
                f"{name} of run {pool[name][0].id} was judged by other labels than "
                f"{next(iter(pool))}. Combine runs on the same bars and label."
            )
    return replace(found, **outcomes)


def _columns(table: pl.DataFrame, kind: str, target: Target) -> Any:
    """(n_rows, n_horizons) of the columns that begin so; NaN or NaT where there is nothing."""
    return np.stack([table[f"{kind}_{each}"].to_numpy() for each in target.horizons], axis=1)


def _in_context(
    stacked: Stacked, ensemble: Ensemble, run: RunForecasts, engine: Engine | None
) -> Stacked:
    """With what an ensemble reads beside forecasts, from the store."""
    context = {}
    for need in ensemble.needs:
        engine = engine or Engine(run.study, run.folder.resolve().parent)
        if need not in engine.tasks:  # regimes, of a run that none of its ensembles asked for them
            added = {**run.study.ensembles, "recombined": _of_all(ensemble)}
            study = run.study.model_copy(update={"ensembles": added})
            engine = Engine(study, run.folder.resolve().parent, engine.workspace.folder)
        table = engine.value(need)
        context[need] = table.values[table.decisions.find(stacked.decisions)]
    return replace(stacked, context=context)


def _is_there(run: RunForecasts, ensemble: Ensemble, pool: Pool) -> str | None:
    """The name of the run's ensemble that is this very combination, if there is one."""
    for name, each in run.study.ensembles.items():
        own = {(run, member) for member in each.of or run.study.members}
        if set(pool.values()) == own and _of_all(each).id == ensemble.id:
            return name
    return None


def _of_all(ensemble: Ensemble) -> Ensemble:
    """Combining whatever it is given."""
    return ensemble.model_copy(update={"of": ()})


def _trials(run: RunForecasts, data: str, name: str, ensemble: Ensemble, pool: Pool) -> list[Trial]:
    """One at each horizon, with the judged ensemble's setting and data."""
    given = run.given
    of = sorted(
        source.spec_id(stored) + ("" if source is run else source.given.trial)
        for source, stored in pool.values()
    )
    spec = ["recombined", ensemble.id, of, given.trial]
    found = run.evaluation
    return [
        Trial(
            id=content_id([spec, horizon]),
            data=data,
            name=name,
            horizon=horizon,
            symbols=given.symbols,
            first_at=found.first_at,
            last_at=found.last_at,
            forecasts=_KEY + content_id([spec, data]),
            bars=given.bars,
        )
        for horizon in run.target.horizons
    ]


def _data(run: RunForecasts, store: Store) -> str:
    """Content id of the run's data, from its trial; the run's id where the ledger is elsewhere."""
    looks = [each.data for each in store.trials(run.given.symbols) if each.id == run.given.trial]
    return next((data for data in looks if run.study.run_id(data) == run.id), run.id)


def _track(
    run: RunForecasts, pool: Pool, made: Sequence[tuple[Recombined, Sequence[Trial]]]
) -> None:
    """Enter what was made anew into the table of ensembles, beside those of the run.

    Where the database refuses, or has not got the run yet, the combination is valid all the same:
    the same command enters it later.
    """
    if not made:
        return
    with open_tracker(run.folder.resolve().parent) as tracker:
        try:
            if tracker.has_run(run.id):
                tracker.record_ensembles(
                    record for each, trials in made for record in _records(run, pool, each, trials)
                )
        except StorageError as error:
            warnings.warn(
                f"The new ensembles are not in the tracking database: {error}", stacklevel=3
            )


def _records(
    run: RunForecasts, pool: Pool, each: Recombined, trials: Sequence[Trial]
) -> Iterator[EnsembleRecord]:
    """A row for each horizon; gains are over the best member's own score in its run."""
    horizons = run.study.label.target.horizons
    latest = each.fitted[max(each.fitted)] if each.fitted else None
    matrix = None if latest is None else latest.weight_matrix(run.target)
    through: datetime | None = each.forecast.trained_through.max().item()
    for place, (trial, score) in enumerate(zip(trials, each.scores, strict=True)):
        ics = {name: _ic(source, stored, score.horizon) for name, (source, stored) in pool.items()}
        known = {name: ic for name, ic in ics.items() if ic is not None}
        best = max(known, key=known.__getitem__, default=None)
        weights = {} if matrix is None else dict(zip(pool, matrix[place].tolist(), strict=True))
        yield EnsembleRecord(
            ensemble_id=content_id([trial.id, trial.data]),
            name=each.name,
            method=(each.ensemble.registered_as or ("", each.name))[1],
            horizon_name=horizons[place],
            study_id=run.study.id,
            run_id=run.id,
            symbol=",".join(sorted(run.symbols)),
            members=each.members,
            weights=weights,
            experiments={
                name: experiment_id(source.id, stored, horizons[place])
                for name, (source, stored) in pool.items()
                if stored in source.study.members
            },
            score=score.ic,
            directional_accuracy=score.directional_accuracy,
            rmse=score.value**0.5 if run.target.task == "return" else None,
            best_member=best,
            gain=None if best is None or score.ic is None else score.ic - known[best],
            n_samples=score.n_decisions,
            configuration=each.ensemble.content(),
            trained_through=None if through is None else through.replace(tzinfo=UTC),
            forecasts=trial.forecasts,
        )


def _ic(source: RunForecasts, stored: str, horizon: str) -> float | None:
    """Of a member or ensemble in its own run."""
    own = [each for each in source.evaluation.scores if each.name == stored]
    return next((each.ic for each in own if each.horizon == horizon), None)


def _label(add: Sequence[str], drop: Sequence[str]) -> str:
    """What was added and dropped, as a part of a name."""
    added = (f" +{each.rpartition(':')[2]}" for each in add)
    return "".join([*(f" -{each}" for each in drop), *added])


def _unused(name: str, taken: Sequence[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    return found


def method_of(text: str) -> tuple[str, Ensemble | str]:
    """A method as the command line has it: NAME, or NAME={"setting": value}, as JSON.

    >>> method_of("average")
    ('average', 'average')
    """
    name, equals, settings = text.partition("=")
    if not equals:
        return name, name
    try:
        content = json.loads(settings)
        if not isinstance(content, dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        raise ConfigError(
            f"Cannot read the settings of {text!r}. Write them as JSON, such as "
            f"--method '{name or 'nnls'}={{\"weight_spread\": 0.2}}'."
        ) from None
    shown = " ".join(f"{key}={value}" for key, value in content.items())
    return f"{name} {shown}".strip(), ENSEMBLES.parse({"ensemble": name, **content})
