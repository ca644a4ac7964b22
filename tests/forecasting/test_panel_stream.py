"""Symbols that look at one another: predicted together, streamed together, the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import barstack as bs
from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.forecasting import Predictor
from barstack.testing import walk

StudyFile = Callable[..., Path]
Table = Callable[[Bars], pl.DataFrame]
N_OLD = 500
WHOLE = {
    "WALK": walk(700),
    "OTHER": walk(700, seed=1, symbol="OTHER"),
    "THIRD": walk(700, seed=2, symbol="THIRD", missing=0.1),
}


@pytest.fixture(scope="module")
def model(
    tmp_path_factory: pytest.TempPathFactory, study_file: StudyFile, table: Table
) -> Predictor:
    folder = tmp_path_factory.mktemp("panel")
    (folder / "bars").mkdir()
    for symbol, bars in WHOLE.items():
        table(bars[:N_OLD]).write_parquet(folder / "bars" / f"{symbol}.parquet")
    features = ["rsi", {"feature": "beta", "params": {"window": 20}}, "market_return", "cross_rank"]
    file = study_file(folder, features=features, members=["ridge"])
    return bs.load(bs.run(file, runs=folder / "runs").folder)


def test_streaming_the_panel_equals_predicting_it(model: Predictor) -> None:
    table = model.trained.features.compute(WHOLE)
    expected = next(iter(model.forecasts(WHOLE).values()))
    begins = max(bars.closed_at[N_OLD] for bars in WHOLE.values())
    stream = model.panel_stream(
        {symbol: bars[: np.searchsorted(bars.closed_at, begins)] for symbol, bars in WHOLE.items()}
    )
    got = {}
    for moment in np.unique(np.concatenate([bars.closed_at for bars in WHOLE.values()])):
        if moment < begins:
            continue
        closing = {}
        for symbol, bars in WHOLE.items():
            row = int(np.searchsorted(bars.closed_at, moment))
            if row < len(bars) and bars.closed_at[row] == moment:
                closing[symbol] = bars[row : row + 1]
        for symbol, forecast in stream.update(closing).items():
            assert forecast is not None
            got[symbol, moment] = forecast.values[0]
    compared = 0
    for row in range(len(expected.decisions)):
        key = (str(expected.decisions.symbol[row]), expected.decisions.decided_at[row])
        if key in got:
            np.testing.assert_allclose(got[key], expected.values[row], rtol=1e-9, atol=1e-15)
            compared += 1
    assert compared > 300
    assert len(table.values) == sum(map(len, WHOLE.values()))


def test_company_must_be_that_of_the_training(model: Predictor) -> None:
    with pytest.raises(ConfigError, match="compare OTHER, THIRD, WALK with one another"):
        model.predict({"WALK": WHOLE["WALK"]})
    with pytest.raises(ConfigError, match=r"compares a symbol with others\. Stream them together"):
        model.stream(symbol="WALK")
    with pytest.raises(DataError, match="Unknown symbol 'SPY'"):
        model.panel_stream().update({"SPY": WHOLE["WALK"][:1]})
    with pytest.raises(DataError, match="all closing at one moment"):
        model.panel_stream().update({"WALK": WHOLE["WALK"][:1], "OTHER": WHOLE["OTHER"][1:2]})


def test_a_panel_stream_serves_features_of_single_symbols_too(two_symbols: bs.Run) -> None:
    model = bs.load(two_symbols.folder)
    bars = two_symbols.bars
    stream = model.panel_stream({symbol: each[:-1] for symbol, each in bars.items()})
    alone = model.stream(bars["WALK"][:-1])
    together = stream.update({symbol: each[-1:] for symbol, each in bars.items()})
    one = alone.update(bars["WALK"][-1:])
    assert one is not None
    assert together["WALK"] is not None
    np.testing.assert_array_equal(one.values, together["WALK"].values)
