"""Retries and waits: one policy for every source, in place of each client's own."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from barstack.core.errors import BarstackError, SourceError

from ._http import RequestFault, TooLargeError, causes, in_words, masked, unreadable

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is made, how long it may take, and how long to wait between attempts.

    Attributes
    ----------
    attempts
        Requests for one page before its symbol fails.
    timeout_s
        A source that is silent for so long counts as disconnected.
    first_wait_s
        Longest wait after the first fault; doubles with each one.
    longest_wait_s
        Upper bound of any wait, also one that the source asks for.
    random
        Draws the waits; give a seeded one for reproducible waits.

    >>> RetryPolicy(attempts=3).timeout_s
    30.0
    """

    attempts: int = 8
    timeout_s: float = 30.0
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    random: random.Random = field(default_factory=random.Random)

    def wait_s(self, attempt: int, fault: RequestFault) -> float:
        """Seconds to wait after failed attempt number `attempt`, counted from 0.

        What the source asks for; else exponential backoff with full jitter (M. Brooker,
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that clients that were
        refused together do not come back together.
        """
        if fault.wait_s is not None:
            return min(fault.wait_s, self.longest_wait_s)
        most = min(self.first_wait_s * 2.0**attempt, self.longest_wait_s)
        return self.random.uniform(0.0, most)


class Stopped(Exception):  # noqa: N818 (not an error: the user has asked for it)
    """The fetch is being stopped; what has arrived is kept."""


@dataclass
class RequestCounts:
    """Counts of one symbol."""

    requests: int = 0
    retries: int = 0
    waited_s: float = 0.0


class Requester:
    """Repeats requests until there is an answer; all threads share one, and its pauses."""

    def __init__(
        self,
        policy: RetryPolicy,
        fault_of: Callable[[Exception], RequestFault | None],
        note: Callable[[str], None],
        secrets: Iterable[str] = (),
    ) -> None:
        self.policy = policy
        self._fault_of = fault_of
        self._note = note
        self._secrets = tuple(secrets)
        self._lock = threading.Lock()
        self._resumes_at_s = 0.0
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let every thread stop at its next request or wait."""
        self._stopping.set()

    def request(self, call: Callable[[], T], what: str, counts: RequestCounts) -> T:
        """The answer of `call`.

        Raises `SourceError` when the source gives none in time, refuses, or answers what its
        client cannot read; it contains no secret.
        """
        attempt = 0
        while True:
            self._wait_for_pause(counts)
            counts.requests += 1
            try:
                return call()
            except BarstackError:
                raise
            except Exception as error:  # noqa: BLE001 (a client may raise anything)
                fault = self._fault(error)
            why = masked(fault.what, self._secrets)
            if not fault.retry:
                raise SourceError(f"{what}: {why}.")
            if attempt + 1 >= self.policy.attempts:
                raise SourceError(
                    f"{what}: {why}, {attempt + 1} time{'s' if attempt else ''}. Try again "
                    "later: what has arrived is kept, and only what is missing is asked for."
                )
            self._wait_after(fault, attempt, counts)
            attempt += 1

    def _fault(self, error: Exception) -> RequestFault:
        """What went wrong; an error that the client does not know is an unreadable answer."""
        if any(isinstance(cause, TooLargeError) for cause in causes(error)):
            return RequestFault(in_words(TooLargeError()), retry=False)
        return self._fault_of(error) or RequestFault(unreadable(error), retry=False)

    def _wait_after(self, fault: RequestFault, attempt: int, counts: RequestCounts) -> None:
        counts.retries += 1
        wait_s = self.policy.wait_s(attempt, fault)
        if not fault.throttled:
            self._sleep(wait_s, counts)
            return
        with self._lock:
            now_s = time.monotonic()
            pausing = self._resumes_at_s > now_s  # whoever began this pause has noted it
            self._resumes_at_s = max(self._resumes_at_s, now_s + wait_s)
        if not pausing and wait_s >= 1.0:
            why = masked(fault.what, self._secrets)
            asks = "the source asks to wait" if fault.wait_s is not None else f"{why}: wait"
            self._note(f"{asks} {wait_s:.0f} s")

    def _wait_for_pause(self, counts: RequestCounts) -> None:
        while (left_s := self._resumes_at_s - time.monotonic()) > 0:
            self._sleep(left_s, counts)
        if self._stopping.is_set():
            raise Stopped

    def _sleep(self, seconds: float, counts: RequestCounts) -> None:
        counts.waited_s += seconds
        if self._stopping.wait(seconds):
            raise Stopped
