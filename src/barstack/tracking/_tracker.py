"""Records experiments, ensembles and their performance, and answers questions about them."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.files import new_file
from barstack.core.text import printable

from ._experiment import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    Predictions,
    RegimePerformance,
    Write,
)
from ._sweep_size import SweepSize

if TYPE_CHECKING:
    from ._database import Database

ADDRESS = "BARSTACK_TRACKING"  # of a server; without it everything is in the folder of runs

# SQLAlchemy is imported by the first use: importing barstack, and a run whose results are recorded
# already, need none of it.


class ExperimentTracker:
    """The tracking database of a folder of runs, or of a PostgreSQL server.

    Whatever a method has returned from is on the disk, and is seen by every other process, unless
    it was called within `batch`. Several threads and processes may write at once. A completed
    experiment never changes; starting, finishing or failing it again has no effect.

    Methods raise `StorageError` when the database cannot be used: the disk is full, the folder may
    not be written to, the server does not answer.

    Parameters
    ----------
    where
        A folder of runs, whose tables are in its `.ledger.sqlite` beside the ledger of trials; or
        `postgresql://USER:PASSWORD@HOST:PORT/NAME`. By default what $BARSTACK_TRACKING says, else
        the folder `runs`. Tables are created by the first write.

    Examples
    --------
    >>> import tempfile
    >>> from dataclasses import replace
    >>> tracker = ExperimentTracker(tempfile.mkdtemp())
    >>> planned = Experiment(experiment_id="3f2a", model_name="lstm", horizon_name="60min")
    >>> tracker.start(planned)
    >>> tracker.finish(replace(planned, directional_accuracy=0.53, ic=0.04))
    >>> other = Experiment(experiment_id="91bc", model_name="tcn", horizon_name="60min")
    >>> tracker.start(other)
    >>> tracker.fail(other, "The loss is not finite.")
    >>> tracker.statuses()
    {'3f2a': 'completed', '91bc': 'failed'}
    >>> [(row["model_name"], row["ic"]) for row in tracker.leaderboard()]
    [('lstm', 0.04)]
    """

    def __init__(self, where: str | Path | None = None) -> None:
        self.where = where or os.environ.get(ADDRESS) or "runs"
        self._opened: Database | None = None
        self._process = os.getpid()
        self._lock = RLock()
        self._batch: _Batch | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.where,)

    def __enter__(self) -> ExperimentTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections. The tracker stays usable."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    # Writing

    def start(self, experiment: Experiment) -> None:
        """Enter an experiment as running; after a failure or a kill this is a further attempt."""
        self._write("start", replace(experiment, status="running"))

    def finish(self, experiment: Experiment, history: Iterable[EpochMeasure] = ()) -> None:
        """Enter an experiment as completed, with its measures and its learning curves."""
        self._write("finish", replace(experiment, status="completed", error=None), history)

    def prune(self, experiment: Experiment, history: Iterable[EpochMeasure] = ()) -> None:
        """Enter an experiment as given up early, with its measures until then."""
        self._write("finish", replace(experiment, status="pruned", error=None), history)

    def fail(self, experiment: Experiment, error: str) -> None:
        """Enter an experiment as failed, with the reason."""
        self._write("fail", replace(experiment, status="failed", error=printable(error)[:4000]))

    @contextmanager
    def batch(self, rows: int = 200, seconds: float = 1.0) -> Iterator[None]:
        """Within the block, write together: at its end, and whenever so much has gathered.

        A process that is killed loses what has gathered, and nothing else. Blocks do not nest.

        rows     started, finished and failed experiments
        seconds  since the oldest of them, looked at when another is added
        """
        with self._lock:
            if self._batch is not None:
                raise ConfigError("A batch of this tracker is open already. Use that one.")
            self._batch = _Batch(rows, seconds)
        try:
            yield
        finally:
            with self._lock:
                batch, self._batch = self._batch, None
                self._write_all(batch.taken())

    def flush(self) -> None:
        """Write what has gathered in a batch."""
        with self._lock:
            if self._batch is not None:
                self._write_all(self._batch.taken())

    def record_run(
        self,
        run_id: str,
        experiments: Iterable[Experiment] = (),
        *,
        history: Mapping[str, Iterable[EpochMeasure]] | None = None,
        ensembles: Iterable[EnsembleRecord] = (),
        performance: Iterable[RegimePerformance] = (),
        predictions: Iterable[Predictions] = (),
    ) -> bool:
        """Enter all that a run found, together; whether it was new.

        history  by experiment_id
        """
        from . import _writing  # noqa: PLC0415

        with self._database().writing() as connection:
            return _writing.record_run(
                connection,
                run_id,
                list(experiments),
                dict(history or {}),
                list(ensembles),
                list(performance),
                list(predictions),
            )

    def note_sweep(self, size: SweepSize) -> None:
        """Enter how many experiments a sweep has, in place of what it has noted before."""
        from . import _writing  # noqa: PLC0415

        with self._database().writing() as connection:
            _writing.note_sweep(connection, size)

    def record_performance(self, performance: Iterable[RegimePerformance]) -> None:
        """Enter how forecasters did in a regime; a row that is known stays as it is."""
        from . import _writing  # noqa: PLC0415

        with self._database().writing() as connection:
            _writing.insert_performance(connection, list(performance))

    def record_ensembles(self, ensembles: Iterable[EnsembleRecord]) -> None:
        """Enter ensembles; one that is known stays as it is."""
        from . import _writing  # noqa: PLC0415

        with self._database().writing() as connection:
            _writing.insert_ensembles(connection, list(ensembles))

    def record_predictions(self, predictions: Predictions) -> None:
        """Enter predictions; of one that is known, only its outcome is added once it is known."""
        from . import _writing  # noqa: PLC0415

        with self._database().writing() as connection:
            _writing.insert_predictions(connection, predictions)

    def has_run(self, run_id: str) -> bool:
        """Whether `record_run` was called for it. Of a file this takes no import and no time."""
        from ._quick import file_has_run  # noqa: PLC0415

        if (quick := file_has_run(self.where, run_id)) is not None:
            return quick
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import ENSEMBLES  # noqa: PLC0415

        query = sa.select(sa.func.count()).where(ENSEMBLES.c.run_id == run_id)
        with self._database().reading() as connection:
            return bool(connection.execute(query).scalar_one())

    # Reading

    def statuses(self, sweep_id: str | None = None) -> dict[str, str]:
        """By experiment_id, `running`, `completed`, `failed` or `pruned`; of one sweep or all."""
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import EXPERIMENTS  # noqa: PLC0415

        columns = EXPERIMENTS.c
        query = sa.select(columns.experiment_id, columns.status).order_by(columns.experiment_id)
        if sweep_id is not None:
            query = query.where(columns.sweep_id == sweep_id)
        with self._database().reading() as connection:
            return {name: status for name, status in connection.execute(query)}  # noqa: C416

    def experiments(
        self, sweep_id: str | None = None, *, run_id: str | None = None, status: str | None = None
    ) -> list[Experiment]:
        """Experiments in the order of their ids."""
        import sqlalchemy as sa  # noqa: PLC0415

        from ._rows import experiment_of  # noqa: PLC0415
        from ._tables import EXPERIMENTS  # noqa: PLC0415

        query = sa.select(EXPERIMENTS).order_by(EXPERIMENTS.c.experiment_id)
        wanted = {"sweep_id": sweep_id, "run_id": run_id, "status": status}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(EXPERIMENTS.c[name] == value)
        with self._database().reading() as connection:
            return [experiment_of(dict(row)) for row in connection.execute(query).mappings()]

    def ensembles(self, run_id: str | None = None) -> list[EnsembleRecord]:
        """Ensembles by horizon and name, with their members' weights; of one run or of all.

        Their meta-learners' `configuration` and `trained_through` are left out.
        """
        from . import _reading  # noqa: PLC0415

        with self._database().reading() as connection:
            return _reading.ensembles(connection, run_id)

    def sweeps(self) -> list[SweepSize]:
        """How many experiments each sweep has, in the order of their ids."""
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import SWEEPS  # noqa: PLC0415

        columns = SWEEPS.c
        query = sa.select(columns.sweep_id, columns.title, columns.experiments)
        with self._database().reading() as connection:
            found = connection.execute(query.order_by(columns.sweep_id)).mappings()
            return [SweepSize(**row) for row in found]

    def state(self) -> str:
        """Text that is another one after an experiment, ensemble or sweep was entered or changed.

        Asking for it is far cheaper than reading: whoever watches does so first.
        """
        from . import _reading  # noqa: PLC0415

        with self._database().reading() as connection:
            return _reading.state(connection)

    def training_history(self, experiment_id: str) -> list[EpochMeasure]:
        """Learning curves, by fold, measure and epoch."""
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import TRAINING_HISTORY  # noqa: PLC0415

        columns = TRAINING_HISTORY.c
        query = (
            sa.select(columns.fold, columns.epoch, columns.measure, columns.value)
            .where(columns.experiment_id == experiment_id)
            .order_by(columns.fold, columns.measure, columns.epoch)
        )
        with self._database().reading() as connection:
            return [EpochMeasure(**row) for row in connection.execute(query).mappings()]

    def leaderboard(
        self,
        limit: int | None = 20,
        *,
        by: str = "ic",
        horizon: str | None = None,
        model: str | None = None,
        sweep_id: str | None = None,
    ) -> list[dict[str, Any]]:
        """Completed experiments, best first, as rows with all columns of `experiments`.

        The best of many is best in part by luck: `barstack leaderboard RUN` gives p-values that
        account for all trials.

        by  `ic`, `directional_accuracy` or `r2` (highest first), `mse`, `rmse` or `mae` (lowest)
        """
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import EXPERIMENTS  # noqa: PLC0415

        if by not in (*_HIGHER, *_LOWER):
            raise ConfigError(
                f"A leaderboard cannot be sorted by {by!r}. {did_you_mean(by, _HIGHER + _LOWER)}"
            )
        columns = EXPERIMENTS.c
        order = columns[by].desc() if by in _HIGHER else columns[by].asc()
        query = sa.select(EXPERIMENTS).where(columns.status == "completed", columns[by].isnot(None))
        wanted = {"horizon_name": horizon, "model_name": model, "sweep_id": sweep_id}
        for name, value in wanted.items():
            if value is not None:
                query = query.where(columns[name] == value)
        query = query.order_by(order, columns.experiment_id).limit(limit)
        with self._database().reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def get_statistics(self, sweep_id: str | None = None) -> dict[str, Any]:
        """Numbers of experiments, and the best of them; of one sweep or of all.

        total, completed, failed, pruned, running
        success_rate   completed / (completed + failed); None before the first
        models, horizons  names
        best           the completed experiment of highest information coefficient, or None
        mean_directional_accuracy
        training_seconds  in sum
        failures       the most frequent errors, each with its count
        ensembles, predictions  numbers of rows, of all sweeps
        """
        from . import _reading  # noqa: PLC0415

        with self._database().reading() as connection:
            found = _reading.statistics(connection, sweep_id)
        best = self.leaderboard(1, sweep_id=sweep_id)
        return found | {"best": best[0] if best else None}

    def best_models_per_regime(self, regime_type: str, limit: int = 3) -> list[dict[str, Any]]:
        """Models and ensembles that did best where one regime was likeliest, best first.

        As the SQL function `get_best_models_per_regime(regime_type, limit)` on PostgreSQL:
        model_name, role, n_runs, n_horizons, n_decisions, directional_accuracy, shrunk_accuracy
        (by which they are ranked: as if 100 further decisions had been right half of the time),
        ic.
        """
        from barstack.core.forecast import REGIMES  # noqa: PLC0415

        from ._questions import BEST_PER_REGIME, in_dialect  # noqa: PLC0415

        if regime_type not in REGIMES:
            raise ConfigError(
                f"Unknown regime {regime_type!r}. {did_you_mean(regime_type, REGIMES)}"
            )
        values = {"regime_type": regime_type, "limit": max(limit, 0)}
        with self._database().reading() as connection:
            query = in_dialect(BEST_PER_REGIME, connection)
            return [dict(row) for row in connection.execute(query, values).mappings()]

    def ensemble_performance_summary(
        self, days_back: int = 30, *, at: datetime | None = None
    ) -> list[dict[str, Any]]:
        """How ensembles' predictions turned out, of those recorded in the last days.

        As the SQL function `get_ensemble_performance_summary(days_back)` on PostgreSQL:
        ensemble_id, name, method, horizon_name, symbol, n_predictions, n_known,
        directional_accuracy, mean_return (in the predicted direction, as a fraction), score, gain,
        first_decided_at, last_decided_at.

        at  end of these days, by default now
        """
        from ._questions import ENSEMBLE_SUMMARY, in_dialect  # noqa: PLC0415
        from ._rows import now  # noqa: PLC0415

        since = (at or now()) - timedelta(days=days_back)
        with self._database().reading() as connection:
            query = in_dialect(ENSEMBLE_SUMMARY, connection)
            return [dict(row) for row in connection.execute(query, {"since": since}).mappings()]

    def export_to_csv(self, path: str | Path, sweep_id: str | None = None) -> int:
        """Write all experiments as a CSV file, and return how many there are.

        Columns are those of the table `experiments`; `params` and `metrics` are JSON, times UTC.
        """
        import sqlalchemy as sa  # noqa: PLC0415

        from ._tables import EXPERIMENTS  # noqa: PLC0415

        query = sa.select(EXPERIMENTS).order_by(EXPERIMENTS.c.experiment_id)
        if sweep_id is not None:
            query = query.where(EXPERIMENTS.c.sweep_id == sweep_id)
        n_rows = 0
        with (
            self._database().reading() as connection,
            new_file(Path(path)) as scratch,
            scratch.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.writer(stream)
            writer.writerow(column.name for column in EXPERIMENTS.columns)
            for row in connection.execute(query):
                writer.writerow(_cell(value) for value in row)
                n_rows += 1
        return n_rows

    def migrate(self, version: str | None = None) -> tuple[str | None, str]:
        """Bring the tables to a version, by default the newest; the versions before and after."""
        from ._migrating import VERSIONS, migrate, version_of  # noqa: PLC0415

        wanted = version or VERSIONS[-1]
        if wanted not in VERSIONS:
            raise ConfigError(f"There is no version {wanted!r}. {did_you_mean(wanted, VERSIONS)}")
        with self._database().migrating() as connection:
            before = version_of(connection)
            migrate(connection, wanted)
        return before, wanted

    def _write(
        self, verb: str, experiment: Experiment, history: Iterable[EpochMeasure] = ()
    ) -> None:
        write = (verb, experiment, tuple(history))
        with self._lock:
            if self._batch is None:
                self._write_all([write])
            elif self._batch.add(write):
                self._write_all(self._batch.taken())

    def _write_all(self, writes: list[Write]) -> None:
        from . import _writing  # noqa: PLC0415

        if writes:
            with self._database().writing() as connection:
                _writing.enter(connection, writes)

    def _database(self) -> Database:
        from ._database import Database  # noqa: PLC0415

        with self._lock:
            if self._opened is not None and self._process != os.getpid():
                self._opened.forget()
                self._opened = None
            if self._opened is None:
                self._opened, self._process = Database(self.where), os.getpid()
            return self._opened


_HIGHER = ("ic", "directional_accuracy", "r2")
_LOWER = ("mse", "rmse", "mae")


class _Batch:
    """What has gathered, and since when."""

    def __init__(self, rows: int, seconds: float) -> None:
        self.rows, self.seconds = rows, seconds
        self.writes: list[Write] = []
        self.since = 0.0

    def add(self, write: Write) -> bool:
        """Whether it is time to write."""
        if not self.writes:
            self.since = time.monotonic()
        self.writes.append(write)
        return len(self.writes) >= self.rows or time.monotonic() - self.since >= self.seconds

    def taken(self) -> list[Write]:
        writes, self.writes = self.writes, []
        return writes


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value
