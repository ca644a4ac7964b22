"""What runs leave behind, as a contract: out-of-fold forecasts and the ledger of trials."""

from __future__ import annotations

import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl

from barstack.core.arrays import Ints
from barstack.core.clock import timestamp
from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError
from barstack.core.forecast import Forecast, Target
from barstack.core.times import DecidedAt, TrainedThrough

from ._bar_prints import BarPrint, checked, part_keys, to_contents

EMPTY_HEAD = "0" * 64  # of a ledger without trials


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Forecasts of rows that the model was not trained on.

    Attributes
    ----------
    forecast
        The forecasts, n_rows of them.
    fold
        (n_rows,) number of the test fold that each row belongs to; folds are in time order.
    """

    forecast: Forecast
    fold: Ints


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One look: a configuration judged at one horizon on one state of the data.

    The same configuration on the very same data is the same trial however often it is run. On
    data that have grown or changed it is another: whoever looks again each time that bars arrive
    would otherwise find a lucky result sooner or later.

    Attributes
    ----------
    id
        Content id of the configuration.
    data
        Content id of the bars and series that it was judged on.
    name, horizon
        Of the forecaster, for people.
    symbols
        What it was judged on.
    first_at, last_at
        First and last decision that it was judged by, UTC.
    forecasts
        Key of its out-of-fold forecasts; None where they were not stored.
    recorded_at
        When the store first received it, UTC; set by the store.
    bars
        Key of what the store keeps of its bars, by which they are recognised under another name;
        "" where nothing is kept.
    kind
        "trial"; "plan", which was registered before trials and is none; or "opening" of a sealed
        holdout, which is one.
    note
        Of a plan or an opening: what was registered, or who opened, as JSON.
    """

    id: str
    data: str
    name: str
    horizon: str
    symbols: tuple[str, ...]
    first_at: str
    last_at: str
    forecasts: str | None = None
    recorded_at: str = ""
    bars: str = ""
    kind: Literal["trial", "plan", "opening"] = "trial"
    note: str = ""


# Fields that a trial did not have at first. Where they are as they were then, hashes are too.
LATER = {"bars": "", "kind": "trial", "note": ""}


@dataclass(frozen=True)
class Anchor:
    """The state of a ledger at one time: whoever keeps it can tell when rows were removed.

    Attributes
    ----------
    ledger
        Which: "runs" for that of a folder of runs, "server", or "user".
    rows
        Number of rows.
    head
        Hash of the newest row, and so of all before it.
    since
        When the first row was recorded, UTC; "" of an empty ledger.

    >>> from barstack.tracking import MemoryStore
    >>> MemoryStore().anchor().rows
    0
    """

    ledger: str
    rows: int
    head: str
    since: str


