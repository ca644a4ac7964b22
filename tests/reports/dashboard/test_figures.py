"""Figures of the dashboard against independent calculations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.dashboard.rows import BEGIN, SWEEP, curves, grid

from barstack.reports.dashboard._charts_data import error_against_accuracy, learning_curves
from barstack.reports.dashboard._chosen_rows import Filters, natural
from barstack.reports.dashboard._failure_causes import failure_causes
from barstack.reports.dashboard._heatmap import LEVELS, heatmap
from barstack.reports.dashboard._luck import best_by_luck
from barstack.reports.dashboard._measures import MEASURES
from barstack.reports.dashboard._sorted_rows import PAGE, table_page
from barstack.reports.dashboard._spreads import (
    per_model,
    round_values,
    scale_of,
    sensitivities,
    spread,
)
from barstack.reports.dashboard._sweep_progress import (
    ended_over_time,
    latest,
    progress_of,
    running,
)
from barstack.tracking import Experiment

ACCURACY, RMSE = MEASURES["directional_accuracy"], MEASURES["rmse"]
ROWS = [replace(row, status="completed") for row in grid(300)]
FRAME = pd.DataFrame([vars(row) for row in ROWS])


def test_progress_counts_and_extrapolates() -> None:
    failed = [replace(row, status="failed") for row in ROWS[:30]]
    ahead = [replace(row, status="running", finished_at=None) for row in ROWS[280:]]
    now = ROWS[279].finished_at
    assert now is not None
    found = progress_of([*failed, *ROWS[30:280], *ahead], 1620, now + timedelta(seconds=2))
    assert (found.completed, found.failed, found.running) == (250, 30, 20)
    assert found.left == 1620 - 280
    assert found.per_minute == pytest.approx(30, rel=0.02)  # one in two seconds
    assert found.left_s == pytest.approx(2 * (1620 - 280), rel=0.02)
    assert found.state == "running"
    assert progress_of(ROWS[:280], 1620, now + timedelta(hours=1)).state == "idle"
    assert progress_of(ROWS[:280], 1620, now + timedelta(hours=1)).left_s is None
    assert progress_of(ROWS[:280], 280, now).state == "finished"
    assert progress_of([], None, now).state == "empty"
    assert progress_of(ROWS[:280], 10, now).planned == 280  # an earlier call had a limit


def test_the_rate_falls_while_nothing_ends() -> None:
    end = ROWS[-1].finished_at
    assert end is not None
    rates = [progress_of(ROWS, None, end + timedelta(minutes=k)).per_minute for k in range(10)]
    known = [rate for rate in rates if rate is not None]
    assert known == sorted(known, reverse=True)
    assert len(set(known)) == len(known) > 5


def test_ended_over_time_keeps_the_ends_and_never_falls() -> None:
    rows = [replace(row, status="completed") for row in grid()]
    found = ended_over_time(rows)
    assert len(found["at"]) == 400
    assert found["at"][0] == BEGIN.timestamp()
    assert found["completed"][-1] == 1620
    assert found["completed"] == sorted(found["completed"])


def test_latest_and_running_are_the_newest_first() -> None:
    ahead = [replace(row, status="running", finished_at=None) for row in ROWS[-5:]]
    rows: list[Experiment] = [*ROWS[:-5], *ahead]
    assert [row.experiment_id for row in latest(rows, 2)] == [
        row.experiment_id for row in (ROWS[-6], ROWS[-7])
    ]
    assert running(rows, 1) == [ahead[-1]]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_a_spread_is_that_of_numpy(values: list[float]) -> None:
    found = spread("", values)
    wanted = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    have = [found.lowest, found.lower, found.median, found.upper, found.highest]
    np.testing.assert_allclose(have, wanted, rtol=1e-9, atol=1e-6)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)


@given(st.floats(-1e5, 1e5), st.floats(1e-4, 1e5))
def test_ticks_are_few_and_within(low: float, width: float) -> None:
    ticks = round_values(low, low + width)
    assert 2 <= len(ticks) <= 8
    slack = 1e-9 * (abs(low) + width)
    assert low - slack <= ticks[0] < ticks[-1] <= low + width + slack


def test_heatmap_holds_the_means_of_pandas() -> None:
    found = heatmap(ROWS, ACCURACY)
    wanted = FRAME.pivot_table("directional_accuracy", "model_name", "horizon_name")
    assert found.horizons == ("15min", "30min", "60min", "2h", "1d")
    for model, cells in zip(found.models, found.cells, strict=True):
        for horizon, cell in zip(found.horizons, cells, strict=True):
            assert cell is not None
            assert cell.mean == pytest.approx(wanted.loc[model, horizon])
            assert (cell.level > 0) <= (cell.mean > 0.5)
            assert (cell.level < 0) <= (cell.mean < 0.5)
            assert abs(cell.level) <= LEVELS
    order = wanted.mean(axis=1).sort_values(ascending=False).index
    assert list(found.models) == list(order)


def test_heatmap_of_an_error_is_centred_on_columns() -> None:
    """RMSE grows with the horizon; a column must not be of one colour for that."""
    rows = [
        replace(row, rmse=(row.rmse or 0) * (50 if row.horizon_name == "1d" else 1)) for row in ROWS
    ]
    found = heatmap(rows, RMSE)
    levels = [cells[-1].level for cells in found.cells if cells[-1] is not None]
    assert min(levels) <= 0 <= max(levels)
    assert max(cell.level for cells in found.cells for cell in cells if cell) > 0


def test_spreads_by_model_and_setting() -> None:
    wanted = FRAME.groupby("model_name").directional_accuracy.median()
    found = per_model(ROWS, ACCURACY)
    assert [each.name for each in found] == list(wanted.sort_values(ascending=False).index)
    named = dict(sensitivities(ROWS, ACCURACY, natural))
    assert list(named) == ["Learning rate", "Batch size", "Weight decay", "History", "Horizon"]
    assert [each.name for each in named["Learning rate"]] == ["0.0001", "0.0005", "0.001"]
    means = FRAME.groupby("weight_decay").directional_accuracy.mean()
    assert [each.mean for each in named["Weight decay"]] == pytest.approx(list(means))
    scale = scale_of(found, ACCURACY.centre)
    assert all(0 < scale.at(value) < 100 for each in found for value in (each.lowest, each.highest))


def test_luck_is_the_median_of_simulated_bests() -> None:
    rows = [replace(row, metrics={"directional_accuracy_se": 0.02}) for row in ROWS[:200]]
    rows += [replace(row, metrics={}, n_samples=100) for row in ROWS[200:]]
    errors = [0.02] * 200 + [0.05] * 100
    draws = np.random.default_rng(1).normal(0.5, errors, size=(20_000, 300)).max(axis=1)
    assert best_by_luck(rows) == pytest.approx(float(np.median(draws)), abs=0.001)
    assert best_by_luck(rows[:1]) is None


def test_scatter_has_each_point_once_in_its_series() -> None:
    found = error_against_accuracy([*ROWS, replace(ROWS[0], status="failed")])
    assert found["x"] == sorted(found["x"])
    assert len(found["x"]) == len(ROWS)
    counts = FRAME.model_name.value_counts()
    for series in found["series"]:
        assert sum(y is not None for y in series["y"]) == counts[series["name"]]


def test_learning_curves_show_folds_and_their_mean() -> None:
    (chart,) = learning_curves(curves())
    assert chart["epochs"] == list(range(1, 11))
    means = [line for line in chart["lines"] if line["fold"] is None]
    assert [line["name"] for line in means] == ["train_loss", "validation_loss"]
    assert means[0]["y"][1] == pytest.approx(0.5 + 0.02)
    assert len(chart["lines"]) == 8


def test_failures_name_what_they_share() -> None:
    failed = [
        replace(row, status="failed", error="lost") for row in ROWS if row.model_name == "tcn"
    ]
    rows = failed + [row for row in ROWS if row.model_name != "tcn"]
    rows.append(replace(ROWS[0], experiment_id="x", status="failed", error="other"))
    first, second = failure_causes(rows)
    assert (first.error, len(first.rows), first.shared) == (
        "lost",
        len(failed),
        (("model_name", "tcn"),),
    )
    assert (second.error, second.shared) == ("other", ())


@pytest.mark.parametrize("sort", ["directional_accuracy", "-directional_accuracy", "name", "-rmse"])
def test_pages_of_the_table_hold_every_row_once(sort: str) -> None:
    rows = [*ROWS, replace(ROWS[0], experiment_id="none", directional_accuracy=None, rmse=None)]
    pages = [table_page(rows, sort, str(page)) for page in range(1, 8)]
    found = [row for page in pages for _, row in page.rows]
    assert len(found) == len(rows) == pages[0].count
    assert {row.experiment_id for row in found} == {row.experiment_id for row in rows}
    if "name" not in sort:
        assert found[-1].experiment_id == "none"
    assert [rank for page in pages for rank, _ in page.rows] == list(range(1, len(rows) + 1))
    assert len(pages[0].rows) == PAGE


def test_a_query_of_any_kind_gives_a_page() -> None:
    for page in ("", "-1", "1e9", "99999999999", "²"):
        assert table_page(ROWS, "no such column", page).rows


def test_filters() -> None:
    found = Filters.of({"model": "tcn", "find": "BATCH=32", "sweep": SWEEP, "x": "y"})
    rows = found.rows(ROWS)
    own = FRAME[(FRAME.model_name == "tcn") & (FRAME.batch_size == 32)]
    assert sorted(row.experiment_id for row in rows) == sorted(own.experiment_id)
    assert Filters().choices(ROWS)["period"] == ["3mo", "6mo", "1yr"]
    assert Filters(model='"&<').query() == "?model=%22%26%3C"
