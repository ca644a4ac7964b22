"""Answers on sweeps that were never run, whose truth is known."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from barstack.core.errors import DataError
from barstack.core.times import DecidedAt, KnownAt
from barstack.ensembles import ENSEMBLES, Stacked
from barstack.evaluation.sweeps import (
    NetEdge,
    SweepAnswer,
    SweepAnswers,
    answer_sweep,
    combine_members,
    contrasts_of,
    gate_of,
    luck_of_best,
    mean_tests,
    sweep_table,
)
from barstack.evaluation.sweeps._comparisons import straddle
from barstack.testing import small_stacked, small_sweep_series

GRID = {
    "model": ("gru", "lstm", "tcn"),
    "horizon": ("1h", "4h"),
    "model.batch": ("32", "64"),
    "split.train_times": ("3mo", "6mo", "1yr"),
}


def only(found: SweepAnswers, key: str, path: str | None = None) -> SweepAnswer:
    (answer,) = (a for a in found.answers if a.key == key and path in (None, a.path))
    return answer


@pytest.mark.parametrize(
    ("key", "path", "level"),
    [("architecture", "model", "tcn"), ("history", "split.train_times", "3mo"),
     ("settings", "model.batch", "64")],
)  # fmt: skip
def test_what_is_truly_better_is_found_and_nothing_else(key: str, path: str, level: str) -> None:
    series = small_sweep_series(times=400, grid=GRID, better={path: level}, span=2)
    found = answer_sweep(sweep_table(series))
    answer = only(found, key)
    (best,) = (each for each in answer.levels if each.level == level)
    assert answer.outcome == "found"
    assert best.differs
    assert best.effect == max(each.effect for each in answer.levels)
    assert best.right_effect is not None
    assert best.right_effect > 0
    assert level in answer.sentence
    others = [a for a in found.answers if a.key in ("architecture", "history", "settings")]
    assert [a.outcome for a in others if a.key != key] == ["none"] * (len(others) - 1)


@pytest.mark.parametrize("span", [1, 6])
def test_where_nothing_differs_few_sweeps_have_an_answer(span: int) -> None:
    """At a true rate of 5 %, 30 sweeps have more than 4 false ones in 1.6 cases of 100."""
    false = [
        any(
            each.outcome == "found"
            for each in answer_sweep(
                sweep_table(small_sweep_series(times=300, grid=GRID, span=span, seed=seed))
            ).answers
        )
        for seed in range(30)
    ]
    assert sum(false) <= 4


def test_a_question_that_the_sweep_cannot_answer_says_so() -> None:
    grid = {"model": ("gru",), "horizon": ("1h",), "model.batch": ("32", "64")}
    found = answer_sweep(sweep_table(small_sweep_series(grid=grid)))
    open_ = {each.key for each in found.answers if each.outcome == "open"}
    assert open_ == {"architecture", "horizon", "history", "features", "combining"}
    assert all("cannot answer" in a.sentence for a in found.answers if a.key in open_)


def test_levels_are_compared_within_cells_of_equal_settings() -> None:
    """A model that was only tried on the better history must not seem better for it."""
    series = small_sweep_series(times=300, grid=GRID, better={"split.train_times": "1yr"})
    lopsided = [
        each
        for each in series
        if each.settings["model"] != "tcn" or each.settings["split.train_times"] == "1yr"
    ]
    answer = only(answer_sweep(sweep_table(lopsided)), "architecture")
    assert answer.outcome == "none"


def test_a_setting_that_goes_with_the_model_is_part_of_it() -> None:
    grid = [
        {"model": model, "horizon": horizon, "batch": batch} | own
        for model, own in (("gru", {}), ("lstm", {}), ("multitask", {"horizons": "both"}))
        for horizon in ("1h", "4h")
        for batch in ("32", "64")
    ]
    found = contrasts_of(grid, "model")
    assert found is not None
    assert found.levels == ("gru", "lstm", "multitask")
    assert (found.own, found.held_equal) == (("horizons",), ("horizon", "batch"))
    assert found.cells == 4
    # One that varies within a model is held equal as before.
    mixed = [each | {"scaler": each["batch"]} for each in grid]
    assert contrasts_of(mixed, "model").own == ("horizons",)  # type: ignore[union-attr]


def test_contrasts_of_a_grid_are_differences_of_means() -> None:
    settings = [each.settings for each in small_sweep_series(grid=GRID)]
    found = contrasts_of(settings, "model")
    assert found is not None
    values = np.random.default_rng(0).normal(size=len(settings))
    for column, level in enumerate(found.levels):
        own = np.array([each["model"] == level for each in settings])
        expected = values[own].mean() - values[~own].mean()
        assert values @ found.weights[:, column] == pytest.approx(expected)
        assert values @ found.means[:, column] == pytest.approx(values[own].mean())


def test_skill_and_accuracy_are_those_of_the_forecasts() -> None:
    series = small_sweep_series()
    table = sweep_table(series)
    own = series[0]
    returns = own.outcomes.y
    assert table.skill[:, 0].mean() == pytest.approx(1 - own.loss.mean() / (returns**2).mean())
    assert 0.5 + table.right[:, 0].mean() == pytest.approx(0.5 + own.right.mean())


def test_one_that_was_judged_on_other_decisions_is_left_out() -> None:
    series = small_sweep_series(grid=GRID)
    rows = np.arange(100)
    own = series[0].outcomes
    short = replace(
        own,
        decided_at=DecidedAt(own.decided_at[rows]),
        known_at=KnownAt(own.known_at[rows]),
        y=own.y[rows],
        returns=own.returns[rows],
        past=own.past[rows],
    )
    odd = short.series("odd", series[0].settings, np.zeros((100, 1)))
    table = sweep_table([*series, odd])
    assert list(table.left_out) == ["odd"]
    assert len(table) == len(series)
    assert len(table.times) == 200


def test_without_experiments_or_with_few_times_there_is_no_table() -> None:
    with pytest.raises(DataError, match="Run the sweep"):
        sweep_table([])
    with pytest.raises(DataError, match="share 12 decision times"):
        sweep_table(small_sweep_series(times=12))


def test_luck_of_independent_trials_is_that_of_coins() -> None:
    """The best of 40 worthless forecasters, by simulation of coins."""
    grid = {"model": ("a",), "horizon": ("1h",), "seed": tuple(map(str, range(40)))}
    luck = luck_of_best(sweep_table(small_sweep_series(times=400, grid=grid)))
    coins = np.random.default_rng(0).binomial(400, 0.5, (2_000, 40)).max(axis=1).mean() / 400
    assert luck.expected_best == pytest.approx(coins, abs=0.012)
    assert luck.p_value > 0.01


def test_the_error_of_a_mean_of_overlapping_values_is_near_the_truth() -> None:
    rng = np.random.default_rng(0)
    span, n_times = 10, 400
    steps = rng.normal(size=(2_000, n_times + span - 1))
    sums = np.lib.stride_tricks.sliding_window_view(steps, span, axis=1).sum(axis=-1)
    tests = mean_tests(sums[:300].T, span)
    assert tests.blocks == 20
    assert np.sqrt((tests.se**2).mean()) == pytest.approx(sums.mean(axis=1).std(), rel=0.08)
    assert straddle(n_times, 20, 1) == 1.0


def one_horizon(rows: int = 600) -> Stacked:
    pool = small_stacked("return", rows)
    assert pool.y is not None
    assert pool.known_at is not None
    assert pool.returns is not None
    return replace(
        pool,
        target=replace(pool.target, horizons=("1h",)),
        forecasts=pool.forecasts[:, :, :1],
        y=pool.y[:, :1],
        known_at=KnownAt(pool.known_at[:, :1]),
        returns=pool.returns[:, :1],
    )


def test_combining_is_found_to_help_only_where_it_does() -> None:
    pool = one_horizon()
    methods = {name: ENSEMBLES.parse(name) for name in ("average", "nnls")}
    table = sweep_table(small_sweep_series())
    combined = combine_members(pool, methods, 2)
    helped = only(answer_sweep(table, [combined]), "combining")
    # Of these members one is good and one mere noise, which equal weights suffer from.
    by_name = {each.level: each for each in helped.levels}
    assert by_name["average"].effect < by_name["nnls"].effect
    # Members with errors of their own, of which the mean has half the variance.
    rng = np.random.default_rng(1)
    assert pool.y is not None
    noise = pool.y.std() * rng.normal(size=pool.forecasts.shape)
    better = replace(pool, forecasts=pool.y[:, None, :, None] * 0.5 + noise)
    found = only(answer_sweep(table, [combine_members(better, methods, 2)]), "combining")
    assert found.outcome == "found"
    assert found.sentence.startswith("It does")


@pytest.mark.parametrize(
    ("p_value", "trials", "edge"),
    [(1e-6, 1_620, "supported"), (0.002, 1_620, "unproven"), (0.002, 1, "supported")],
)
def test_the_gate_counts_every_trial(p_value: float, trials: int, edge: str) -> None:
    edges = {"good": NetEdge(1.0, 0.2, 4.0, p_value, 20), "bad": NetEdge(-3.0, 0.2, -9.0, 1.0, 20)}
    found = gate_of(edges, trials=trials, cost_bps=1.0)
    assert (found.name, found.edge) == ("good", edge)
    assert f"{found.trials:,} trials" in found.sentence
    none = gate_of({"bad": edges["bad"]}, trials=trials, cost_bps=1.0)
    assert none.edge == "none"


@pytest.mark.slow
def test_1620_experiments_take_seconds() -> None:
    rng = np.random.default_rng(0)
    grid = {
        "model": tuple(f"m{each}" for each in range(9)),
        "horizon": ("1h", "2h", "4h", "8h", "1d"),
        "split.train_times": ("3mo", "6mo", "1yr"),
        "setting": tuple(map(str, range(12))),
    }
    series = small_sweep_series(times=2_500, grid=grid, span=4)
    rng.shuffle(series)
    begun = time.process_time()
    found = answer_sweep(sweep_table(series))
    assert found.luck.trials == 1_620
    assert time.process_time() - begun < 30
