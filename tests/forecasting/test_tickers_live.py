"""Members that tell tickers apart forecast live as they do from history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import barstack as bs
from barstack.bars import Bars
from barstack.core.errors import DataError
from barstack.forecasting import Predictor, load
from barstack.testing import walk

SYMBOLS = ("A", "B")


@pytest.fixture(scope="module")
def predictor(
    tmp_path_factory: pytest.TempPathFactory, table: Callable[[Bars], pl.DataFrame]
) -> Predictor:
    folder: Path = tmp_path_factory.mktemp("tickers")
    (folder / "bars").mkdir()
    for place, symbol in enumerate(SYMBOLS):
        table(walk(500, seed=place, symbol=symbol)).write_parquet(
            folder / "bars" / f"{symbol}.parquet"
        )
    (folder / "study.yaml").write_text(
        "bars: {provider: files, path: bars}\nfeatures: [rsi, body]\n"
        "label: {label: return, horizons: [2]}\nsplit: {split: walk_forward, folds: 2}\n"
        "members: {own: {model: per_ticker, of: ridge}, pooled: {model: ridge}}\n"
    )
    return load(bs.run(folder / "study.yaml", runs=folder / "runs").folder)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_stream_says_what_a_batch_says(predictor: Predictor, symbol: str, fast: bool) -> None:
    bars = walk(700, seed=SYMBOLS.index(symbol), symbol=symbol)
    batch = predictor.forecasts(bars)["own"].values[-20:, 0, 0]
    asked = predictor.fast() if fast else predictor
    stream = asked.stream(bars[:-20])
    live = [stream.update(bars[row : row + 1]) for row in range(680, 700)]
    ensemble = next(iter(predictor.forecasts(bars).values())).values[-20:, 0, 0]
    said = np.array([np.nan if each is None else each.values[0, 0, 0] for each in live])
    np.testing.assert_allclose(said, ensemble, rtol=0, atol=1e-5 * max(batch.std(), 1e-12))


def test_a_row_says_whose_it_is(predictor: Predictor) -> None:
    row = {"rsi_14": 55.0, "body": 0.2}
    row = dict(zip(predictor.trained.features.columns, row.values(), strict=True))
    said = {symbol: predictor.predict_row(row, symbol=symbol)["own"] for symbol in SYMBOLS}
    assert said["A"] != said["B"]
    with pytest.raises(DataError, match="say whose it is with symbol="):
        predictor.predict_row(row)
    with pytest.raises(DataError, match="C is none of the tickers"):
        predictor.predict_row(row, symbol="C")
