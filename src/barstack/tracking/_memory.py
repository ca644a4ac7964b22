"""A store that ends with its process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock

from barstack.core.errors import StorageError

from ._store import (
    EMPTY_HEAD,
    OutOfFold,
    Store,
    Trial,
    check_key,
    from_bytes,
    link,
    stamped,
    to_bytes,
)


class MemoryStore(Store):
    """Forecasts and trials in memory: for examples, tests and runs that leave nothing behind.

    >>> store = MemoryStore()
    >>> trial = Trial(
    ...     id="a", data="bars", name="ridge", horizon="1h", symbols=("SPY",),
    ...     first_at="2026-01-05", last_at="2026-02-05",
    ... )
    >>> store.record([trial, trial])
    >>> store.count(["SPY", "QQQ"]), store.count(["QQQ"]), store.looks("a")
    (1, 0, 1)
    """

    def __init__(self) -> None:
        self._forecasts: dict[str, bytes] = {}  # encoded, so that no caller can change an array
        self._trials: dict[tuple[str, str], Trial] = {}
        self._hashes: list[str] = []
        self._bars: dict[str, bytes] = {}
        self._lock = Lock()

    def write(self, key: str, forecasts: OutOfFold) -> None:
        self._forecasts.setdefault(check_key(key), to_bytes(forecasts))

    def read(self, key: str) -> OutOfFold:
        if key not in self._forecasts:
            raise StorageError(f"No forecasts are stored under {key!r}. Run the study again.")
        return from_bytes(self._forecasts[key])

    def keys(self) -> list[str]:
        return sorted(self._forecasts)

    def record(self, trials: Iterable[Trial]) -> None:
        received = list(trials)
        with self._lock:
            for trial in received:
                if (trial.id, trial.data) not in self._trials:
                    entered = stamped(trial)
                    self._trials[trial.id, trial.data] = entered
                    self._hashes.append(link(self._head(), entered))

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        with self._lock:
            found = list(self._trials.values())
        if symbols is None:
            return found
        wanted = set(symbols)
        return [trial for trial in found if not wanted.isdisjoint(trial.symbols)]

    def head(self) -> str:
        with self._lock:
            return self._head()

    def verify(self) -> None:
        with self._lock:
            before = EMPTY_HEAD
            for row, (trial, stored) in enumerate(
                zip(self._trials.values(), self._hashes, strict=True), 1
            ):
                before = link(before, trial)
                if before != stored:
                    raise StorageError(f"Row {row} of the ledger of trials was changed.")

            trials = list(self._trials.values())
        self._check_bars({trial.bars for trial in trials} - {""}, "in memory")

    def keep(self, contents: Mapping[str, bytes]) -> None:
        for key, content in contents.items():
            self._bars.setdefault(key, content)

    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        return {key: self._bars[key] for key in keys if key in self._bars}

    def _head(self) -> str:
        return self._hashes[-1] if self._hashes else EMPTY_HEAD
