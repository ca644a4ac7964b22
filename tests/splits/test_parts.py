"""What a picture of a split shows is what the split does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barstack.labels import LABELS
from barstack.splits import SPLITTERS, early_stop_split, fold_parts
from barstack.testing import walk

TABLE = LABELS.parse({"label": "return", "horizons": [4], "max_gap": "9d"}).compute(
    {name: walk(300, seed=i, symbol=name, missing=0.1) for i, name in enumerate("AB")}
)
RECIPES: list[dict[str, Any]] = [
    *({"split": name} for name in SPLITTERS.names()),
    {"split": "walk_forward", "folds": 3, "train_times": 80, "embargo": 6},
    {"split": "combinatorial_purged", "embargo": "1d"},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_parts_are_the_folds_and_what_they_leave_out(recipe: dict[str, Any]) -> None:
    splitter = SPLITTERS.parse(recipe)
    arguments = (TABLE.decisions, TABLE.all_known_at)
    folds = splitter.split(*arguments, memory_bars=7)
    found = fold_parts(splitter, *arguments, memory_bars=7, stop_share=0.2)
    for fold, parts in zip(folds, found, strict=True):
        fit, stop = early_stop_split(*arguments, fold.train, 0.2)
        np.testing.assert_array_equal(parts.test, fold.test)
        np.testing.assert_array_equal(parts.train, fit)
        np.testing.assert_array_equal(parts.stop, stop)
        every = np.concatenate([parts.train, parts.stop, parts.purged, parts.embargoed, parts.test])
        assert len(np.unique(every)) == len(every)
        assert len(parts.purged) > 0
    if splitter.embargo is not None or splitter.kind == "crossed":
        assert any(len(parts.embargoed) for parts in found)


def test_every_row_of_walk_forward_before_a_test_has_its_part() -> None:
    arguments = (TABLE.decisions, TABLE.all_known_at)
    times = TABLE.decisions.decided_at
    for parts in fold_parts(SPLITTERS.parse("walk_forward"), *arguments):
        before = np.flatnonzero(times < times[parts.test].min())
        used = np.sort(np.concatenate([parts.train, parts.purged]))
        np.testing.assert_array_equal(used, before)
        assert not len(parts.stop)
        assert not len(parts.embargoed)


def test_chronological_leaves_its_validation_unused_in_the_test_fold() -> None:
    splitter = SPLITTERS.parse("chronological")
    validation, test = fold_parts(splitter, TABLE.decisions, TABLE.all_known_at)
    np.testing.assert_array_equal(validation.purged, test.purged)
    np.testing.assert_array_equal(validation.train, test.train)
