"""The store and the tracker of a folder of runs: in the folder, or on a team's server."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ._postgres import PostgresStore
from ._sqlite import SqliteStore
from ._store import OutOfFold, Store, Trial
from ._tracker import ADDRESS, ExperimentTracker


def open_store(runs: Path | str) -> Store:
    """The store of a folder of runs; with $BARSTACK_TRACKING the ledger is the server's.

    runs  a folder, or the address of a server

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_store(folder).keys()
    []
    """
    if isinstance(runs, str) and "://" in runs:
        return PostgresStore(runs)
    here = SqliteStore(Path(runs))
    address = os.environ.get(ADDRESS)
    return here if not address else SharedLedgerStore(here, PostgresStore(address))


def open_tracker(runs: Path | str) -> ExperimentTracker:
    """The tracker of a folder of runs; with $BARSTACK_TRACKING that of the server."""
    return ExperimentTracker(os.environ.get(ADDRESS) or runs)


class SharedLedgerStore(Store):
    """Forecasts in one store, where they are fast to read, and the ledger in another.

    Trials that the first has recorded by itself are entered in the second too, so that what was
    tried before counts on.

    here    keeps forecasts
    ledger  keeps trials
    """

    def __init__(self, here: Store, ledger: Store) -> None:
        self.here, self.ledger = here, ledger
        self._entered = False  # whether its own trials are in the other

    def write(self, key: str, forecasts: OutOfFold) -> None:
        self.here.write(key, forecasts)

    def read(self, key: str) -> OutOfFold:
        return self.here.read(key)

    def has(self, key: str) -> bool:
        return self.here.has(key)

    def keys(self) -> list[str]:
        return self.here.keys()

    def record(self, trials: Iterable[Trial]) -> None:
        before = [] if self._entered else self.here.trials()
        self.ledger.record([*before, *trials])
        self._entered = True

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        return self.ledger.trials(symbols)

    def count(self, symbols: Iterable[str]) -> int:
        return self.ledger.count(symbols)

    def looks(self, trial_id: str) -> int:
        return self.ledger.looks(trial_id)

    def head(self) -> str:
        return self.ledger.head()

    def verify(self) -> None:
        self.here.verify()
        self.ledger.verify()
