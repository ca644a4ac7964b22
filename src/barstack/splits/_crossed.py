"""Splitters that train on both sides of the test, purged. For meta-learners and distributions."""

from __future__ import annotations

from itertools import combinations
from math import comb

from pydantic import Field, model_validator

from barstack.core.errors import ConfigError

from ._spans import Span
from ._splitter import Splitter, check_count, register

_MOST_FOLDS = 10_000  # each is a fit of every member


@register("purged_kfold", kind="crossed")
class PurgedKFold(Splitter):
    """k stretches, each tested by models of all the others but for overlapping labels.

    López de Prado, Advances in Financial Machine Learning (2018), chapter 7; here the purge
    follows from each label's `known_at`, and the embargo from how far features look back.
    """

    version = 2  # the embargo lies after tests only, and is derived where none is given
    folds: int = Field(5, ge=2)

    def spans(self, n_times: int) -> list[Span]:
        return [Span(start, end) for start, end in _groups(n_times, self.folds)]


@register("combinatorial_purged", kind="crossed")
class CombinatorialPurged(Splitter):
    """All choices of some groups to test, trained on the others: many backtests, not one.

    `groups` stretches, `tested` of them at a time, make C(groups, tested) folds, from which
    `paths` puts together `n_paths` backtests. López de Prado, Advances in Financial Machine
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
        """Choices of what to test."""
        return comb(self.groups, self.tested)

    @property
    def n_paths(self) -> int:
        """Backtests that each cover all groups once."""
        return self.n_folds * self.tested // self.groups

    def spans(self, n_times: int) -> list[Span]:
        groups = _groups(n_times, self.groups)
        return [
            Span(*first, further=tuple(rest)) for first, *rest in combinations(groups, self.tested)
        ]


def _groups(n_times: int, count: int) -> list[tuple[int, int]]:
    """(start, end) of equal stretches; the last takes what is left over, as in the book."""
    check_count(n_times, count)
    size = n_times // count
    starts = [size * place for place in range(count)]
    return list(zip(starts, [*starts[1:], n_times], strict=True))
