"""Real processes that write into a catalog and are killed, and a look at what they leave.

A worker says what it begins to add, and what `add` has returned of: that is acknowledged. When it
is dead, everything acknowledged must be there once, and of all else either the whole or nothing.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from barstack.bars import Added, Catalog, Collection, Facts
from barstack.core.errors import BarstackError

ROOT = str(Path(__file__).parents[2])
STARTED = "started"
Truth = dict[str, pl.DataFrame]  # all rows that the source has, canonical, by symbol


class Telling(Collection):
    """A collection that says what is added to it, before and after."""

    def __init__(self, collection: Collection, said: Connection) -> None:
        super().__init__(collection.folder, collection.facts)
        self._said = said
        self._turn = threading.Lock()

    def add(
        self,
        symbol: str,
        table: pl.DataFrame,
        *,
        covered: tuple[int, int] | None = None,
        revise: bool = False,
    ) -> Added:
        stamps = stamps_of(table)
        what = symbol, stamps[:1].tolist(), stamps[-1:].tolist(), len(stamps), covered
        self._say("begin", *what)
        added = super().add(symbol, table, covered=covered, revise=revise)
        self._say("done", *what)
        return added

    def _say(self, *what: Any) -> None:
        with self._turn:
            self._said.send(what)


@dataclass
class Damage:
    """What a kill has done that it must not do.

    lost     acknowledged rows, or rows of a covered stretch, that are not there
    doubled  rows that are there twice
    half     rows that nobody finished adding, or that are not those of the source; parts or
             manifests that cannot be read
    """

    lost: int = 0
    doubled: int = 0
    half: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.lost + self.doubled + self.half


Moment = tuple[int, float]
Work = Callable[..., None]  # (catalog folder, collection name, said, *arguments)


class Killer:
    """Starts workers on one collection, kills them, and keeps account of what they acknowledged."""

    def __init__(self, folder: Path, name: str, facts: Facts, truth: Truth) -> None:
        self.folder, self.name, self.facts, self.truth = folder, name, facts, truth
        self.acknowledged = {symbol: np.zeros(len(table), bool) for symbol, table in truth.items()}
        self.covered: dict[str, list[tuple[int, int]]] = {symbol: [] for symbol in truth}
        self.adds_acknowledged = 0
        self.cut_short = 0  # kills that fell inside an add
        self.finished = 0  # workers that ended before they could be killed

    def kill_one(self, work: Work, after: Moment, *arguments: Any) -> Damage:
        """Let `work` begin, kill it, and look."""
        return self.look(self.said_by(work, after, *arguments))

    def said_by(self, work: Work, after: Moment | None, *arguments: Any) -> list[Any]:
        """All that a worker said until it ended, or was killed at a moment.

        after  (words, seconds): so long after it has said so much
        """
        words, seconds = after or (2**31, 0.0)
        hears, says = CONTEXT.Pipe(duplex=False)
        process = CONTEXT.Process(
            target=_run, args=(work, self.folder, self.name, self.facts, says, arguments)
        )
        process.start()
        says.close()
        said: list[Any] = []
        kill_at = float("inf")
        try:
            while True:
                if hears.poll(max(0.0, min(kill_at - time.monotonic(), 60.0))):
                    said.append(hears.recv())
                    if len(said) == words + 1:  # the first word is that it has started
                        kill_at = time.monotonic() + seconds
                elif time.monotonic() >= kill_at:
                    process.kill()
                    kill_at = float("inf")
        except EOFError:
            pass  # it is dead, and all that it said was heard
        process.join()
        self.finished += process.exitcode != -9
        if process.exitcode not in (0, -9):
            raise AssertionError(f"the worker failed with exit code {process.exitcode}")
        return said[1:]

    def look(self, said: list[Any]) -> Damage:
        """Compare what is there with what was said and with the source; what is there must stay."""
        begun = {}
        for word, *what in said:
            symbol, first, last, rows, covered = what
            begun[symbol] = None if word == "done" else (first, last, covered)
            if word == "done":
                self.adds_acknowledged += 1
                mask = self._between(symbol, first, last)
                assert mask.sum() == rows, "the worker added what the source does not have"
                self.acknowledged[symbol] |= mask
                self.covered[symbol] += [covered] if covered else []
        self.cut_short += any(each is not None for each in begun.values())
        damage = Damage()
        try:
            collection = Catalog(self.folder).create(self.name, self.facts)
            for symbol in self.truth:
                self._look_at(collection, symbol, begun.get(symbol), damage)
        except (BarstackError, pl.exceptions.PolarsError, OSError) as error:
            damage.half += 1
            damage.notes.append(repr(error))
        return damage

    def _look_at(self, collection: Collection, symbol: str, begun: Any, damage: Damage) -> None:
        must = self.acknowledged[symbol]
        if symbol not in collection.symbols():
            damage.lost += int(must.sum())
            return
        collection.verify(symbol)
        rows = collection.scan([symbol]).collect()
        found, truth = stamps_of(rows), self.truth[symbol]
        known = stamps_of(truth)
        there = np.isin(known, found)
        damage.doubled += len(found) - len(np.unique(found))
        damage.half += int((~np.isin(found, known)).sum())
        right = rows.unique("timestamp").select(truth.columns).sort("timestamp")
        right = right.filter(pl.col("timestamp").is_in(truth["timestamp"].implode()))
        damage.half += int((right != truth.filter(there)).max_horizontal().sum())
        damage.lost += int((must & ~there).sum())
        extra = there & ~must
        if begun is not None:  # it may be there, but as a whole
            whole = self._between(symbol, *begun[:2]) & ~must
            if (extra == whole).all():
                extra[:] = False
        damage.half += int(extra.sum())
        spans = collection.covered(symbol)
        for begin, end in spans:
            damage.lost += int(((known >= begin) & (known < end) & ~there).sum())
        for begin, end in self.covered[symbol]:
            damage.lost += not any(a <= begin and end <= b for a, b in spans)
        if damage.total:
            damage.notes.append(f"{symbol}: {damage}")
        self.acknowledged[symbol] = there

    def _between(self, symbol: str, first: list[int], last: list[int]) -> npt.NDArray[np.bool_]:
        stamps = stamps_of(self.truth[symbol])
        if not first:
            return np.zeros(len(stamps), bool)
        return (stamps >= first[0]) & (stamps <= last[0])


def stamps_of(table: pl.DataFrame) -> npt.NDArray[np.int64]:
    return table["timestamp"].to_physical().to_numpy()


def _run(
    work: Work, folder: Path, name: str, facts: Facts, says: Connection, arguments: tuple[Any, ...]
) -> None:
    says.send(STARTED)
    collection = Telling(Catalog(folder).create(name, facts), says)
    work(collection, *arguments)


def walk_of(rows: int, seed: int, start_us: int, length_us: int) -> pl.DataFrame:
    """A canonical table of a random walk, fast to make."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(1e-3 * rng.standard_normal(rows)))
    opening = np.concatenate([[100.0], close[:-1]])
    stamps = start_us + length_us * np.arange(rows)
    return pl.DataFrame(
        {
            "timestamp": pl.Series(stamps).cast(pl.Datetime("us", "UTC")),
            "open": opening,
            "high": np.maximum(opening, close),
            "low": np.minimum(opening, close),
            "close": close,
            "volume": rng.integers(0, 1000, rows).astype(float),
        }
    )


def add_pieces(collection: Collection, truth: Truth, seed: int, longest: int) -> None:
    """Work: add pieces of the truth in any order, overlapping, until all of it is there."""
    rng = np.random.default_rng(seed)
    for symbol, table in truth.items():
        starts = rng.permutation(np.arange(0, len(table), longest // 2))
        for start in starts.tolist():
            collection.add(symbol, table[start : start + int(rng.integers(longest // 2, longest))])


# A server that has imported everything and forks: a worker starts in a tenth of a second.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["barstack.bars"])
if ROOT not in sys.path:  # workers find this module by its name
    sys.path.append(ROOT)
