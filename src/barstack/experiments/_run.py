"""One run of a study: its tasks, the verdict at this moment, and what its folder receives."""

from __future__ import annotations

import filecmp
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barstack.bars import Bars, SeriesTable
from barstack.bars.checks import Finding
from barstack.bars.sources import UNNAMED, frame_tables, standard_table
from barstack.core.chosen import Chosen
from barstack.core.columns import DECIDED_AT, SYMBOL, TRAINED_THROUGH
from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.files import new_folder
from barstack.core.forecast import Forecast
from barstack.core.notebook import card, paragraph, remark, table
from barstack.core.progress import Progress
from barstack.core.registry import Registry
from barstack.ensembles import Ensemble
from barstack.evaluation import Evaluation, leaderboard
from barstack.forecasting import GivenVerdict, Predictor, TrainedEnsemble, write_verdict
from barstack.models import FittedModel, Model

from ._counting import VERDICT
from ._engine import Done, Engine
from ._outcome import fits_of, forecasts_of
from ._plan import register
from ._recombine import Recombined, recombine
from ._results import data_id
from ._study import Study
from ._tracked import track_run_if_possible
from ._trials import trials_of
from ._verdicts import DatedVerdict, judge_study

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 10  # forecasters in a notebook
# Figures of a leaderboard that some tasks have only.
_OF_TASKS = ("log_loss", "rmse", "mae", "r2", "pinball", "accuracy", "balanced", "macro_f1")


