"""The audit: what it finds, where it says it is, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.audit_pipelines import (
    DATA,
    HONEST,
    features,
    labels,
    leaks,
    places,
)

from barstack.bars import Bars, SeriesTable
from barstack.core.times import KnownAt
from barstack.evaluation.audit import Data, Fit, assert_clean, hunt
from barstack.features import FeatureTable
from barstack.labels import LabelTable
from barstack.splits import SPLITTERS, Fold
from barstack.testing import walk


def spoiled(name: str, made: Any) -> Any:
    """Features with one more column, made of each symbol's bars."""

    def table(data: Data) -> pd.DataFrame:
        found = features(data)
        parts = [pd.Series(made(bars), found.loc[s].index) for s, bars in data.panel.items()]
        found[name] = pd.concat(parts).to_numpy()
        return found

    return table


def test_an_honest_pipeline_is_left_alone() -> None:
    assert leaks() == []
    assert_clean(HONEST, DATA)


def test_the_short_form_fits_nothing() -> None:
    def never(*args: Any) -> Fit:
        raise AssertionError("fitted")

    assert list(hunt(replace(HONEST, fit=never), DATA, short=True)) == []


# --- features -------------------------------------------------------------------------------------


def test_a_centred_mean_is_named_with_the_first_decision() -> None:
    def centred(bars: Bars) -> Any:
        return pd.Series(np.array(bars.close)).rolling(5, center=True).mean().to_numpy()

    (leak,) = leaks(features=spoiled("centred", centred))
    assert (leak.stage, leak.column, leak.symbol) == ("features", "centred", "A")
    assert leak.at in DATA.panel["A"].closed_at
    assert "'centred' of A at " in leak.what
    assert "reads the future" in leak.what


@pytest.mark.parametrize(
    "made",
    [
        lambda bars: bars.close / bars.close.mean(),
        lambda bars: np.append(bars.close[1:], np.nan),
        lambda bars: pd.Series(np.array(bars.close)).pct_change(20).bfill().to_numpy(),
        lambda bars: (
            bars.close
            / pd.Series(np.array(bars.close))
            .groupby(np.array(bars.records["session"]))
            .transform("last")
            .to_numpy()
        ),
    ],
    ids=["scaled by the whole", "next close", "warm-up filled backwards", "close of the day"],
)
def test_columns_that_read_the_future(made: Any) -> None:
    assert ("features", "late") in places(features=spoiled("late", made))


def test_a_series_joined_by_the_time_it_is_about() -> None:
    bars = DATA.panel["A"]
    rows = np.arange(20, 480, 20)
    about = bars.closed_at[rows].astype(np.int64) / 3.6e9
    table = SeriesTable(
        ("number", "about"),
        None,
        np.zeros(len(rows), np.int32),
        KnownAt(bars.closed_at[rows + 6]),
        np.column_stack([np.sin(rows), about]),
        bars.closed_at[26],
    )

    def joined(data: Data, clock: str) -> pd.DataFrame:
        found, told = features(data), data.series["news"]
        own = told.values[:, 1] * 3.6e9
        times = np.array(told.known_at).astype(np.int64) if clock == "known" else own
        at = found.index.get_level_values("decided_at").to_numpy("datetime64[us]").astype(np.int64)
        row = np.searchsorted(times, at, side="right") - 1
        found["news"] = np.where(row >= 0, told.values[row, 0], np.nan)
        return found[["move", "momentum", "news"]]

    data = Data(DATA.panel, {"news": table})
    parts: dict[str, Any] = {"folds": lambda features, labels: [], "fit": None}
    assert places(data, features=partial(joined, clock="known"), **parts) == set()
    assert places(data, features=partial(joined, clock="about"), **parts) == {("features", "news")}


def test_symbols_chosen_by_what_became_of_them() -> None:
    def survivors(data: Data) -> Data:
        best = max(data.panel, key=lambda s: data.panel[s].close[-1] / data.panel[s].close[0])
        return Data({best: data.panel[best]}, data.series)

    found = places(
        features=lambda data: features(survivors(data)), labels=lambda data: labels(survivors(data))
    )
    assert ("features", "rows") in found


def test_rows_whose_label_is_open_may_be_left_out() -> None:
    """Tables for training often end before the last labels are known."""

    def answered(data: Data) -> Any:
        return features(data)[~np.isnat(labels(data).all_known_at)]

    def their_labels(data: Data) -> LabelTable:
        found = labels(data)
        rows = np.flatnonzero(~np.isnat(found.all_known_at))
        names = ("values", "known_at", "returns", "eligible")
        parts: dict[str, Any] = {name: getattr(found, name)[rows] for name in names}
        return replace(found, decisions=found.decisions.take(rows), **parts)

    assert places(features=answered, labels=their_labels) == set()


def test_rounding_that_depends_on_the_length_is_no_leak() -> None:
    """Sums are rounded elsewhere in a longer array: a cut alone proves nothing at 1e-16."""

    def rounded(bars: Bars) -> Any:
        return bars.close * (1.0 + (len(bars) % 2) * 2.3e-16)

    assert places(features=spoiled("rounded", rounded)) == set()


