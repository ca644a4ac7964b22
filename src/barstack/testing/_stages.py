"""The contract of every stage of tasks: keyed by content, repeatable, stored and read back."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from barstack.core.times import format_duration
from barstack.experiments import STAGES, Engine, Place, Study, Task, tasks_of
from barstack.tracking import MemoryStore

from ._bars import walk
from ._expect import expect, same


@dataclass(frozen=True)
class StageWork:
    """A stage at work in a study, whose relative paths start in `folder`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     work = StageWork("labels", small_study(Path(folder)), Path(folder))
    >>> list(work.tasks())[:1]
    ['labels']
    """

    name: str
    study: Study
    folder: Path

    def tasks(self) -> dict[str, Task]:
        """The stage's own tasks by name, for three folds."""
        return {task.name: task for task in STAGES.get(self.name)(self.study, 3)}

    def run(self, runs: str) -> Engine:
        """An engine that has computed the stage's tasks, in the folder of runs of that name."""
        engine = Engine(self.study, self.folder / runs, self.folder, workers=1)
        engine.run(self.stored_by(engine))
        return engine

    def stored_by(self, engine: Engine) -> list[str]:
        """Names of the stage's tasks whose values are stored."""
        engine.run(["split"])  # from then on the number of folds is known, and with it all tasks
        own = {task.name for task in STAGES.get(self.name)(engine.study, 3)}
        return [name for name in own & set(engine.tasks) if engine.tasks[name].operation.save]


def small_study(folder: Path) -> Study:
    """A study of 400 made-up bars that it writes into the folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     small_study(Path(folder)).label.horizon_names
    ('2bars',)
    """
    import polars as pl  # noqa: PLC0415 (heavy; only the checks that need it)

    bars = walk(400)
    columns = {"timestamp": bars.opened_at}
    columns |= {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
    table = pl.DataFrame(columns).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))
    table.write_parquet(folder / "WALK.parquet")
    return Study(
        bars={"provider": "files", "path": "WALK.parquet", "bar": format_duration(bars.length_us)},
        features=["rsi", "body"],
        horizons=[2],
        split={"split": "walk_forward", "folds": 3},
        members=["ridge"],
        ensembles=["average"],
    )


def check_tasks_are_plain_values(work: StageWork) -> None:
    """Built again each task has the same key, and other processes find what it computes."""
    tasks, again = work.tasks(), work.tasks()
    same(list(again), list(tasks), "The names of the tasks, built again,")
    for name, task in tasks.items():
        key = task.key(["a", "b"])
        same(again[name].key(["a", "b"]), key, f"The key of {name}, built again,")
        compute = task.operation.compute
        module = sys.modules[compute.__module__]
        found = getattr(module, compute.__qualname__, None)
        expect(
            found is compute,
            f"Task {name!r} computes {compute.__qualname__}, which other processes cannot find. "
            f"Define it as a function of module {compute.__module__}.",
        )


def check_inputs_are_made(work: StageWork) -> None:
    """All that its tasks need some stage makes, and none of them is made twice."""
    every = tasks_of(work.study, 3)
    for name in work.tasks():
        expect(name in every, f"Task {name!r} is not among the tasks of the study.")


def check_a_rerun_computes_nothing(work: StageWork) -> None:
    """What is stored under a key is read the next time."""
    work.run("runs")
    again = work.run("runs")
    made = sorted(
        {done.name for done in again.done if done.how == "made"} & set(work.stored_by(again))
    )
    same(made, [], "Tasks that are computed again")


def check_two_runs_store_the_same(work: StageWork) -> None:
    """Computed twice from the same inputs, each value is stored with the same bytes."""
    one, two = work.run("one"), work.run("two")
    for name in work.stored_by(one):
        same(one.key(name), two.key(name), f"The key of {name} in another run")
        same(_bytes(two.place(name).folder), _bytes(one.place(name).folder), f"The bytes of {name}")


def check_what_is_loaded_is_what_was_saved(work: StageWork) -> None:
    """Where a value can be loaded, saving it again writes the same bytes."""
    engine = work.run("runs")
    for name in work.stored_by(engine):
        operation, place = engine.tasks[name].operation, engine.place(name)
        if operation.load is None or operation.save is None:
            continue
        folder = work.folder / "again" / operation.name / place.key
        folder.mkdir(parents=True)
        operation.save(operation.load(place), Place(folder, place.key, MemoryStore()))
        stored = _bytes(place.folder)
        again = _bytes(folder)
        same(
            again, {each: stored.get(each) for each in again}, f"The bytes of {name}, saved again,"
        )


STAGE_CHECKS = (
    check_tasks_are_plain_values,
    check_inputs_are_made,
    check_a_rerun_computes_nothing,
    check_two_runs_store_the_same,
    check_what_is_loaded_is_what_was_saved,
)


def _bytes(folder: Path) -> dict[str, str]:
    """A hash of each file by its name, which a message can show."""
    from barstack.core.files import sha256_of  # noqa: PLC0415

    return {
        str(file.relative_to(folder)): sha256_of(file)[:16]
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
