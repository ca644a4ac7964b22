"""Reading a source whole, without a catalog: for sources that are stores themselves."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from barstack.core.errors import ConfigError, DataError, SourceError
from barstack.core.progress import Progress
from barstack.core.times import DAY_US, iso

from ..catalog import Collection
from ._answers import answers, no_bars
from ._paged import PagedProvider, Stretch, missing, whole_days
from ._retry import Asker, Interrupted, Patience, Tries


@dataclass
class FetchedSymbol:
    """What was asked for one symbol and what arrived.

    asked       stretches that were missing, microseconds UTC; empty when nothing was
    pages       answers stored
    new, same, revised  bars that were not there, were there already, were replaced
    disordered  pages whose rows came out of order and were sorted
    repeats     rows that said again what another row of the page had said, dropped
    tries       requests, retries and seconds waited
    error       why it could not be finished, in a sentence; None when it was
    """

    asked: list[Stretch] = field(default_factory=list)
    pages: int = 0
    new: int = 0
    same: int = 0
    revised: int = 0
    disordered: int = 0
    repeats: int = 0
    tries: Tries = field(default_factory=Tries)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        plain: dict[str, Any] = asdict(self)
        counts: dict[str, Any] = plain.pop("tries")
        plain["asked"] = [[_iso(begin), _iso(end)] for begin, end in self.asked]
        return plain | counts


@dataclass
class Fetched:
    """What `fetch` did, for each symbol in the order asked; kept in collection `collection`."""

    collection: str
    symbols: dict[str, FetchedSymbol]

    @property
    def errors(self) -> dict[str, str]:
        """Sentences of the symbols that could not be finished."""
        return {name: each.error for name, each in self.symbols.items() if each.error}

    @property
    def new(self) -> int:
        """Bars that were not there before, of all symbols."""
        return sum(each.new for each in self.symbols.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        symbols = {name: each.to_json() for name, each in self.symbols.items()}
        return {"collection": self.collection, "symbols": symbols}


def _iso(time_us: int) -> str:
    return iso(np.datetime64(time_us, "us"))


_PATIENCE_AT_THE_END_S = 1.0
Event = int | str | Exception | None


class Workers:
    """Symbols still to fetch, and the threads that do.

    events  a number: microseconds of a stretch that are done; a text: a note for the user; an
            exception that no symbol is to blame for; None: a thread has ended
    alive   threads at work
    """

    def __init__(
        self,
        remote: PagedProvider,
        collection: Collection,
        todo: Mapping[str, FetchedSymbol],
        again: bool,
        patience: Patience,
    ) -> None:
        self._remote = remote
        self._collection = collection
        self._again = again
        self._todo: queue.SimpleQueue[tuple[str, FetchedSymbol]] = queue.SimpleQueue()
        for item in todo.items():
            self._todo.put(item)
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._asker = Asker(patience, remote.fault, self.events.put, remote.secrets())
        self._connecting = threading.Lock()
        self._client: Any = None
        self._refused: SourceError | None = None
        self.alive = 0

    def heard(self) -> Event:
        """The next event, as soon as there is one."""
        while True:
            # polars lets interrupted waits go on, so only one that ends by itself hears Ctrl-C.
            with suppress(queue.Empty):
                return self.events.get(timeout=0.1)

    @contextmanager
    def begun(self, count: int) -> Iterator[None]:
        """The threads at work; on leaving, also by Ctrl-C, they end at their next step."""
        if count < 1:
            raise ConfigError(f"workers must be 1 or more, got {count}.")
        # Daemons: one that hangs in a request must not hold up the end of the program. What it
        # would still have stored is whole or absent, and asked for again.
        threads = [
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(count, self._todo.qsize()))
        ]
        self.alive = len(threads)
        try:
            for thread in threads:
                thread.start()
            yield
        finally:
            self._asker.end()
            by_s = time.monotonic() + _PATIENCE_AT_THE_END_S
            for thread in threads:
                thread.join(max(0.0, by_s - time.monotonic()))
            if self._client is not None:
                self._remote.disconnect(self._client)

    def _work(self) -> None:
        try:
            while True:
                symbol, fetched = self._todo.get_nowait()
                try:
                    self._fetch(symbol, fetched)
                except ConfigError:
                    raise
                except (DataError, SourceError) as error:
                    fetched.error = str(error)
        except (queue.Empty, Interrupted):
            pass
        except Exception as error:  # noqa: BLE001 (raised again by the one who waits)
            self.events.put(error)
        finally:
            self.events.put(None)

    def _fetch(self, symbol: str, fetched: FetchedSymbol) -> None:
        client = self._connected()
        for stretch in fetched.asked:
            history = [no_bars()]
            for answer in answers(
                self._remote, client, self._asker, symbol, stretch, fetched.tries
            ):
                fetched.pages += 1
                fetched.disordered += answer.disordered
                fetched.repeats += answer.repeats
                if self._again:
                    history.append(answer.table)
                else:
                    self._keep(symbol, answer.table, answer.stretch, fetched)
                self.events.put(answer.stretch[1] - answer.stretch[0])
            if self._again:
                # All at once: a source that has adjusted its prices for a split has done so
                # throughout, and half a revised history would look like a crash.
                self._keep(symbol, pl.concat(history), stretch, fetched)

    def _keep(
        self, symbol: str, table: pl.DataFrame, covered: Stretch, fetched: FetchedSymbol
    ) -> None:
        added = self._collection.add(symbol, table, covered=covered, revise=self._again)
        fetched.new += added.new
        fetched.same += added.same
        fetched.revised += added.revised

    def _connected(self) -> Any:
        """The client that all threads use, made by the first."""
        with self._connecting:
            if self._client is None and self._refused is None:
                connect = partial(self._remote.connect, self._asker.patience.timeout_s)
                try:
                    self._client = self._asker.ask(connect, self._remote.name, Tries())
                except SourceError as error:
                    self._refused = error
        if self._refused is not None:
            raise self._refused
        return self._client


def fetch(
    remote: PagedProvider,
    collection: Collection,
    progress: Progress | None = None,
    *,
    again: bool = False,
    workers: int = 4,
    patience: Patience | None = None,
    now_us: int | None = None,
) -> Fetched:
    """Ask `remote` for what `collection` does not cover, and keep each page as it arrives.

    again     ask for everything, and put what differs in the place of what is stored
    workers   symbols asked for at the same time
    patience  how often and how long to try
    now_us    the moment of asking; a bar that is still forming then is neither stored nor counted
              as asked for

    A symbol whose source fails is reported in `Fetched.errors`; the others go on. When nothing
    is missing no client is made. Raises `ConfigError` for wrong settings and missing
    credentials. May be interrupted anywhere: the same call continues.
    """
    progress = progress or Progress()
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    wanted = remote.wanted(now_us)
    _check_clock(remote, collection, wanted, now_us)
    fetched = Fetched(collection.name, {symbol: FetchedSymbol() for symbol in remote.symbols})
    for symbol, each in fetched.symbols.items():
        each.asked = missing(wanted, [] if again else collection.covered(symbol))
    todo = {symbol: each for symbol, each in fetched.symbols.items() if each.asked}
    if not todo:
        return fetched
    stretches = [stretch for each in todo.values() for stretch in each.asked]
    done_us = done_days = 0
    work = Workers(remote, collection, todo, again, patience or Patience())
    with progress.step("days fetched", total=whole_days(stretches)) as step, work.begun(workers):
        while work.alive:
            event = work.heard()
            if event is None:
                work.alive -= 1
            elif isinstance(event, Exception):
                raise event
            elif isinstance(event, str):
                step.note(event)
            else:
                done_us += event
                step.advance(done_us // DAY_US - done_days)
                done_days = done_us // DAY_US
    return fetched


def _check_clock(
    remote: PagedProvider, collection: Collection, wanted: Stretch, now_us: int
) -> None:
    """`ConfigError` where nothing can be asked for because now lies before what is known."""
    now = iso(np.datetime64(now_us, "us"))
    if wanted[0] > wanted[1]:
        raise ConfigError(
            f"{remote.name}: no bar of {remote.bar} from {remote.start} on is complete at {now}, "
            "which is what this machine's clock says. Set an earlier start, or the clock right."
        )
    for symbol in remote.symbols:
        covered = collection.covered(symbol)
        if covered and covered[-1][1] > now_us + DAY_US:
            known = iso(np.datetime64(covered[-1][1], "us"))
            raise ConfigError(
                f"This machine's clock says {now}, and {symbol} was fetched through {known} "
                "before. The clock has been set back: set it right, and fetch again."
            )


def read_directly(
    remote: PagedProvider, patience: Patience | None = None
) -> dict[str, pl.DataFrame]:
    """All bars of `remote` by symbol, in the form that is stored; errors as those of `fetch`."""
    patience = patience or Patience()
    asker = Asker(patience, remote.fault, lambda text: None, remote.secrets())
    client = asker.ask(partial(remote.connect, patience.timeout_s), remote.name, Tries())
    try:
        wanted = remote.wanted(time.time_ns() // 1000)
        return {
            symbol: pl.concat(
                answer.table for answer in answers(remote, client, asker, symbol, wanted, Tries())
            )
            for symbol in remote.symbols
        }
    finally:
        remote.disconnect(client)
