"""Fetch what a collection lacks: several symbols at once, each page stored as it arrives."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import polars as pl

from barstack.core.errors import ConfigError, DataError, SourceError
from barstack.core.progress import Progress
from barstack.core.times import DAY_US, iso

from ..catalog import Collection, TimeRange
from ._answers import answers, no_bars
from ._paged import PagedProvider
from ._retry import RequestCounts, Requester, RetryPolicy, Stopped

_SHUTDOWN_S = 1.0
Event = int | str | Exception | None


@dataclass
class FetchedSymbol:
    """What was requested for one symbol and what arrived.

    missing     ranges that were requested, microseconds UTC; empty when nothing was missing
    pages       answers stored
    new, same, revised  bars that were new, stored already, replaced
    disordered  pages whose rows came out of order and were sorted
    repeats     rows that equal another row of their page, dropped
    counts      requests, retries and seconds waited
    error       why it could not be finished, in a sentence; None when it was
    """

    missing: list[TimeRange] = field(default_factory=list)
    pages: int = 0
    new: int = 0
    same: int = 0
    revised: int = 0
    disordered: int = 0
    repeats: int = 0
    counts: RequestCounts = field(default_factory=RequestCounts)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        plain: dict[str, Any] = asdict(self)
        ranges = [[iso(begin), iso(end)] for begin, end in plain.pop("missing")]
        counts: dict[str, Any] = plain.pop("counts")
        return {"asked": ranges} | plain | counts


@dataclass
class Fetched:
    """The result of `fetch` for each symbol, in the order requested, in collection `collection`."""

    collection: str
    symbols: dict[str, FetchedSymbol]

    @property
    def errors(self) -> dict[str, str]:
        """Sentences of the symbols that could not be finished."""
        return {name: each.error for name, each in self.symbols.items() if each.error}

    @property
    def new(self) -> int:
        """New bars of all symbols."""
        return sum(each.new for each in self.symbols.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        symbols = {name: each.to_json() for name, each in self.symbols.items()}
        return {"collection": self.collection, "symbols": symbols}


def missing_ranges(wanted: TimeRange, covered: list[TimeRange]) -> list[TimeRange]:
    """The parts of `wanted` that no range of `covered` (sorted and disjoint) holds.

    >>> missing_ranges((0, 10), [(2, 4), (8, 12)])
    [(0, 2), (4, 8)]
    """
    found, at = [], wanted[0]
    for begin, end in covered:
        if begin >= wanted[1]:
            break
        if begin > at:
            found.append((at, begin))
        at = max(at, end)
    if at < wanted[1]:
        found.append((at, wanted[1]))
    return found


def fetch(
    provider: PagedProvider,
    collection: Collection,
    progress: Progress | None = None,
    *,
    again: bool = False,
    workers: int = 4,
    policy: RetryPolicy | None = None,
    now_us: int | None = None,
) -> Fetched:
    """Request from a source what `collection` does not cover, and store each page as it arrives.

    Parameters
    ----------
    again
        Request everything, and replace stored bars that differ.
    workers
        Symbols requested at the same time.
    policy
        How often and how long to try.
    now_us
        The current time; a bar that is still forming then is neither stored nor covered.

    A symbol whose source fails is reported in `Fetched.errors`; the others go on. When nothing
    is missing no client is made. Raises `ConfigError` for wrong settings and missing
    credentials. May be interrupted at any time: the same call continues.
    """
    progress = progress or Progress()
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    wanted = provider.wanted(now_us)
    _check_clock(provider, collection, wanted, now_us)
    fetched = Fetched(collection.name, {symbol: FetchedSymbol() for symbol in provider.symbols})
    for symbol, each in fetched.symbols.items():
        each.missing = missing_ranges(wanted, [] if again else collection.covered(symbol))
    todo = {symbol: each for symbol, each in fetched.symbols.items() if each.missing}
    if not todo:
        return fetched
    total_us = sum(end - begin for each in todo.values() for begin, end in each.missing)
    done_us = done_days = 0
    work = _Workers(provider, collection, todo, again, policy or RetryPolicy())
    with progress.step("days fetched", total=-(-total_us // DAY_US)) as step, work.started(workers):
        for event in work.events():
            if isinstance(event, str):
                step.note(event)
            else:
                done_us += event
                step.advance(done_us // DAY_US - done_days)
                done_days = done_us // DAY_US
    return fetched


def read_directly(
    provider: PagedProvider, policy: RetryPolicy | None = None
) -> dict[str, pl.DataFrame]:
    """All bars of a source by symbol, in the stored form, without a catalog; errors as `fetch`."""
    policy = policy or RetryPolicy()
    requester = Requester(policy, provider.fault, lambda text: None, provider.secrets())
    connect = partial(provider.connect, policy.timeout_s)
    client = requester.request(connect, provider.name, RequestCounts())
    try:
        wanted = provider.wanted(time.time_ns() // 1000)
        return {
            symbol: pl.concat(
                answer.table
                for answer in answers(provider, client, requester, symbol, wanted, RequestCounts())
            )
            for symbol in provider.symbols
        }
    finally:
        provider.disconnect(client)


def _check_clock(
    provider: PagedProvider, collection: Collection, wanted: TimeRange, now_us: int
) -> None:
    """`ConfigError` where nothing can be requested because now lies before what is known."""
    if wanted[0] > wanted[1]:
        raise ConfigError(
            f"{provider.name}: no bar of {provider.bar} from {provider.start} on is complete at "
            f"{iso(now_us)}, which is what this machine's clock says. Set an earlier start, or the "
            "clock right."
        )
    for symbol in provider.symbols:
        covered = collection.covered(symbol)
        if covered and covered[-1][1] > now_us + DAY_US:
            raise ConfigError(
                f"This machine's clock says {iso(now_us)}, and {symbol} was fetched through "
                f"{iso(covered[-1][1])} before. The clock has been set back: set it right, and "
                "fetch again."
            )


class _Workers:
    """Threads that fetch one symbol each, and the events they report.

    Not a pool of concurrent.futures: that waits for its threads when the program ends, and one that
    hangs in a request would hold it up.
    """

    def __init__(
        self,
        provider: PagedProvider,
        collection: Collection,
        todo: Mapping[str, FetchedSymbol],
        again: bool,
        policy: RetryPolicy,
    ) -> None:
        self._provider = provider
        self._collection = collection
        self._again = again
        self._todo: queue.SimpleQueue[tuple[str, FetchedSymbol]] = queue.SimpleQueue()
        for item in todo.items():
            self._todo.put(item)
        # Microseconds done; a note for the user; an error of no single symbol; None: thread ended.
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._requester = Requester(policy, provider.fault, self._events.put, provider.secrets())
        self._connecting = threading.Lock()
        self._client: Any = None
        self._refused: SourceError | None = None
        self._running = 0

    def events(self) -> Iterator[int | str]:
        """Events until every thread has ended; raises an error that no symbol is to blame for."""
        while self._running:
            # polars blocks interrupts of endless waits: only one that times out sees Ctrl-C.
            with suppress(queue.Empty):
                event = self._events.get(timeout=0.1)
                if isinstance(event, Exception):
                    raise event
                if event is None:
                    self._running -= 1
                else:
                    yield event

    @contextmanager
    def started(self, count: int) -> Iterator[None]:
        """The threads at work; on leaving, also by Ctrl-C, they end at their next step."""
        if count < 1:
            raise ConfigError(f"workers must be 1 or more, got {count}.")
        self._running = min(count, self._todo.qsize())
        # What a daemon would still have stored is whole or absent, and requested again.
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self._running)]
        try:
            for thread in threads:
                thread.start()
            yield
        finally:
            self._requester.stop()
            by_s = time.monotonic() + _SHUTDOWN_S
            for thread in threads:
                thread.join(max(0.0, by_s - time.monotonic()))
            if self._client is not None:
                self._provider.disconnect(self._client)

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
        except (queue.Empty, Stopped):
            pass
        except Exception as error:  # noqa: BLE001 (raised again by `events`)
            self._events.put(error)
        finally:
            self._events.put(None)

    def _fetch(self, symbol: str, fetched: FetchedSymbol) -> None:
        client = self._connected()
        for wanted in fetched.missing:
            history = [no_bars()]
            for answer in answers(
                self._provider, client, self._requester, symbol, wanted, fetched.counts
            ):
                fetched.pages += 1
                fetched.disordered += answer.disordered
                fetched.repeats += answer.repeats
                if self._again:
                    history.append(answer.table)
                else:
                    self._store(symbol, answer.table, answer.queried, fetched)
                self._events.put(answer.queried[1] - answer.queried[0])
            if self._again:
                # All at once: a source that has adjusted its prices for a split has done so
                # throughout, and a partly revised history would look like a crash.
                self._store(symbol, pl.concat(history), wanted, fetched)

    def _store(
        self, symbol: str, table: pl.DataFrame, covered: TimeRange, fetched: FetchedSymbol
    ) -> None:
        added = self._collection.add(symbol, table, covered=covered, revise=self._again)
        fetched.new += added.new
        fetched.same += added.same
        fetched.revised += added.revised

    def _connected(self) -> Any:
        """The client that all threads use, made by the first."""
        with self._connecting:
            if self._client is None and self._refused is None:
                connect = partial(self._provider.connect, self._requester.policy.timeout_s)
                try:
                    self._client = self._requester.request(
                        connect, self._provider.name, RequestCounts()
                    )
                except SourceError as error:
                    self._refused = error
        if self._refused is not None:
            raise self._refused
        return self._client
