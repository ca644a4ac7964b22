"""How often and how long to try: one policy for every source, in place of each client's own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from barstack.core.errors import BarstackError, SourceError

from ._http import Fault, TooLargeError, causes, in_words, masked, unreadable

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
        secrets: Iterable[str] = (),
    ) -> None:
        self.patience = patience
        self._fault_of = fault_of
        self._note = note
        self._secrets = tuple(secrets)
        self._lock = threading.Lock()
        self._resumes_at_s = 0.0
        self._ending = threading.Event()

    def end(self) -> None:
        """Let every thread stop at its next request or wait."""
        self._ending.set()

    def ask(self, request: Callable[[], T], what: str, tries: Tries) -> T:
        """The answer to `request`.

        Raises `SourceError` when the source gives none in time, refuses, or answers what its
        client cannot read; no secret is in it.
        """
        attempt = 0
        while True:
            self._keep_the_pause(tries)
            tries.requests += 1
            try:
                return request()
            except BarstackError:
                raise
            except Exception as error:  # noqa: BLE001 (a client may raise anything)
                fault = self._fault_with(error)
                told = masked(fault.what, self._secrets)
                if not fault.again:
                    raise SourceError(f"{what}: {told}.") from None
                if attempt + 1 >= self.patience.attempts:
                    raise SourceError(
                        f"{what}: {told}, {attempt + 1} time{'s' if attempt else ''}. Try again "
                        "later: what has arrived is kept, and only what is missing is asked for."
                    ) from None
                self._after(fault, attempt, tries)
                attempt += 1

    def _fault_with(self, error: Exception) -> Fault:
        """What went wrong; anything that a client did not expect is an answer of another form."""
        if any(isinstance(cause, TooLargeError) for cause in causes(error)):
            return Fault(in_words(TooLargeError()), again=False)
        return self._fault_of(error) or Fault(unreadable(error), again=False)

    def _after(self, fault: Fault, attempt: int, tries: Tries) -> None:
        tries.retries += 1
        wait_s = self.patience.wait_s(attempt, fault)
        if not fault.slower:
            self._sleep(wait_s, tries)
            return
        with self._lock:
            now_s = time.monotonic()
            new = now_s + wait_s > self._resumes_at_s
            heard = self._resumes_at_s > now_s  # whoever began this pause has said so
            self._resumes_at_s = max(self._resumes_at_s, now_s + wait_s)
        if new and not heard and wait_s >= 1.0:
            told = masked(fault.what, self._secrets)
            asks = "the source asks to wait" if fault.wait_s is not None else f"{told}: wait"
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
