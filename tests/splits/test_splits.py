"""Every registered splitter, on one symbol and several, with labels of uneven length."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt
from barstack.labels import LABELS
from barstack.splits import SPLITTERS, Splitter, WalkForward, early_stop_split
from barstack.testing import BoundCheck, parametrize_with_checks, shared_steps, walk

PANEL = {name: walk(500, seed=i, symbol=name, missing=0.1) for i, name in enumerate("ABC")}
TABLE = LABELS.parse({"label": "return", "horizons": ["1d", 12]}).compute(PANEL)
RECIPES: list[dict[str, Any]] = [
    *({"split": name} for name in SPLITTERS.names()),
    {"split": "walk_forward", "folds": 3, "train_times": 100},
    {"split": "walk_forward", "folds": 4, "embargo": "1d"},
    {"split": "walk_forward", "folds": 4, "embargo": 10},
    {"split": "purged_kfold", "folds": 7, "embargo": "4h"},
    {"split": "purged_kfold", "folds": 3, "embargo": 0},
    {"split": "combinatorial_purged", "groups": 5, "tested": 3},
    {"split": "combinatorial_purged", "groups": 4, "tested": 1},
    {"split": "chronological", "train": 0.5, "validation": 0.25},
]


@parametrize_with_checks(SPLITTERS.parse(recipe) for recipe in RECIPES)
def test_splitter(part: Splitter, check: BoundCheck) -> None:
    check(part)


def _one_symbol(n_rows: int, horizon: int) -> tuple[Decisions, KnownAt]:
    times = np.datetime64("2026-01-05T00:00", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    known_at = np.concatenate([times[horizon:], np.full(horizon, "NaT", "datetime64[us]")])
    return Decisions.concatenate({"X": DecidedAt(times)}), KnownAt(known_at)


@given(st.integers(60, 300), st.integers(1, 15), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_walk_forward_purges_exactly_the_horizon(n_rows: int, horizon: int, folds: int) -> None:
    decisions, known_at = _one_symbol(n_rows, horizon)
    for fold in WalkForward(folds=folds).split(decisions, known_at):
        # The last label known when testing begins was decided `horizon` bars before.
        assert fold.train.max() == fold.test.min() - horizon
        assert shared_steps(decisions, known_at, fold.train, fold.test) == 0
        if not np.isnat(known_at[fold.test[0]]):
            assert shared_steps(decisions, known_at, fold.train + 1, fold.test) == 1


def test_overlap_is_counted_where_there_is_some() -> None:
    decisions, known_at = _one_symbol(100, 12)
    # Without a purge, the eleven labels before the test share a step with its first.
    assert shared_steps(decisions, known_at, np.arange(50), np.arange(50, 80)) == 11


def test_chronological_trains_both_folds_on_one_stretch() -> None:
    decisions, known_at = _one_symbol(200, 3)
    validation, test = SPLITTERS.parse("chronological").split(decisions, known_at)
    np.testing.assert_array_equal(validation.train, test.train)
    assert (len(validation.test), len(test.test)) == (30, 30)


@pytest.mark.parametrize("embargo", [12, "12h"])
def test_an_embargo_ends_the_training_of_both_folds_alike(embargo: int | str) -> None:
    decisions, known_at = _one_symbol(200, 3)
    plain, _ = SPLITTERS.parse("chronological").split(decisions, known_at)
    splitter = SPLITTERS.parse({"split": "chronological", "embargo": embargo})
    validation, test = splitter.split(decisions, known_at)
    np.testing.assert_array_equal(validation.train, test.train)
    assert plain.train.max() - test.train.max() == 12


def test_early_stopping_is_purged_too() -> None:
    decisions, known_at = _one_symbol(200, 6)
    fit, stop = early_stop_split(decisions, known_at, np.arange(150), share=0.2)
    assert known_at[fit].max() <= decisions.decided_at[stop].min()
    assert shared_steps(decisions, known_at, fit, stop) == 0
    assert (len(fit), len(stop)) == (115, 30)


def test_embargo_widens_the_gap() -> None:
    decisions, known_at = _one_symbol(200, 3)
    plain = WalkForward(folds=2).split(decisions, known_at)[0]
    wide = WalkForward(folds=2, embargo="5h").split(decisions, known_at)[0]
    assert plain.train.max() - wide.train.max() == 5


def test_too_few_bars_are_refused() -> None:
    decisions, known_at = _one_symbol(8, 6)
    with pytest.raises(DataError, match="No label is known before testing begins"):
        WalkForward(folds=2).split(decisions, known_at)
    with pytest.raises(DataError, match="5 decision times cannot make 6 stretches"):
        WalkForward(folds=6).split(*_one_symbol(5, 1))


def test_shares_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"between 0 and 1, got 1.5"):
        WalkForward(first_train=1.5)
    with pytest.raises(ConfigError, match="leave nothing to test"):
        SPLITTERS.parse({"split": "chronological", "train": 0.9, "validation": 0.1})
