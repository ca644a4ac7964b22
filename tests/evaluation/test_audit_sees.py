"""What the audit cannot see it says; what is chosen, remembered, looked up or batched it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import fftconvolve
from tests.evaluation.audit_pipelines import (
    DATA,
    HONEST,
    features,
    fit,
    folds,
    frame,
    labels,
    leaks,
    places,
)

from barstack.bars import bars_from_frame, sessions
from barstack.core.errors import ConfigError, LeakError
from barstack.evaluation import assert_causal
from barstack.evaluation.audit import AuditRecord, Data, Fit, Stage, assert_clean, hunt
from barstack.features import FeatureTable
from barstack.labels import LABELS, LabelTable
from barstack.labels._three_class import ThreeClass
from barstack.splits import Fold
from barstack.testing import walk

WHOLE = features(DATA)


def by_date(data: Data) -> pd.DataFrame:
    """From a notebook's table, whatever the bars say."""
    own = {s: WHOLE.loc[s].reindex(bars.closed_at) for s, bars in data.panel.items()}
    return pd.concat(own, names=["symbol", "decided_at"])


def by_place(data: Data) -> pd.DataFrame:
    parts = {}
    for symbol, bars in data.panel.items():
        index = pd.Index(bars.closed_at, name="decided_at")
        rows = WHOLE.loc[symbol].to_numpy()[: len(bars)]
        parts[symbol] = pd.DataFrame(rows, index, WHOLE.columns)
    return pd.concat(parts, names=["symbol"])


@pytest.mark.parametrize("blind", [lambda data: WHOLE, by_date, by_place])
def test_features_from_elsewhere_cannot_be_seen(blind: Any) -> None:
    found = leaks(features=blind, fit=None)
    assert found
    assert all(leak.blind and "cannot see" in leak.what for leak in found)
    with pytest.raises(LeakError, match="cannot see"):
        assert_clean(replace(HONEST, features=blind, fit=None), DATA)


def test_columns_of_a_function_that_ignores_its_bars_are_told_in_tests() -> None:
    one = frame(DATA.panel["A"])
    with pytest.raises(LeakError, match="cannot see"):
        assert_causal(lambda panel: one.reindex(panel["A"].closed_at), DATA.panel["A"])


def test_labels_and_fits_from_elsewhere_cannot_be_seen() -> None:
    whole = labels(DATA)
    assert any(leak.blind for leak in leaks(labels=lambda data: whole, fit=None))
    kept: dict[int, Fit] = {}

    def memoised(*args: Any) -> Fit:
        return kept.setdefault(args[-1], kept.get(args[-1]) or fit(*args))

    (leak,) = leaks(fit=memoised)
    assert (leak.stage, leak.blind) == ("fit", True)


def calendar(data: Data) -> pd.DataFrame:
    found = features(data).reset_index()
    at = found["decided_at"]
    row = found.groupby("symbol").cumcount()
    return found.assign(hour=at.dt.hour, weekday=at.dt.day_of_week, row=row)


def test_calendars_constants_and_row_numbers_are_let_pass() -> None:
    record = AuditRecord()
    assert list(hunt(replace(HONEST, features=calendar), DATA, record=record)) == []
    assert record.how == "full"
    assert record.seen == ["features", "labels", "fits"]
    assert record.refitted == [2, 1, 0]

    def constant(data: Data) -> pd.DataFrame:
        found = calendar(data)
        return found.assign(one=1.0, year=found["decided_at"].dt.year)

    assert places(features=constant, fit=None) == set()


def test_volume_alone_and_labels_that_never_differ_are_honest() -> None:
    def volume(data: Data) -> pd.DataFrame:
        parts = {
            s: pd.DataFrame({"v": np.log1p(bars.records["volume"])}, pd.Index(bars.closed_at))
            for s, bars in data.panel.items()
        }
        return pd.concat(parts, names=["symbol", "decided_at"])

    def flat(data: Data) -> LabelTable:
        found = labels(data)
        level = np.where(np.isnan(found.values), np.nan, 1.0)
        return replace(found, values=level, returns=level)

    assert [leak for leak in leaks(features=volume, labels=flat, fit=None) if leak.blind] == []


def test_noise_without_a_seed_is_named_and_is_no_leak() -> None:
    def noisy(data: Data) -> pd.DataFrame:
        found = features(data)
        return found.assign(noise=np.random.default_rng().normal(size=len(found)))

    with pytest.raises(ConfigError, match="'noise': not deterministic"):
        leaks(features=noisy, fit=None)


