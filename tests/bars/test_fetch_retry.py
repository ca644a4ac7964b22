"""One policy of recounts: how long to wait, what to give up on, what the headers say."""

from __future__ import annotations

import random
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barstack.bars.sources import RequestFault, RetryPolicy, status_fault
from barstack.bars.sources._http import wait_s
from barstack.bars.sources._retry import RequestCounts, Requester
from barstack.core.errors import ConfigError, SourceError

CUT_OFF = RequestFault("cut off", retry=True)


@given(st.integers(0, 60), st.integers(0, 1000))
def test_waits_grow_with_full_jitter_to_a_limit(attempt: int, seed: int) -> None:
    policy = RetryPolicy(first_wait_s=0.5, longest_wait_s=60, random=random.Random(seed))
    assert 0 <= policy.wait_s(attempt, CUT_OFF) <= min(0.5 * 2**attempt, 60)


def test_waits_spread_over_their_whole_range() -> None:
    policy = RetryPolicy(first_wait_s=1, random=random.Random(1))
    waits = [policy.wait_s(3, CUT_OFF) for _ in range(2000)]
    assert 3.7 < sum(waits) / len(waits) < 4.3  # uniform from 0 to 8
    assert min(waits) < 0.1
    assert max(waits) > 7.9


def test_the_source_is_heeded_to_a_limit() -> None:
    policy = RetryPolicy(longest_wait_s=60)
    assert policy.wait_s(5, RequestFault("429", retry=True, wait_s=12)) == 12
    assert policy.wait_s(5, RequestFault("429", retry=True, wait_s=86_400)) == 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": " 0 "}, 0),
        ({"Retry-After": formatdate(1030, usegmt=True)}, 30),
        ({"Retry-After": formatdate(900, usegmt=True)}, 0),  # its clock is behind ours
        ({"Retry-After": "soon"}, None),
        ({"X-RateLimit-Reset": "1012"}, 12),
        ({"X-RateLimit-Reset": "-"}, None),
        ({}, None),
    ],
)
def test_what_headers_say(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_s(headers, now_s=1000.0) == seconds


def test_which_answers_are_retried() -> None:
    def retried(status: int) -> bool | None:
        fault = status_fault(status, {}, "")
        return None if fault is None else fault.retry

    assert [retried(status) for status in (200, 204, 304)] == [None] * 3
    assert [retried(status) for status in (408, 418, 429, 500, 502, 503, 504)] == [True] * 7
    assert [retried(status) for status in (400, 401, 403, 404, 422)] == [False] * 5


def requester(fault: RequestFault | None, attempts: int = 3) -> Requester:
    policy = RetryPolicy(attempts=attempts, first_wait_s=0.001)
    return Requester(policy, lambda error: fault, note=lambda text: None)


def test_gives_up_after_so_many_attempts() -> None:
    calls = []

    def request() -> None:
        calls.append(1)
        raise OSError

    counts = RequestCounts()
    with pytest.raises(SourceError, match=r"A: cut off, 3 times\. Try again later"):
        requester(CUT_OFF).request(request, "A", counts)
    assert (len(calls), counts.requests, counts.retries) == (3, 3, 2)


def test_does_not_ask_again_for_what_will_not_change() -> None:
    counts = RequestCounts()
    with pytest.raises(SourceError, match=r"^A: answer 404: no such symbol\.$"):
        requester(status_fault(404, {}, "no such symbol")).request(lambda: 1 / 0, "A", counts)
    assert (counts.requests, counts.retries) == (1, 0)


def test_our_own_errors_pass() -> None:
    def request() -> None:
        raise ConfigError("Set the key.")

    with pytest.raises(ConfigError, match="Set the key"):
        requester(CUT_OFF).request(request, "A", RequestCounts())
    with pytest.raises(SourceError, match="ZeroDivisionError: division by zero"):
        requester(None).request(lambda: 1 / 0, "A", RequestCounts())
