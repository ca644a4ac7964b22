"""The store and the tracker of a folder of runs: in the folder, or on a team's server."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from barstack.core.errors import ConfigError

from ._bar_prints import part_keys
from ._postgres import PostgresStore
from ._sqlite import SqliteStore
from ._store import Anchor, OutOfFold, Store, Trial
from ._tracker import ADDRESS, ExperimentTracker

USER_LEDGER = "BARSTACK_LEDGER"  # a folder; or "off"
_OFF = "off"


def user_ledger_folder() -> Path | None:
    """Folder of the ledger of all that this user has tried, in whatever folder of runs.

    It is $BARSTACK_LEDGER, by default `.barstack` in the user's home; None where it is "off".

    >>> import os
    >>> os.environ[USER_LEDGER] = "off"
    >>> user_ledger_folder() is None
    True
    """
    given = os.environ.get(USER_LEDGER, "")
    if given.strip().lower() == _OFF:
        return None
    try:
        return Path(given).expanduser() if given else Path.home() / ".barstack"
    except RuntimeError as error:  # a user without a home
        raise ConfigError(
            f"There is no folder for the ledger of all that was tried: {error} Name one with "
            f"${USER_LEDGER}, or set it to {_OFF}, which verdicts then say."
        ) from error


def open_store(runs: Path | str, *, user: bool = True) -> Store:
    """The store of a folder of runs; with $BARSTACK_TRACKING the ledger is the server's.

    Trials are entered in the user's own ledger too, so that those of other folders count.

    runs  a folder, or the address of a server
    user  False for made-up bars, which are nobody's trials; verdicts say so

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_store(folder).keys()
    []
    """
    store: Store
    if isinstance(runs, str) and "://" in runs:
        store = PostgresStore(runs)
    else:
        store = SqliteStore(Path(runs))
        if address := os.environ.get(ADDRESS):
            store = SharedLedgerStore(store, PostgresStore(address))
    folder = user_ledger_folder() if user else None
    if folder is None or (
        isinstance(runs, Path | str) and Path(runs).resolve() == folder.resolve()
    ):
        return store
    return UserLedgerStore(store, SqliteStore(folder))


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
        _copy_bars(self.here, self.ledger, before)
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

    def keep(self, contents: Mapping[str, bytes]) -> None:
        self.ledger.keep(contents)

    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        return _from_either(self.ledger, self.here, keys)

    def anchor(self) -> Anchor:
        return self.ledger.anchor()

    def ledgers(self) -> dict[str, Store]:
        return self.ledger.ledgers()


class UserLedgerStore(Store):
    """A store whose trials are entered in the user's own ledger too, and counted from both.

    What was tried in one folder of runs thereby counts in every other, and deleting a folder
    forgets nothing.

    store  keeps forecasts, and has a ledger of its own, whose chain is `head` and `verify`
    user   the user's ledger

    >>> from barstack.testing import made_up_trial
    >>> from barstack.tracking import MemoryStore
    >>> user = MemoryStore()
    >>> UserLedgerStore(MemoryStore(), user).record([made_up_trial(0)])
    >>> len(UserLedgerStore(MemoryStore(), user).trials())
    1
    """

    def __init__(self, store: Store, user: Store) -> None:
        self.store, self.user = store, user
        self._entered = False  # whether the store's own trials are in the user's ledger

    def write(self, key: str, forecasts: OutOfFold) -> None:
        self.store.write(key, forecasts)

    def read(self, key: str) -> OutOfFold:
        return self.store.read(key)

    def has(self, key: str) -> bool:
        return self.store.has(key)

    def keys(self) -> list[str]:
        return self.store.keys()

    def record(self, trials: Iterable[Trial]) -> None:
        received = list(trials)
        before = [] if self._entered else self._not_entered()
        _copy_bars(self.store, self.user, before)
        self.user.record([*before, *received])
        self.store.record(received)
        self._entered = True

    def _not_entered(self) -> list[Trial]:
        """The store's trials, where they were not all entered as they were recorded."""
        own = self.store.trials()
        entered = {(trial.id, trial.data) for trial in self.user.trials()}
        return [trial for trial in own if (trial.id, trial.data) not in entered]

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        wanted = None if symbols is None else list(symbols)
        found = {(trial.id, trial.data): trial for trial in self.store.trials(wanted)}
        for trial in self.user.trials(wanted):
            found.setdefault((trial.id, trial.data), trial)
        return list(found.values())

    def head(self) -> str:
        return self.store.head()

    def verify(self) -> None:
        self.store.verify()
        self.user.verify()

    def keep(self, contents: Mapping[str, bytes]) -> None:
        self.user.keep(contents)
        self.store.keep(contents)

    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        return _from_either(self.store, self.user, keys)

    def anchor(self) -> Anchor:
        return self.store.anchor()

    def hashes(self) -> list[str]:
        return self.store.hashes()

    def ledgers(self) -> dict[str, Store]:
        return self.store.ledgers() | {"user": self.user}


def _from_either(first: Store, second: Store, keys: Iterable[str]) -> dict[str, bytes]:
    wanted = set(keys)
    found = first.kept(wanted)
    missing = wanted - found.keys()
    return found | (second.kept(missing) if missing else {})


def _copy_bars(source: Store, target: Store, trials: Iterable[Trial]) -> None:
    """Keep the bars of trials in another ledger too."""
    indices = source.kept({trial.bars for trial in trials} - {""})
    parts = {p for index in indices.values() for own in part_keys(index).values() for p in own}
    target.keep(source.kept(parts) | indices)
