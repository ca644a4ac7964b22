"""The audit of fits, and the doors through which people's own tables come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.evaluation.audit_pipelines import (
    DATA,
    features,
    fit,
    folds,
    frame,
    labels,
    leaks,
    places,
)

from barstack import Feature, FeatureSet
from barstack.core.errors import ConfigError, DataError, LeakError
from barstack.core.times import TrainedThrough
from barstack.evaluation import assert_causal, find_leaks
from barstack.evaluation.audit import Data, Fit, Stage
from barstack.features import FeatureTable
from barstack.labels import LABELS, LabelTable
from barstack.splits import Fold

# --- fits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["all", "test"])
def test_scaler_and_member_on_the_wrong_rows(rows: str) -> None:
    (leak,) = leaks(fit=partial(fit, scaled_on=rows))
    assert (leak.stage, leak.column) == ("scaler", "move")
    assert "features of tested rows are altered" in leak.what
    (leak,) = leaks(fit=partial(fit, weighed_on=rows))
    assert (leak.stage, leak.column) == ("member", "move")
    assert "labels outside its training are altered" in leak.what


def changed(stage: int, **parts: Any) -> Any:
    """The honest fit, one of whose stages says something else."""

    def made(
        data: Data, features: FeatureTable, labels: LabelTable, folds: Sequence[Fold], number: int
    ) -> Fit:
        found = fit(data, features, labels, folds, number)
        stages = list(found.stages)
        own = {name: make(labels, folds[number]) for name, make in parts.items()}
        stages[stage] = replace(stages[stage], **own)
        return Fit(stages, found.forecast)

    return made


def test_what_stages_say_of_their_rows() -> None:
    def halves(labels: LabelTable, fold: Fold) -> dict[str, Any]:
        return {"early stopping": fold.train[len(fold.train) // 2 :]}

    assert places(fit=changed(1, disjoint_from=halves)) == {("member", "early stopping")}
    found = places(fit=changed(1, rows=lambda labels, fold: fold.test))
    assert found == {("member", "test"), ("member", "trained_through")}


def test_claims_of_trained_through() -> None:
    def early(labels: LabelTable, fold: Fold) -> Any:
        return labels.all_known_at[fold.train].max() - np.timedelta64(1, "h")

    def late(labels: LabelTable, fold: Fold) -> Any:
        return TrainedThrough(labels.decisions.decided_at[fold.test].max())

    for claim in (early, late):
        assert places(fit=changed(0, trained_through=claim)) == {("scaler", "trained_through")}


def test_a_test_that_is_scaled_by_itself() -> None:
    def by_itself(*args: Any) -> Fit:
        found = fit(*args)
        assert found.forecast is not None
        return Fit(found.stages, found.forecast / np.nanstd(found.forecast))

    assert places(fit=by_itself) == {("forecast", "forecast")}


def test_fits_that_read_bars_after_the_test_begins() -> None:
    def barriers(data: Data, *args: Any) -> Fit:
        found = fit(data, *args)
        width = np.mean([np.diff(np.log(bars.close)).std() for bars in data.panel.values()])
        return Fit([Stage("barriers", {"width": np.array([width])}), *found.stages], found.forecast)

    (leak,) = leaks(fit=barriers)
    assert (leak.stage, leak.column) == ("barriers", "width")
    assert "bars after the test begins" in leak.what


def test_fits_without_a_seed_are_refused() -> None:
    rng = np.random.default_rng()

    def unseeded(*args: Any) -> Fit:
        found = fit(*args)
        return Fit([*found.stages, Stage("network", {"w": rng.normal(size=3)})], found.forecast)

    with pytest.raises(ConfigError, match=r"'network' of fold 2 gives other numbers .* seeds"):
        leaks(fit=unseeded)


def test_an_error_of_a_refit_says_why_it_was_made() -> None:
    def fragile(data: Data, features: FeatureTable, labels: LabelTable, *args: Any) -> Fit:
        if np.nanmax(np.abs(labels.values)) > 0.5:
            raise ZeroDivisionError
        return fit(data, features, labels, *args)

    with pytest.raises(ZeroDivisionError) as caught:
        leaks(fit=fragile)
    assert "fitted again, with numbers altered" in caught.value.__notes__[0]


# --- people's own tests ---------------------------------------------------------------------------


def test_functions_of_bars_are_audited_alone() -> None:
    def honest(panel: Any) -> pd.DataFrame:
        return frame(panel["A"])

    def late(panel: Any) -> pd.DataFrame:
        return honest(panel).assign(late=panel["A"].close.max())

    assert_causal(honest, DATA.panel["A"])
    with pytest.raises(LeakError, match="'late' of A"):
        assert_causal(late, DATA.panel["A"])
    assert_causal(FeatureSet(features=[Feature(feature="rsi")]), DATA.panel)
    assert list(find_leaks(features_of_panel, DATA.panel)) == []


def features_of_panel(panel: Any) -> Any:
    return features(Data(panel)).reset_index()


def test_moments_with_a_zone_are_read_in_utc() -> None:
    def eastern(data: Data) -> pd.DataFrame:
        found = features(data).reset_index()
        found["decided_at"] = found["decided_at"].dt.tz_localize("UTC").dt.tz_convert("US/Eastern")
        return found

    assert places(features=eastern) == set()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (lambda data: [1, 2], "is a list. Give a FeatureTable"),
        (lambda data: features(data).reset_index(drop=True), "Name the moment of each decision"),
        (lambda data: pd.concat([features(data)] * 2), "two rows of A decided at"),
        (lambda data: features(data).assign(word="x"), "Column 'word' holds"),
        (lambda data: features(data).iloc[:-3], "Give both for the same ones"),
    ],
)
def test_tables_that_cannot_be_read(given: Any, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        leaks(features=given)


def test_labels_may_come_as_a_table() -> None:
    table = labels(DATA)

    def as_frame(data: Data) -> pd.DataFrame:
        found = labels(data)
        columns = {
            "symbol": found.decisions.symbol,
            "decided_at": found.decisions.decided_at,
            "known_at": found.known_at[:, 0],
            "ahead": found.values[:, 0],
        }
        return pd.DataFrame(columns)

    assert places(labels=as_frame) == set()
    assert np.isfinite(table.values).any()
    with pytest.raises(DataError, match="known_at"):
        leaks(labels=lambda data: as_frame(data).drop(columns="known_at"))


def test_every_label_of_ours_passes() -> None:
    for name in LABELS.names():
        if name in ("meta", "genetic_barriers") or LABELS.get(name).fitted:
            continue
        label = LABELS.parse({"label": name, "horizons": [3, "1d"]})
        made = partial(_labels_of, label)
        assert places(labels=made, fit=None) == set(), name


def _labels_of(label: Any, data: Data) -> LabelTable:
    found: LabelTable = label.compute(data.panel)
    return found


def test_folds_are_those_of_the_shared_pipeline() -> None:
    """The honest pipeline really has folds to be refitted."""
    table = labels(DATA)
    made = FeatureTable(table.decisions, ("x",), np.zeros((len(table.decisions), 1)))
    assert len(folds(made, table)) == 3
