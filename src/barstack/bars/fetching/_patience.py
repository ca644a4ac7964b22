"""How often and how long to try: one policy for every source, in place of each client's own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from barstack.core.errors import BarstackError, SourceError

from ._faults import Fault

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long a source may take, and how often it is asked.

    attempts        requests for one page before its symbol fails
    timeout_s       a source that is silent for so long counts as cut off
    first_wait_s    longest wait after the first fault; doubles with each one
    longest_wait_s  of any wait, also one that the source asks for
    random          draws the waits; give a seeded one for waits that repeat
    """

    attempts: int = 8
    timeout_s: float = 30.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    random: random.Random = field(default_factory=random.Random)

    def wait_s(self, attempt: int, fault: Fault) -> float:
        """Seconds to wait after failed attempt number `attempt`, counted from 0.

        What the source asks for; else exponential backoff with full jitter (M. Brooker,
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that many who were
        turned away together do not come back together.
        """
        if fault.wait_s is not None:
            return min(fault.wait_s, self.longest_wait_s)
        most = min(self.first_wait_s * 2.0**attempt, self.longest_wait_s)
        return self.random.uniform(0.0, most)


class Interrupted(Exception):  # noqa: N818 (no error: the user has asked for it)
    """The fetch is being ended; what has arrived is kept."""


@dataclass
class Tries:
    """Counts of one symbol."""

    requests: int = 0
    retries: int = 0
    waited_s: float = 0.0


class Asker:
    """Asks until there is an answer; all threads share one, so that one pause holds for all."""

    def __init__(
        self,
        patience: Patience,
        fault_of: Callable[[Exception], Fault | None],
        note: Callable[[str], None],
    ) -> None:
        self.patience = patience
        self._fault_of = fault_of
        self._note = note
        self._lock = threading.Lock()
        self._resumes_at_s = 0.0
        self._ending = threading.Event()

    def end(self) -> None:
        """Let every thread stop at its next request or wait."""
        self._ending.set()

    def ask(self, request: Callable[[], T], what: str, tries: Tries) -> T:
        """The answer to `request`.

        Raises `SourceError` when the source gives none in time or refuses, and whatever
        `request` raises that is no fault of the source.
        """
        attempt = 0
        while True:
            self._keep_the_pause(tries)
            tries.requests += 1
            try:
                return request()
            except BarstackError:
                raise
            except Exception as error:
                fault = self._fault_of(error)
                if fault is None:
                    raise
                if not fault.again:
                    raise SourceError(f"{what}: {fault.what}.") from error
                if attempt + 1 >= self.patience.attempts:
                    raise SourceError(
                        f"{what}: {fault.what}, {attempt + 1} times. Try again later: what has "
                        "arrived is kept, and only what is missing is asked for."
                    ) from error
                self._after(fault, attempt, tries)
                attempt += 1

    def _after(self, fault: Fault, attempt: int, tries: Tries) -> None:
        tries.retries += 1
        wait_s = self.patience.wait_s(attempt, fault)
        if not fault.slower:
            self._sleep(wait_s, tries)
            return
        with self._lock:
            now_s = time.monotonic()
            new = now_s + wait_s > self._resumes_at_s
            told = self._resumes_at_s > now_s  # whoever began this pause has said so
            self._resumes_at_s = max(self._resumes_at_s, now_s + wait_s)
        if new and not told and wait_s >= 1.0:
            asks = "the source asks to wait" if fault.wait_s is not None else f"{fault.what}: wait"
            self._note(f"{asks} {wait_s:.0f} s")

    def _keep_the_pause(self, tries: Tries) -> None:
        while (left_s := self._resumes_at_s - time.monotonic()) > 0:
            self._sleep(left_s, tries)
        if self._ending.is_set():
            raise Interrupted

    def _sleep(self, seconds: float, tries: Tries) -> None:
        tries.waited_s += seconds
        if self._ending.wait(seconds):
            raise Interrupted
