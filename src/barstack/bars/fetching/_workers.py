"""Threads that fetch one symbol each, and what they have to say to the one who waits for them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import polars as pl

from barstack.core.errors import ConfigError, DataError, SourceError

from ..catalog import Collection
from ._answers import answers, no_bars
from ._fetched import FetchedSymbol
from ._patience import Asker, Interrupted, Patience, Tries
from ._remote import Remote
from ._stretches import Stretch

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
        remote: Remote,
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