class Run:
    """A finished run.

    Attributes
    ----------
    id       of the study on these bars
    study    what was run
    folder   with study.yaml, evaluation.json, verdict.json, report.html and artifact/
    verdict  whether there is an edge, with the evidence, for the trials counted at the run's end
    given    the same with the date and the state of the ledger
    chosen   what was chosen where nothing was said, by a preset or from a frame
    steps    how each task ended, and its seconds

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> frame = walk(400).to_frame()
    >>> study = {"features": ["body"], "members": ["ridge"], "calendar": "24/7", "stamp": "open"}
    >>> runs = tempfile.mkdtemp()
    >>> run = bs.run(frame, horizons=["1h"], symbol="WALK", runs=runs, **study)
    >>> run.to_frame().shape[1], run.leaderboard("1h")["name"].iloc[0]
    (5, 'last_sign')
    >>> run.predict(walk(420).to_frame()).shape
    (21, 4)
    """

    def __init__(self, run_id: str, folder: Path, engine: Engine, given: DatedVerdict) -> None:
        self.id, self.folder, self.study = run_id, folder, engine.study
        self.given, self.verdict = given, given.verdict
        self.chosen: tuple[Chosen, ...] = engine.chosen
        self._engine = engine

    def __repr__(self) -> str:
        return f"Run({self.id}, edge {self.verdict.edge}, {self.folder})"

    def _repr_html_(self) -> str:
        """The verdict and the best forecasters at its horizon, as notebooks show them."""
        board = self.leaderboard(self.verdict.horizon).head(_SHOWN)
        columns = ["name", "role", "ic", "directional_accuracy", "net_edge_bps", "p_adjusted"]
        rows = board[columns].astype(object).to_numpy().tolist()
        chosen = "".join(paragraph(str(each)) for each in self.chosen)
        if chosen:
            chosen = f"<details><summary>What was chosen</summary>{chosen}</details>"
        named = f", {self.study.title}" if self.study.title else ""
        return card(
            f"Run {self.id}{named}",
            self.verdict._repr_html_(),
            paragraph(f"Forecasters at {self.verdict.horizon}, best first"),
            table(["name", "role", "ic", "accuracy", "net edge, bps", "p, all trials"], rows),
            chosen,
            remark(f"Report: {self.folder / 'report.html'}"),
        )

    @property
    def steps(self) -> list[Done]:
        """How each task ended, and its seconds."""
        return self._engine.done

    @property
    def bars(self) -> dict[str, Bars]:
        """By symbol, as the study used them."""
        panel: dict[str, Bars] = self._engine.value("bars")
        return panel

    @property
    def calendar(self) -> str:
        """Of the bars."""
        return str(self._engine.value("format").calendar)

    @property
    def series(self) -> dict[str, SeriesTable]:
        """Tables of other numbers by name, as the study used them."""
        tables: dict[str, SeriesTable] = self._engine.value("series")
        return tables

    @property
    def evaluation(self) -> Evaluation:
        """Scores, curves and evidence of all forecasters."""
        found: Evaluation = self._engine.value("evaluation")
        return found

    @property
    def findings(self) -> list[Finding]:
        """What the checks of the bars warned of."""
        found: list[Finding] = self._engine.value("findings")
        return found

    @cached_property
    def artifact(self) -> TrainedEnsemble:
        """The judged ensemble with its members, ready to forecast new bars."""
        return TrainedEnsemble.load(self.folder / "artifact")

    def predict(
        self, bars: Any, *, symbol: str | None = None, series: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Forecasts of the judged ensemble and its members for bars newer than the training.

        bars    a frame in any form that `bs.run` takes, read as the study read its own; or `Bars`,
                or several of them by symbol
        symbol  of a frame that names none, by default the only one of the study; `ConfigError`
                where the frame names others
        series  as in `Predictor.predict`, which says what comes back and what is raised
        """
        predictor = Predictor(self.artifact)
        if not _are_bars(bars):
            bars, symbol = self._tables(bars, symbol), None
        return predictor.predict(bars, symbol=symbol, series=series)

    def _tables(self, frame: Any, symbol: str | None) -> dict[str, Any]:
        """A frame's tables by symbol, with the columns named as barstack names them."""
        known = self.artifact.bars.symbols
        layout = self.study.bars.layout_of(self.folder)
        own = layout.symbol_column
        has_own = own is not None and own in [*getattr(frame, "columns", ()), *_levels(frame)]
        tables = frame_tables(frame, symbol=symbol, symbol_column=own if has_own else None)
        if symbol is None and set(tables) == {UNNAMED} and UNNAMED not in known:
            if len(known) != 1:
                raise ConfigError(
                    f"The frame names no symbol, and this run is of {', '.join(known)}. Give "
                    "symbol=..., or a mapping of frames by symbol."
                )
            tables = {known[0]: tables[UNNAMED]}
        return {name: standard_table(each, name, layout) for name, each in tables.items()}

    def fits(self) -> dict[str, list[dict[str, Any]]]:
        """Facts on each fit of each member: of every fold, and of the final fit last."""
        return fits_of(self._engine)

    def forecasts(self) -> dict[str, Forecast]:
        """Forecasts out of fold by name, of the ensembles, the judged one first, then members.

        These are what the evaluation scores. `Forecast.to_frame` makes frames of them.
        """
        return forecasts_of(self._engine)

    def to_frame(self) -> pd.DataFrame:
        """All forecasts out of fold side by side, a row for each decision, NaN where one has none.

        Columns decided_at in UTC, symbol, the judged ensemble's forecasts such as return_4h, then
        those of the others such as ridge.return_4h, as in `predict`.
        """
        whole: pd.DataFrame | None = None
        for name, forecast in self.forecasts().items():
            own = forecast.to_frame().drop(columns=TRAINED_THROUGH)
            if whole is None:
                whole = own
                continue
            numbers = {column: f"{name}.{column}" for column in forecast.target.columns}
            whole = whole.merge(own.rename(columns=numbers), "outer", on=[DECIDED_AT, SYMBOL])
        assert whole is not None  # a study has ensembles
        return whole.sort_values([DECIDED_AT, SYMBOL], ignore_index=True)

    @property
    def members(self) -> Members:
        """By name: `run.members["ridge"]` has its recipe, its forecasts and its final fit."""
        return Members(self)

    def leaderboard(self, horizon: str | None = None) -> pd.DataFrame:
        """Scores of all forecasters, best information coefficient first within each horizon.

        A column for each figure of `Score`, but for those that this task has not.
        """
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        frame = pd.DataFrame(leaderboard(self.evaluation, self.verdict.trials))
        of_tasks = [name for name in frame if str(name).startswith(_OF_TASKS)]
        frame = frame.drop(columns=[name for name in of_tasks if frame[name].isna().all()])
        if horizon is not None:
            frame = frame[frame["horizon"] == self.evaluation.horizon_called(horizon)]
        order = {name: place for place, name in enumerate(self.evaluation.horizons)}
        place = frame["horizon"].map(order)
        frame = frame.assign(_place=place, _ic=frame["ic"].astype(float))
        frame = frame.sort_values(["_place", "_ic"], ascending=[True, False], na_position="last")
        return frame.drop(columns=["_place", "_ic"]).reset_index(drop=True)

    def ensemble(
        self, method: str | Ensemble, *, add: Sequence[str] = (), drop: Sequence[str] = ()
    ) -> Recombined:
        """The members combined in another way, from stored forecasts; a trial like any other.

        Parameters
        ----------
        method
            The name of an ensemble of the study or a registered one, or a recipe.
        add
            Further members: ensembles of this run, or RUN:NAME of another on the same bars, label
            and split.
        drop
            Members to leave out.
        """
        named = method if isinstance(method, str) else (method.registered_as or ("", "own"))[1]
        found = recombine(self.folder, {named: method}, add=add, drop=drop, engine=self._engine)
        return found.requested[named]

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        found = self.evaluation
        scores = leaderboard(found, self.verdict.trials)
        verdict = self.verdict.to_json()
        audits = verdict.pop("audits")
        return {
            "run": self.id,
            "folder": str(self.folder),
            "report": str(self.folder / "report.html"),
            "artifact": str(self.folder / "artifact"),
            "verdict": verdict,
            "task": found.task,
            "n_decisions": found.n_decisions,
            "ensembles": [score for score in scores if score["role"] == "ensemble"],
            "members": [score for score in scores if score["role"] == "member"],
            "benchmarks": [score for score in scores if score["role"] == "benchmark"],
            "naive": [score for score in scores if score["role"] == "naive"],
            "gains": [
                asdict(each) | {"distinguished": each.distinguished, "sentence": each.sentence}
                for each in found.gains
            ],
            "confusions": [asdict(each) for each in found.confusions],
            "contradictions": found.contradictions,
            "audits": audits,
            "findings": [each.to_json() for each in self.findings],
            "steps": [
                {"name": each.name, "how": each.how, "seconds": round(each.seconds, 3)}
                for each in self.steps
            ],
        }


def _levels(frame: Any) -> list[Any]:
    """Names in the index of a pandas table."""
    return list(getattr(getattr(frame, "index", None), "names", ()))


def _are_bars(value: Any) -> bool:
    """Whether it is `Bars`, or several of them by symbol."""
    if isinstance(value, Mapping) and not hasattr(value, "columns"):
        return bool(value) and all(isinstance(each, Bars) for each in value.values())
    return isinstance(value, Bars)


@dataclass(frozen=True)
class RunMember:
    """One member of a run.

    Attributes
    ----------
    name
        What the study calls it.
    model
        Its recipe.
    forecast
        Its forecasts out of fold.
    fitted
        Its final fit, trained on all labels known at the end; None where the judged ensemble does
        not combine it, so that the artifact has none.
    fits
        Facts on its fits: of every fold, and of the final one last.
    """

    name: str
    model: Model
    forecast: Forecast
    fitted: FittedModel | None
    fits: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"RunMember({self.name}, {self.forecast!r})"


class Members(Mapping[str, RunMember]):
    """The members of a run by name; `KeyError` names those that there are."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getitem__(self, name: str) -> RunMember:
        run = self._run
        if name not in run.study.members:
            raise KeyError(f"{name!r} is no member. {did_you_mean(name, run.study.members)}")
        return RunMember(
            name,
            run.study.members[name],
            run._engine.value(f"member {name}").out_of_fold.forecast,
            run.artifact.members.get(name),
            run.fits()[name],
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._run.study.members)

    def __len__(self) -> int:
        return len(self._run.study.members)

    def __repr__(self) -> str:
        return f"Members({', '.join(self)})"


View = Callable[[Run], str]
VIEWS: Registry[View] = Registry("view", "barstack.experiments")


def view(file: str) -> Callable[[View], View]:
    """Register `function(run) -> text` as a file of each run's folder.

    A view may show the verdict, which depends on all that was ever tried. It is written when a
    run ends and anything in its folder has changed.
    """

    def decorate(function: View) -> View:
        VIEWS.add(file, function)
        return function

    return decorate


def run_study(
    study: Study,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    progress: Progress | None = None,
    workers: int | None = None,
    user_ledger: bool = True,
) -> Run:
    """Count the trials, compute what is not stored yet, judge, fill the run's folder, and track it.

    The trials are in the ledger before anything is fitted, so that a run that is stopped counts.

    Parameters
    ----------
    folder    where relative paths in the study start
    runs      receives `runs/<id>/`; results of tasks are kept in `runs/.store/`
    progress  reports tasks; by default silent
    workers   threads that compute tasks side by side, by default one for each core
    user_ledger  False for made-up bars, which are nobody's trials; the verdict says so

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = run_study(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    >>> run.verdict.edge
    'none'
    """
    runs = Path(runs)
    engine = Engine(study, runs, folder, progress, workers, user_ledger=user_ledger)
    study = engine.study
    for each in engine.chosen:
        engine.progress.note(str(each))
    engine.value("audit")  # where it finds a leak there is nothing to count
    trials = trials_of(study, engine)
    if study.preregistered is not None:
        register(engine.forecasts, study.preregistered, study.holdout, trials)
    engine.forecasts.record(trials)
    engine.run()
    given = judge_study(engine, trials)
    run_id = study.run_id(data_id(engine.value("bars"), engine.value("series")))
    run = Run(run_id, runs / run_id, engine, given)
    _publish(run, engine.published())
    track_run_if_possible(run_id, engine, runs)
    return run


def _publish(run: Run, stored: Mapping[str, Path]) -> None:
    """Fill the run's folder, unless it holds all this already: it then need not be writable."""
    if _is_published(run, stored):
        return
    with new_folder(run.folder) as scratch:
        (scratch / "study.yaml").write_text(run.study.to_yaml())
        (scratch / VERDICT).write_text(json.dumps(run.given.to_json(), indent=1))
        for name, source in stored.items():
            _copy(source, scratch / name)
        verdict = run.verdict
        write_verdict(
            scratch / "artifact",
            GivenVerdict(
                verdict.edge,
                verdict.sentence,
                verdict.horizon,
                run.given.given_at,
                run.given.ledger_head,
                verdict.trials,
            ),
        )
        for name in VIEWS.names():
            (scratch / name).write_text(VIEWS.get(name)(run), encoding="utf-8")


def _is_published(run: Run, stored: Mapping[str, Path]) -> bool:
    """Whether its folder holds all this, the verdict given at whatever time."""
    try:
        given = json.loads((run.folder / VERDICT).read_text())
        now = json.loads(json.dumps(run.given.to_json()))
        return (
            {file.name for file in run.folder.iterdir()} >= {*VIEWS.names()}
            and given["verdict"] == now["verdict"]
            and (run.folder / "study.yaml").read_text() == run.study.to_yaml()
            and all(_same(source, run.folder / name) for name, source in stored.items())
        )
    except (OSError, ValueError, KeyError, TypeError):  # not there, or not of this version
        return False


def _same(one: Path, other: Path) -> bool:
    """Whether `other` holds what `one` does; beside that it may have a verdict or a signature."""
    if one.is_dir():
        return all(_same(file, other / file.name) for file in one.iterdir())
    return filecmp.cmp(one, other, shallow=False)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