def test_rounding_of_a_causal_filter_by_fft_is_no_leak() -> None:
    def filtered(data: Data) -> pd.DataFrame:
        found = features(data)
        weights = np.exp(-np.arange(32) / 8.0)
        made = [
            fftconvolve(np.diff(np.log(bars.close), prepend=np.log(bars.close[0])), weights)
            for bars in data.panel.values()
        ]
        sizes = [len(bars) for bars in data.panel.values()]
        return found.assign(fft=np.concatenate([m[:n] for m, n in zip(made, sizes, strict=True)]))

    assert places(features=filtered, fit=None) == set()


@pytest.mark.parametrize("what", ["moved", "early"])
def test_rows_that_are_tested_for_what_came_of_them(what: str) -> None:
    def chosen(features: FeatureTable, labels: LabelTable) -> list[Fold]:
        found = []
        for fold in folds(features, labels):
            size = np.abs(labels.returns[fold.test, 0])
            if what == "early":
                size = -(labels.all_known_at - labels.decisions.decided_at)[fold.test].astype(float)
            found.append(replace(fold, test=fold.test[size >= np.nanquantile(size, 0.3)]))
        return found

    assert ("folds", "fold 0") in places(folds=chosen, fit=None)


def test_a_leak_in_one_fold_is_found_whichever_it_is() -> None:
    def middle(*args: Any) -> Fit:
        return fit(*args, scaled_on="all" if args[-1] == 1 else None)

    assert places(fit=middle) == {("scaler", "move")}


def test_a_fit_that_remembers_and_one_that_opens_a_file(tmp_path: Path) -> None:
    seen = [0.0]

    def remembers(
        data: Data, features: FeatureTable, labels: LabelTable, folds: Sequence[Fold], number: int
    ) -> Fit:
        found = fit(data, features, labels, folds, number)
        seen.append(float(labels.values[folds[number].train].mean()))
        return Fit([*found.stages, Stage("drift", {"was": np.array([seen[-2]])})], found.forecast)

    (leak,) = leaks(fit=remembers)
    assert (leak.stage, leak.blind) == ("drift", False)
    assert "remembers" in leak.what
    np.save(tmp_path / "answers.npy", np.zeros(3))

    def opens(*args: Any) -> Fit:
        np.load(tmp_path / "answers.npy")
        return fit(*args)

    (leak,) = leaks(fit=opens)
    assert (leak.stage, leak.column) == ("fit", "files")
    assert "answers.npy" in leak.what


def test_a_fit_that_joins_what_it_keeps_by_date() -> None:
    known = np.random.default_rng(0).normal(size=60_000)

    def joins(
        data: Data, features: FeatureTable, labels: LabelTable, folds: Sequence[Fold], number: int
    ) -> Fit:
        found = fit(data, features, labels, folds, number)
        days = features.decisions.decided_at[folds[number].test].astype("datetime64[D]").astype(int)
        assert found.forecast is not None
        return Fit(found.stages, found.forecast + known[days])

    (leak,) = leaks(fit=joins)
    assert "28 years later" in leak.what


def test_a_hole_that_the_calendar_explains_in_its_own_year_alone() -> None:
    """The market was closed for a week in September 2001, and is not in 2029."""
    closed = sessions("XNYS").close
    days = pd.to_datetime(closed[(closed > 990_000_000e6) & (closed < 1_030_000_000e6)], unit="us")
    drawn = walk(bars=len(days)).records
    table = {name: drawn[name] for name in ("open", "high", "low", "close", "volume")}
    bars = bars_from_frame(
        pd.DataFrame(table, days.strftime("%Y-%m-%d").rename("date")), "DAY", calendar="XNYS"
    )
    label = LABELS.parse({"label": "three_class_quantiles", "horizons": [4]})

    def fits(
        data: Data, features: FeatureTable, labels: LabelTable, folds: Sequence[Fold], number: int
    ) -> Fit:
        learned = label.fit(data.panel, folds[number].train)
        assert isinstance(learned, ThreeClass)
        own = fit(data, features, labels, folds, number)
        return Fit([Stage("label", {"at": np.array(learned.threshold_bps)}), *own.stages])

    assert leaks(Data({"DAY": bars}), fit=fits) == []


def test_each_forecast_stands_for_itself() -> None:
    def batched(*args: Any) -> Fit:
        found = fit(*args)
        beta, number = found.stages[1].learned["beta"], args[-1]

        def predict(features: FeatureTable, rows: Any) -> Any:
            said = np.nan_to_num(features.values[rows]) @ beta
            extreme = np.abs(said) >= np.quantile(np.abs(said), 0.995)
            return np.where(extreme, said.mean(), said)

        rows = args[3][number].test
        return Fit(found.stages, predict(args[1], rows), predict)

    assert ("forecast", "forecast") in places(fit=batched)
