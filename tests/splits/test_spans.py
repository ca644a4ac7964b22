"""Spans that a splitter of another package may give: refused with its name, or cut by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from barstack.core.decisions import Decisions
from barstack.core.errors import DataError, PluginError
from barstack.core.times import DecidedAt, KnownAt
from barstack.splits import Span, Splitter

TIMES = np.datetime64("2026-01-05", "us") + np.arange(100) * np.timedelta64(1, "h")
DECISIONS = Decisions(("A",), np.zeros(100, np.int32), DecidedAt(TIMES))
KNOWN_AT = KnownAt(TIMES + np.timedelta64(2, "h"))
GIVEN: list[Any] = []


class Given(Splitter):
    """Whatever stands in `GIVEN`."""

    registered_as = ("split", "given")

    def spans(self, n_times: int) -> list[Span]:
        return GIVEN


@pytest.fixture(autouse=True)
def _leave_nothing_behind() -> Iterator[None]:
    yield
    GIVEN.clear()


@pytest.mark.parametrize(
    "spans",
    [
        [Span(20, 20), Span(30, 40)],
        [Span(40, 30)],
        [Span(90, 101)],
        [Span(-5, 20)],
        [Span(30, 50), Span(40, 60)],
        [Span(50, 60), Span(30, 40)],
        [Span(50, 60), Span(50, 60)],
        [Span(20, 30, further=((25, 40),))],
        [Span(20, 30, train_start=-1)],
        [Span(20, 30, train_start=10, train_end=10)],
        [Span(20, 30, train_end=101)],
        [Span(20.0, 30.0)],  # type: ignore[arg-type]
        [Span(True, 30)],
        [(20, 30)],
    ],
    ids=str,
)
def test_spans_that_cut_nothing_are_refused_with_the_splitters_name(spans: list[Any]) -> None:
    GIVEN[:] = spans
    with pytest.raises(PluginError, match=r"^Split 'given' of package tests: "):
        Given().split(DECISIONS, KNOWN_AT)


def test_a_splitter_that_begins_beyond_the_bars_is_refused() -> None:
    with pytest.raises(DataError, match=r"'given' .* tests none of 100 decision times.*more bars"):
        Given().split(DECISIONS, KNOWN_AT)


def test_consecutive_spans_are_accepted() -> None:
    GIVEN[:] = [Span(40, 60), Span(np.int64(60), 100)]  # type: ignore[arg-type]
    folds = Given().split(DECISIONS, KNOWN_AT)
    assert [len(fold.test) for fold in folds] == [20, 40]
