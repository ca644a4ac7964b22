"""Splitters that train on both sides of the test, purged. For meta-learners and distributions."""

from __future__ import annotations

from itertools import pairwise

from pydantic import Field

from barstack.core.errors import DataError

from ._splitter import Span, Splitter, register


@register("purged_kfold", kind="crossed")
class PurgedKFold(Splitter):
    """k stretches, each tested by models of all the others but for overlapping labels.

    López de Prado, Advances in Financial Machine Learning (2018), chapter 7; here the purge
    follows from each label's `known_at`.
    """

    folds: int = Field(5, ge=2)

    def spans(self, n_times: int) -> list[Span]:
        if n_times < self.folds:
            raise DataError(f"{n_times} decision times cannot make {self.folds} folds.")
        edges = [n_times * fold // self.folds for fold in range(self.folds + 1)]
        return [Span(start, end) for start, end in pairwise(edges)]