class Store(ABC):
    """Out-of-fold forecasts by key, and a ledger of all trials ever made.

    Values are plain: a store knows nothing of studies or models. Every store keeps these promises,
    which the checks in `barstack.testing` verify.

    Immutability
        What is written under a key, and a recorded trial, never changes. The first writer wins:
        writing a key or recording a trial again is no error and has no effect. Only forecasts that
        are found damaged are replaced.
    Threads and processes
        One store may be used by several threads at once. A store that keeps files or uses a
        server may also be opened by several processes at once; nothing may be shared but its
        address.
    Consistency
        A reader sees a write entirely or not at all. `record` enters all its trials together. Once
        `write` or `record` has returned, every reader sees the result.
    Durability
        Of a store that outlasts its process: what `write` or `record` has returned from survives
        the end of any process, SIGKILL included; trials also survive a power failure. Forecasts
        that a power failure damages are noticed by `read`, and can be made again.
    Ledger
        Trials are kept in the order in which they were recorded. Each holds the hash of the one
        before it, so that none can be changed or removed without `verify` noticing. Recording only
        trials that are known needs no permission to write.
    Bars
        Beside trials the ledger keeps prints of their bars, so that an instrument is recognised
        under another name. What a trial's `bars` names, `verify` misses.

    Methods raise `StorageError` when what is stored cannot be used, and `ConfigError` for a key
    that is not a file name.
    """

    @abstractmethod
    def write(self, key: str, forecasts: OutOfFold) -> None:
        """Store forecasts under a key, unless it has some."""

    @abstractmethod
    def read(self, key: str) -> OutOfFold:
        """Forecasts equal to those written; `StorageError` when there are none or are damaged."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Every key with forecasts, sorted."""

    def has(self, key: str) -> bool:
        """Whether there are forecasts under a key; `read` checks that they are undamaged."""
        return key in self.keys()

    @abstractmethod
    def record(self, trials: Iterable[Trial]) -> None:
        """Enter trials in the ledger, in this order, but for those of a known (id, data)."""

    @abstractmethod
    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        """Trials made on any of the symbols, or all, in the order of the ledger."""

    def count(self, symbols: Iterable[str]) -> int:
        """Number of trials made on any of the symbols: looks at them, all configurations."""
        return len(self.trials(symbols))

    def looks(self, trial_id: str) -> int:
        """Number of different states of the data on which one configuration was judged."""
        return sum(trial.id == trial_id for trial in self.trials())

    @abstractmethod
    def head(self) -> str:
        """Hash of the newest trial and so of all before it; changes with every new trial."""

    @abstractmethod
    def verify(self) -> None:
        """Recompute the chain of hashes; `StorageError` names the first row that was changed."""

    @abstractmethod
    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Store bytes of bars, each by a key made of its content, unless they are there."""

    @abstractmethod
    def kept(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Bytes of bars by key, of those keys that there are."""

    def keep_bars(self, prints: Mapping[str, BarPrint]) -> str:
        """Keep prints of bars by symbol; their key, for `Trial.bars`."""
        key, contents = to_contents(prints)
        self.keep(contents)
        return key

    def bars(self, key: str) -> dict[str, BarPrint]:
        """Prints by symbol; `StorageError` where they are missing or not what was kept."""
        index = self.kept([key])
        checked(index, {key}, "of trials")
        parts = part_keys(index[key])
        wanted = {each for own in parts.values() for each in own}
        contents = self.kept(wanted)
        checked(contents, wanted, "of trials")
        return {
            symbol: BarPrint.from_parts([contents[each] for each in own])
            for symbol, own in parts.items()
        }

    def anchor(self) -> Anchor:
        """The state of the ledger now."""
        trials = self.trials()
        since = trials[0].recorded_at if trials else ""
        return Anchor("runs", len(trials), self.hashes()[-1], since)

    def ledgers(self) -> dict[str, Store]:
        """The ledgers behind this store by name, each one chain: see `Anchor.ledger`."""
        return {"runs": self}

    def hashes(self) -> list[str]:
        """Heads that the ledger has had, oldest first, that of the empty one included."""
        found = [EMPTY_HEAD]
        for trial in self.trials():
            found.append(link(found[-1], trial))
        return found

    def _check_bars(self, keys: set[str], where: str) -> None:
        """`StorageError` where bars of trials are missing or not what was kept."""
        indices = self.kept(keys)
        checked(indices, keys, where)
        wanted = {p for each in indices.values() for own in part_keys(each).values() for p in own}
        checked(self.kept(wanted), wanted, where)


def check_key(key: str) -> str:
    """The key, if it can be a file name; otherwise `ConfigError`."""
    if not key or key.startswith(".") or any(each in key for each in "/\\\0:"):
        raise ConfigError(
            f"{key!r} is not a key of forecasts. Use a name that a file can have: no slash, "
            "backslash or colon, and no dot in front."
        )
    return key


def stamped(trial: Trial) -> Trial:
    """The trial as received now."""
    return replace(trial, recorded_at=timestamp())


def link(predecessor: str, trial: Trial) -> str:
    """Hash of a trial in the ledger, given that of the trial before it."""
    own = {
        name: value
        for name, value in asdict(trial).items()
        if name not in LATER or LATER[name] != value
    }
    content = json.dumps(own, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{predecessor}\n{content}".encode()).hexdigest()


def to_bytes(forecasts: OutOfFold) -> bytes:
    """Forecasts as a parquet file: one column per number, the rest in its metadata."""
    forecast = forecasts.forecast
    about = {
        **forecast.target.to_json(),
        "kind": forecast.kind,
        "symbols": forecast.decisions.symbols,
    }
    columns: dict[str, Any] = forecast.columns() | {"fold": forecasts.fold}
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer, metadata={"barstack": json.dumps(about)})
    return buffer.getvalue()


def from_bytes(content: bytes) -> OutOfFold:
    """Inverse of `to_bytes`."""
    about = json.loads(pl.read_parquet_metadata(io.BytesIO(content))["barstack"])
    table = pl.read_parquet(io.BytesIO(content))
    target = Target.from_json(about)
    symbols = tuple(about["symbols"])
    codes = table["symbol"].cast(pl.Enum(symbols)).to_physical().to_numpy().astype(np.int32)
    values = table.select(target.columns).to_numpy()
    forecast = Forecast(
        Decisions(symbols, codes, DecidedAt(table["decided_at"].to_numpy())),
        target,
        values.reshape(len(table), len(target.horizons), len(target.outputs)),
        TrainedThrough(table["trained_through"].to_numpy()),
        about["kind"],
    )
    return OutOfFold(forecast, table["fold"].to_numpy())
