"""Any splitter where scikit-learn takes a `cv`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, check_cv, cross_val_predict, cross_val_score

from barstack.core.decisions import Decisions
from barstack.core.errors import ConfigError, DataError
from barstack.core.times import DecidedAt, KnownAt
from barstack.splits import SPLITTERS, PurgedKFold, WalkForward, for_sklearn

N_ROWS, HORIZON = 240, 6
INDEX = pd.date_range("2026-01-05", periods=N_ROWS, freq="1h", tz="America/New_York")
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(N_ROWS, 3)), index=INDEX, columns=["a", "b", "c"])
Y = pd.Series(X["a"] + 0.1 * RNG.normal(size=N_ROWS), index=INDEX)


@pytest.mark.parametrize("name", SPLITTERS.names())
def test_scores_and_searches(name: str) -> None:
    cv = for_sklearn(SPLITTERS.parse(name), X.index, HORIZON, memory_bars=4)
    assert check_cv(cv) is cv
    scores = cross_val_score(Ridge(), X, Y, cv=cv)
    assert len(scores) == cv.get_n_splits(X, Y) == len(list(cv.split(X, Y)))
    assert scores.min() > 0.9
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1e4]}, cv=cv).fit(X, Y)
    assert search.best_params_ == {"alpha": 0.1}
    assert search.n_splits_ == cv.get_n_splits()


def test_folds_are_those_of_split() -> None:
    times = np.asarray(INDEX, "datetime64[us]")
    decisions = Decisions.concatenate({"": DecidedAt(times)})
    known_at = KnownAt(np.asarray(INDEX + pd.Timedelta(hours=HORIZON), "datetime64[us]"))
    for splitter in (WalkForward(folds=3), PurgedKFold(folds=3)):
        folds = splitter.split(decisions, known_at, memory_bars=2)
        for given in (HORIZON, INDEX + pd.Timedelta(hours=HORIZON)):
            cv = for_sklearn(splitter, INDEX, given, memory_bars=2)
            for fold, (train, test) in zip(folds, cv.split(X), strict=True):
                np.testing.assert_array_equal(fold.train, train)
                np.testing.assert_array_equal(fold.test, test)


def test_every_row_is_forecast_once_by_purged_kfold() -> None:
    cv = for_sklearn(PurgedKFold(), X.index, HORIZON, memory_bars=0)
    assert cross_val_predict(Ridge(), X, Y, cv=cv).shape == (N_ROWS,)


def test_a_long_table_of_symbols_in_any_order() -> None:
    times = np.tile(np.asarray(INDEX[:100], "datetime64[us]"), 2)
    symbols = np.repeat(["B", "A"], 100)
    known = times + 3 * np.timedelta64(1, "h")
    mixed = np.random.default_rng(1).permutation(200)
    splitter = PurgedKFold(folds=4)
    given: list[Any] = [known[mixed], 3]
    folds = []
    for each in given:
        cv = for_sklearn(splitter, times[mixed], each, symbols=symbols[mixed], memory_bars=1)
        folds.append([(set(mixed[a]), set(mixed[b])) for a, b in cv.split(np.zeros(200))])
    assert folds[0] == folds[1]
    train, test = folds[0][1]
    assert test == {*range(25, 50), *range(125, 150)}
    assert train == {*range(23), *range(53, 100), *range(100, 123), *range(153, 200)}


def test_mistakes_are_explained() -> None:
    with pytest.raises(ConfigError, match="a table of 240 rows, and X has 10"):
        next(for_sklearn(WalkForward(), X.index, 1).split(X[:10]))
    with pytest.raises(DataError, match=r"Two rows are decided at.*symbols="):
        for_sklearn(WalkForward(), X.index.append(X.index), 1)
    with pytest.raises(DataError, match="Two rows for A are decided at 2026-01-05 05:00 UTC"):
        for_sklearn(WalkForward(), X.index.append(X.index), 1, symbols=["A"] * 480)
    with pytest.raises(DataError, match="has no decision time"):
        for_sklearn(WalkForward(), X.index.insert(3, pd.NaT), 1)
    with pytest.raises(ConfigError, match="known after 0 rows does not lie ahead"):
        for_sklearn(WalkForward(), X.index, 0)
    with pytest.raises(ConfigError, match="240 rows and 3 known_at"):
        for_sklearn(WalkForward(), X.index, X.index[:3])
    with pytest.raises(ConfigError, match="240 times and 1 symbols"):
        for_sklearn(WalkForward(), X.index, 1, symbols=["A"])
    with pytest.raises(ConfigError, match="Give split memory_bars"):
        for_sklearn(PurgedKFold(), X.index, 1)
    with pytest.raises(DataError, match="There is no row to split"):
        for_sklearn(WalkForward(), X.index[:0], 1)
    wrong: Any = 2.5
    with pytest.raises(ConfigError, match="memory_bars must be a whole number"):
        for_sklearn(WalkForward(), X.index, 1, memory_bars=wrong)
    with pytest.raises(DataError, match="No label is known"):
        for_sklearn(WalkForward(), X.index, 10**30)


@pytest.mark.parametrize("name", ["decided_at", "known_at"])
@pytest.mark.parametrize(
    "wrong",
    [
        *(5.0, True, np.True_, None, "2026-01-05", pd.Timedelta("5h"), ["a"] * N_ROWS),
        *([1.5] * N_ROWS, [True] * N_ROWS, [pd.Timedelta("5h")] * N_ROWS, [[1, 2], [3]]),
        *(np.full(N_ROWS, np.timedelta64(5, "h")), np.zeros((N_ROWS, 2), "datetime64[us]")),
    ],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_is_no_time_is_refused(name: str, wrong: Any) -> None:
    given: dict[str, Any] = {"decided_at": X.index, "known_at": 1} | {name: wrong}
    with pytest.raises(ConfigError, match=rf"^{name} (is|contains).*Give a time for each row.*\.$"):
        for_sklearn(WalkForward(), **given)


def test_a_label_known_at_its_decision_is_refused() -> None:
    """Nothing would be purged of such, whatever the label's horizon."""
    known = INDEX + pd.Timedelta(hours=HORIZON)
    for early in (
        INDEX - pd.Timedelta(hours=5),
        INDEX,
        known.where(np.arange(N_ROWS) != 7, INDEX),
    ):
        with pytest.raises(DataError, match="labels are known by their decision, the first"):
            for_sklearn(WalkForward(), INDEX, early)
    open_ = known.where(np.arange(N_ROWS) < N_ROWS - HORIZON)
    assert len(for_sklearn(WalkForward(), INDEX, open_).folds) == 6
