"""The splitters: forward ones train on the past only, crossed ones on both sides of a test, purged.

Crossed splitters are for meta-learners and for distributions of backtests.
"""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError, DataError

from ._spans import Span
from ._splitter import Splitter, check_count, check_share, register


@register("walk_forward")
class WalkForward(Splitter):
    """Train on the past, test the next stretch, move on.

    >>> WalkForward(folds=2, first_train=0.5).spans(8)
    [Span(test_start=4, test_end=6, train_start=0, train_end=None, further=()),
     Span(test_start=6, test_end=8, train_start=0, train_end=None, further=())]
    """

    folds: int = Field(6, ge=2)
    first_train: float = 0.4  # share of decision times before the first test
    train_times: int | None = Field(None, ge=2)  # rolling: only the latest so many decision times

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

    Two folds with one training stretch. Members never train on validation; a meta-learner learns
    from its forecasts and is judged by those of the test. An embargo ends that stretch earlier,
    for both.

    >>> Chronological().spans(100)
    [Span(test_start=70, test_end=85, train_start=0, train_end=None, further=()),
     Span(test_start=85, test_end=100, train_start=0, train_end=70, further=())]
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


@register("hold_out")
class HoldOut(Splitter):
    """One test, the latest decision times, and one training stretch right before it.

    Fits that differ in `train_times` learn from histories of several lengths and are judged on the
    same decisions. With one fold an ensemble has no earlier forecasts to learn weights from: this
    split is for comparing models, as a sweep does.

    >>> HoldOut(test=0.25, train_times=4).spans(8)
    [Span(test_start=6, test_end=8, train_start=2, train_end=None, further=())]
    """

    test: float = 0.15  # share of decision times
    train_times: int | None = Field(None, ge=2)  # the latest before the test; all by default

    @model_validator(mode="after")
    def _check(self) -> HoldOut:
        check_share("test", self.test)
        return self

    def spans(self, n_times: int) -> list[Span]:
        begin = n_times - int(n_times * self.test)
        _check_edges([begin, n_times], n_times)
        first = max(0, begin - self.train_times) if self.train_times else 0
        return [Span(begin, n_times, first)]


def _check_edges(edges: list[int], n_times: int) -> None:
    if edges[0] < 1 or any(a >= b for a, b in pairwise(edges)):
        raise DataError(
            f"{n_times} decision times are too few for {len(edges) - 1} stretches to test and one "
            "to train on. Give more bars or fewer folds."
        )


_MOST_FOLDS = 10_000  # each is a fit of every member


@register("purged_kfold", kind="crossed")
class PurgedKFold(Splitter):
    """k stretches, each tested by models trained on all others except overlapping labels.

    López de Prado, Advances in Financial Machine Learning (2018), chapter 7; here the purge
    follows from each label's `known_at`, and the embargo from how far back features look.

    >>> PurgedKFold(folds=2).spans(8)
    [Span(test_start=0, test_end=4, train_start=0, train_end=None, further=()),
     Span(test_start=4, test_end=8, train_start=0, train_end=None, further=())]
    """

    version = 2  # the embargo lies after tests only, and is derived where none is given
    folds: int = Field(5, ge=2)

    def spans(self, n_times: int) -> list[Span]:
        return [Span(start, end) for start, end in _groups(n_times, self.folds)]


@register("combinatorial_purged", kind="crossed")
class CombinatorialPurged(Splitter):
    """All choices of groups to test, trained on the others: several backtests instead of one.

    `groups` stretches, `tested` of them at a time, give C(groups, tested) folds, from which
    `paths` assembles `n_paths` backtests. López de Prado, Advances in Financial Machine
    Learning (2018), chapter 12.

    >>> splitter = CombinatorialPurged(groups=6, tested=2)
    >>> len(splitter.spans(600)), splitter.n_paths
    (15, 5)
    """

    groups: int = Field(6, ge=2)
    tested: int = Field(2, ge=1)  # groups at a time

    @model_validator(mode="after")
    def _check(self) -> CombinatorialPurged:
        if self.tested >= self.groups:
            raise ConfigError(
                f"{self.tested} of {self.groups} groups tested leave none to train on. Test fewer."
            )
        if self.n_folds > _MOST_FOLDS:
            raise ConfigError(
                f"{self.groups} groups, {self.tested} tested at a time, make {self.n_folds:,} "
                f"folds; {_MOST_FOLDS:,} are the most. Take fewer groups."
            )
        return self

    @property
    def n_folds(self) -> int:
        """Number of folds: choices of the groups to test."""
        return comb(self.groups, self.tested)

    @property
    def n_paths(self) -> int:
        """Number of backtests, each of which covers all groups once."""
        return self.n_folds * self.tested // self.groups

    def spans(self, n_times: int) -> list[Span]:
        groups = _groups(n_times, self.groups)
        return [
            Span(*first, further=tuple(rest)) for first, *rest in combinations(groups, self.tested)
        ]


def _groups(n_times: int, count: int) -> list[tuple[int, int]]:
    """(start, end) of equal stretches; the last takes the remainder, as in the book."""
    check_count(n_times, count)
    size = n_times // count
    starts = [size * place for place in range(count)]
    return list(zip(starts, [*starts[1:], n_times], strict=True))