# --- labels and folds -----------------------------------------------------------------------------


def test_labels_known_too_early_or_scaled_by_all() -> None:
    def early(data: Data) -> LabelTable:
        found = labels(data)
        return replace(found, known_at=KnownAt(found.known_at - np.timedelta64(30, "m")))

    def scaled(data: Data) -> LabelTable:
        found = labels(data)
        return replace(found, values=found.values / np.nanstd(found.values))

    assert ("labels", "4bars") in places(labels=early)
    assert ("labels", "4bars") in places(labels=scaled)


def test_overlap_at_a_fold_edge_is_counted() -> None:
    def edged(features: FeatureTable, labels: LabelTable) -> Any:
        times = np.unique(labels.decisions.decided_at)
        ready = np.isfinite(features.values).all(axis=1) & np.isfinite(labels.values[:, 0])
        before = labels.decisions.decided_at < times[300]
        return [(np.flatnonzero(ready & before), np.flatnonzero(ready & ~before))]

    (leak,) = leaks(folds=edged)
    assert (leak.stage, leak.column) == ("folds", "fold 0")
    assert "6 of its" in leak.what  # three of each of two symbols, horizon 4


def test_other_symbols_at_the_same_time_overlap() -> None:
    def by_symbol(features: FeatureTable, labels: LabelTable) -> Any:
        ready = np.isfinite(features.values).all(axis=1) & np.isfinite(labels.values[:, 0])
        code = labels.decisions.symbol_code
        return [(np.flatnonzero(ready & (code == 0)), np.flatnonzero(ready & (code == 1)))]

    assert ("folds", "fold 0") in places(folds=by_symbol)


@pytest.mark.parametrize(("embargo", "found"), [(0, {("folds", "momentum")}), (12, set())])
def test_crossed_folds_want_an_embargo(embargo: int, found: set[tuple[str, str]]) -> None:
    def crossed(features: FeatureTable, labels: LabelTable) -> list[Fold]:
        splitter = SPLITTERS.parse({"split": "purged_kfold", "folds": 3, "embargo": embargo})
        usable = ~np.isnan(features.values.sum(axis=1))
        return splitter.split(labels.decisions, labels.all_known_at, usable)

    assert places(folds=crossed) == found


def test_duplicated_bars_are_found_and_repeats_of_few_values_are_not() -> None:
    (bars,) = [walk(bars=400)]
    days = 70 * 86_400_000_000
    again = bars.records[100:180].copy()
    for name in ("opened_at", "closed_at", "session_open", "session_close"):
        again[name] += days
    again["session"] += 70
    doubled = Bars("WALK", bars.length_us, np.concatenate([bars.records, again]))
    data = Data({"WALK": doubled})
    assert ("folds", "duplicated rows") in places(data)

    def few(data: Data) -> Any:
        return (features(data) > 0).astype(float)

    def ups(data: Data) -> LabelTable:
        found = labels(data)
        rises = np.where(np.isnan(found.values), np.nan, found.values > 0)
        return replace(found, values=rises, returns=rises)

    assert places(features=few, labels=ups, fit=None) == set()


def test_hours_that_come_again_are_no_duplicates() -> None:
    """Time of day and a constant label repeat each day, in stretches of different rows."""

    def hours(data: Data) -> Any:
        at = features(data).reset_index()[["symbol", "decided_at"]]
        return at.assign(hour=at["decided_at"].dt.hour + at["decided_at"].dt.minute / 60)

    def flat(data: Data) -> LabelTable:
        found = labels(data)
        level = np.where(np.isnan(found.values), np.nan, 0.0)
        return replace(found, values=level, returns=level)

    assert places(features=hours, labels=flat, fit=None) == set()


# --- target-like columns --------------------------------------------------------------------------


def vendor(numbers: Any) -> Data:
    """A series that is said to be known at each close, with these numbers."""
    bars = DATA.panel["A"]
    zeros = np.zeros(len(bars), np.int32)
    values = np.nan_to_num(numbers)[:, None]
    known = KnownAt(np.array(bars.closed_at))
    table = SeriesTable(("x",), None, zeros, known, values, bars.closed_at[0])
    return Data({"A": bars}, {"vendor": table})


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_data_that_know_the_answer(noise: float) -> None:
    close = DATA.panel["A"].close
    ahead = np.append(close[4:] / close[:-4] - 1.0, np.zeros(4))
    ahead += noise * ahead.std() * np.random.default_rng(0).normal(size=len(ahead))

    def told(data: Data) -> Any:
        found = features(data)
        at = found.index.get_level_values("decided_at").to_numpy("datetime64[us]")
        found["vendor"] = data.series["vendor"].as_of("A", at)[0][:, 0]  # type: ignore[arg-type]
        return found

    parts: dict[str, Any] = {"features": told, "folds": lambda features, labels: []}
    (leak,) = leaks(vendor(ahead), **parts)
    assert (leak.stage, leak.column) == ("features", "vendor")
    next_return = np.append(close[1:] / close[:-1] - 1.0, 0.0)
    (leak,) = leaks(vendor(next_return), **parts)
    assert "is the return 1 bar later" in leak.what
