"""Spans of decision times: what a splitter returns, validated before folds are made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from barstack.core.errors import DataError
from barstack.core.forecast import Kind
from barstack.core.parts import broken, part_name
from barstack.core.spec import Spec


@dataclass(frozen=True)
class Span:
    """A stretch of decision times to test, and the times that may be trained on.

    All are positions in the sorted unique decision times; ends are exclusive.
    """

    test_start: int
    test_end: int
    train_start: int = 0
    train_end: int | None = None  # by default everything the kind of splitter allows
    further: tuple[tuple[int, int], ...] = ()  # (start, end) of later stretches tested with it

    @property
    def tests(self) -> tuple[tuple[int, int], ...]:
        """(start, end) of all stretches to test, in time order."""
        return ((self.test_start, self.test_end), *self.further)


def check_spans(splitter: Spec, kind: Kind, spans: list[Span], n_times: int) -> None:
    """Validate a splitter's spans of `n_times` decision times.

    Raises `DataError` if there is none, and `PluginError` for spans that are empty, reversed,
    beyond the decision times, out of order or overlapping. Folds of a crossed splitter may test
    the same stretch, all stretches equally often.
    """
    if not spans:
        raise DataError(
            f"The {part_name(splitter)} tests none of {n_times:,} decision times with "
            f"{splitter!r}. Give more bars, or settings that begin to test earlier."
        )
    for span in spans:
        if not isinstance(span, Span):
            raise broken(splitter, f"spans returns a {type(span).__name__}. Return a list of Span.")
        _check_one(splitter, span, n_times)
    tested = [stretch for span in spans for stretch in span.tests]
    if kind == "crossed":
        times_tested = {stretch: tested.count(stretch) for stretch in tested}
        if len(set(times_tested.values())) > 1:
            raise broken(
                splitter,
                f"stretches are tested from {min(times_tested.values())} to "
                f"{max(times_tested.values())} times. Test each equally often.",
            )
        tested = sorted(times_tested)
    for before, after in pairwise(tested):
        if before[1] > after[0]:
            raise broken(
                splitter,
                f"decision times {before[0]:,} to {before[1]:,} and {after[0]:,} to {after[1]:,} "
                "are tested, which overlap or are out of order. Test each once, earlier first.",
            )


def _check_one(splitter: Spec, span: Span, n_times: int) -> None:
    ends: list[Any] = [span.train_start, *(end for stretch in span.tests for end in stretch)]
    if span.train_end is not None:
        ends.append(span.train_end)
    whole = all(isinstance(each, int | np.integer) and not isinstance(each, bool) for each in ends)
    if not whole:
        raise broken(
            splitter,
            f"{span} has ends that are not integers. Give positions in the decision times.",
        )
    forward = all(0 <= start < end <= n_times for start, end in span.tests)
    ordered = all(before[1] <= after[0] for before, after in pairwise(span.tests))
    last = n_times if span.train_end is None else span.train_end
    if not (forward and ordered and 0 <= span.train_start < last <= n_times):
        raise broken(
            splitter,
            f"{span} is empty, reversed or reaches beyond the {n_times:,} decision times. Give "
            "0 <= start < end <= that number, of tests and of training.",
        )
