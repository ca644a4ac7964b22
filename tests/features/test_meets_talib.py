"""Features that begin otherwise than TA-Lib's come to the same once the beginning is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import talib
from tests.features.oracle import frame_of

from barstack.features import Feature, FeatureSet
from barstack.testing import walk

BARS = walk(2500, seed=4, missing=0.02)
FORGOTTEN = 1200  # bars


def _di(f: Any) -> Any:
    prices = f["high"], f["low"], f["close"]
    return talib.PLUS_DI(*prices, 14) - talib.MINUS_DI(*prices, 14)


TALIB: dict[str, Callable[[Any], Any]] = {
    "adx": lambda f: talib.ADX(f["high"], f["low"], f["close"], 14),
    "di_difference": _di,
    "ema_distance": lambda f: f["close"] / talib.EMA(f["close"], 20) - 1,
    "dema_distance": lambda f: f["close"] / talib.DEMA(f["close"], 20) - 1,
    "tema_distance": lambda f: f["close"] / talib.TEMA(f["close"], 20) - 1,
    "macd": lambda f: talib.MACD(f["close"], 12, 26, 9)[0] / f["close"],
    "macd_histogram": lambda f: talib.MACD(f["close"], 12, 26, 9)[2] / f["close"],
    "trix": lambda f: talib.TRIX(f["close"], 15) / 100,
    "true_strength": lambda f: talib.TSI(f["close"], 25, 13),
    "ultimate_oscillator": lambda f: talib.ULTOSC(f["high"], f["low"], f["close"]),
    "efficiency": lambda f: talib.ER(f["close"], 20),
    "vortex": lambda f: np.subtract(*talib.VORTEX(f["high"], f["low"], f["close"], 14)),
}


@pytest.mark.parametrize("name", TALIB)
def test_feature_meets_talib(name: str) -> None:
    features = FeatureSet(features=(Feature(feature=name),))
    ours = features.compute(BARS).values[FORGOTTEN:, 0]
    theirs = np.asarray(TALIB[name](frame_of(BARS)), float)[FORGOTTEN:]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).mean())
