"""What the tracking database holds, read again only after it has changed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from barstack.tracking import (
    EnsembleRecord,
    EpochMeasure,
    Experiment,
    ExperimentTracker,
    SweepSize,
)

_WAIT_S = 0.4  # between looks at the database
_SHARE = 10.0  # looks take at most a tenth of the time


@dataclass(frozen=True, eq=False)
class Tracked:
    """All experiments at one moment, by id, and the sizes of sweeps by their ids."""

    state: str
    experiments: tuple[Experiment, ...]
    sizes: Mapping[str, SweepSize]

    def find(self, experiment_id: str) -> Experiment | None:
        """The experiment of this id."""
        return next((row for row in self.experiments if row.experiment_id == experiment_id), None)

    def planned(self, sweep_id: str) -> int | None:
        """Experiments that a sweep has, of all sweeps where `sweep_id` is empty; None if unknown.

        Of all it is known where every experiment belongs to a sweep whose size is.
        """
        sweeps = {sweep_id} if sweep_id else {row.sweep_id for row in self.experiments}
        if not sweeps or not sweeps <= self.sizes.keys():
            return None
        return sum(self.sizes[name].experiments for name in sweeps)


class Source:
    """One tracking database for all who watch; methods may be called by several threads.

    where  a folder of runs, or the address of a server
    """

    def __init__(self, where: str | Path) -> None:
        self.where = str(where)
        self._tracker = ExperimentTracker(where)
        self._lock = Lock()
        self._held = Tracked("", (), {})
        self._next_look = 0.0
        self._next_reading = 0.0

    def close(self) -> None:
        """Close connections."""
        self._tracker.close()

    def now(self) -> Tracked:
        """What is there: at most some tenths of a second old, or ten times what reading takes."""
        with self._lock:
            begin = time.monotonic()
            if begin < self._next_look or begin < self._next_reading:
                return self._held
            state = self._tracker.state()
            looked = time.monotonic()
            self._next_look = looked + max(_WAIT_S, _SHARE * (looked - begin))
            if state != self._held.state:
                sizes = {each.sweep_id: each for each in self._tracker.sweeps()}
                self._held = Tracked(state, tuple(self._tracker.experiments()), sizes)
                read = time.monotonic()
                self._next_reading = read + _SHARE * (read - looked)
            return self._held

    def history(self, experiment_id: str) -> list[EpochMeasure]:
        """Learning curves of an experiment."""
        return self._tracker.training_history(experiment_id)

    def ensembles(self, run_id: str) -> list[EnsembleRecord]:
        """Ensembles of a run."""
        return self._tracker.ensembles(run_id)
