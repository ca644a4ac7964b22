"""Splitters that only ever train on the past."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError, DataError

from ._spans import Span
from ._splitter import Splitter, check_count, check_share, register


@register("walk_forward")
class WalkForward(Splitter):
    """Train on what came before, test the next stretch, move on.

    >>> WalkForward(folds=2, first_train=0.5).spans(8)
    [Span(test_start=4, test_end=6, train_start=0, train_end=None, further=()),
     Span(test_start=6, test_end=8, train_start=0, train_end=None, further=())]
    """

    folds: int = Field(6, ge=2)
    first_train: float = 0.4  # share of decision times before the first test
    train_times: int | None = Field(None, ge=2)  # rolling: the latest this many decision times

    @model_validator(mode="after")
    def _check(self) -> WalkForward:
        check_share("first_train", self.first_train)
        return self

    def spans(self, n_times: int) -> list[Span]:
        check_count(n_times, self.folds)
        begin = int(n_times * self.first_train)
        edges = [begin + (n_times - begin) * fold // self.folds for fold in range(self.folds + 1)]
        _check_edges(edges, n_times)
        return [
            Span(start, end, max(0, start - self.train_times) if self.train_times else 0)
            for start, end in pairwise(edges)
        ]


@register("chronological")
class Chronological(Splitter):
    """One cut of the past: train, validation and test in time order, 70/15/15 by default.

    Two folds with one training stretch. Members never train on validation; its forecasts are
    what a meta-learner learns from, and the test's are what it is judged by. An embargo ends
    that stretch sooner, for both.
    """

    version = 2  # an embargo ends the training of both folds alike
    one_cut = True
    train: float = 0.70
    validation: float = 0.15

    @model_validator(mode="after")
    def _check(self) -> Chronological:
        check_share("train", self.train)
        check_share("validation", self.validation)
        if self.train + self.validation >= 1.0:
            raise ConfigError(
                f"train {self.train} and validation {self.validation} leave nothing to test."
            )
        return self

    def spans(self, n_times: int) -> list[Span]:
        first = int(n_times * self.train)
        second = int(n_times * (self.train + self.validation))
        _check_edges([first, second, n_times], n_times)
        return [Span(first, second), Span(second, n_times, train_end=first)]


def _check_edges(edges: list[int], n_times: int) -> None:
    if edges[0] < 1 or any(a >= b for a, b in pairwise(edges)):
        raise DataError(
            f"{n_times} decision times are too few for {len(edges) - 1} stretches to test and one "
            "to train on. Give more bars or fewer folds."
        )
