"""Features against TA-Lib where it has them, and against plain pandas for the rest, to 1e-9."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import talib

from barstack.bars import Bars, resample
from barstack.core.times import DAY_US
from barstack.features import Feature, FeatureSet
from barstack.testing import walk

BARS = walk(3000, seed=4, missing=0.02)
# Any: the stubs of pandas lose series in numpy's functions.
FRAME: Any = pd.DataFrame({name: BARS.records[name] for name in BARS.records.dtype.names or ()})
COLUMNS: Any = (FRAME[name] for name in ("open", "high", "low", "close", "volume"))
O, H, L, C, V = COLUMNS  # noqa: E741 (the field's letters)
TYPICAL = (H + L + C) / 3
LOG: Any = np.log(C / C.shift())
Column = npt.NDArray[np.float64]


def compute(name: str, bars: Bars = BARS, **params: int) -> Column:
    return FeatureSet(features=(Feature(feature=name, params=params),)).compute(bars).values[:, 0]


def _slope(values: Column) -> float:
    return float(np.polyfit(np.arange(len(values)), values, 1)[0])


def _macd() -> Any:
    macd = C.ewm(span=12, adjust=False).mean() - C.ewm(span=26, adjust=False).mean()
    # The signal line begins where both means are past their warm-up.
    signal = macd.iloc[25:].ewm(span=9, adjust=False).mean()
    return (macd - signal) / C


def _vwap() -> Any:
    return C / ((TYPICAL * V).rolling(20).sum() / V.rolling(20).sum()) - 1


def _streak() -> Any:
    sign = np.sign(C.diff())
    run = sign.groupby((sign != sign.shift()).cumsum()).cumcount() + 1
    return sign * run


def _gap() -> Any:
    first = FRAME.groupby("session")["open"].first()
    last = FRAME.groupby("session")["close"].last()
    gap = np.log(first / last.shift()).fillna(0.0)
    return FRAME["session"].map(gap)


def _prior_session() -> Any:
    high = FRAME.groupby("session")["high"].max().shift()
    low = FRAME.groupby("session")["low"].min().shift()
    position = (C - FRAME["session"].map(low)) / FRAME["session"].map(high - low)
    return position.fillna(0.5)


def _autocorrelation() -> Any:
    before = LOG.shift()
    squares = (LOG**2).where(before.notna()).rolling(20).sum() * (before**2).rolling(20).sum()
    return (LOG * before).rolling(20).sum() / np.sqrt(squares)


# Differences in convention are named where there are any.
TALIB: dict[str, Callable[[], Any]] = {
    "rsi": lambda: talib.RSI(C, 14),
    # TA-Lib's WILLR is the same position seen from the other end, times -100.
    "stochastic": lambda: 1 + talib.WILLR(H, L, C, 14) / 100,
    "cci": lambda: talib.CCI(H, L, C, 20),
    "aroon": lambda: talib.AROONOSC(H, L, 25),
    "atr": lambda: talib.ATR(H, L, C, 14) / C,
    "money_flow_index": lambda: talib.MFI(H, L, C, V, 14),
    "sma_distance": lambda: C / talib.SMA(C, 20) - 1,
    "regression_slope": lambda: talib.LINEARREG_SLOPE(C, 20) / C,
    # TA-Lib divides by n, we by n - 1.
    "bollinger_width": lambda: 4 * talib.STDDEV(C, 20) * np.sqrt(20 / 19) / talib.SMA(C, 20),
}
PANDAS: dict[str, Callable[[], Any]] = {
    "log_return": lambda: LOG,
    "ema_distance": lambda: C / C.ewm(span=20, adjust=False).mean() - 1,
    "ema_slope": lambda: C.ewm(span=20, adjust=False).mean().pct_change(5),
    "macd_histogram": _macd,
    "regression_slope": lambda: C.rolling(20).apply(_slope, raw=True) / C,
    "efficiency": lambda: C.diff(20).abs() / C.diff().abs().rolling(20).sum(),
    "realized_volatility": lambda: LOG.rolling(20).std(),
    "parkinson": lambda: np.sqrt((np.log(H / L) ** 2).rolling(20).mean() / (4 * np.log(2))),
    "garman_klass": lambda: np.sqrt(
        (0.5 * np.log(H / L) ** 2 - (2 * np.log(2) - 1) * np.log(C / O) ** 2).rolling(20).mean()
    ),
    "bollinger_position": lambda: (C - C.rolling(20).mean()) / C.rolling(20).std(),
    "downside_share": lambda: (
        (LOG.clip(upper=0) ** 2).rolling(20).sum() / (LOG**2).rolling(20).sum()
    ),
    "relative_volume": lambda: np.log((1 + V) / (1 + V.rolling(20).mean())),
    "volume_zscore": lambda: (V - V.rolling(20).mean()) / V.rolling(20).std(),
    "vwap_distance": _vwap,
    "signed_volume": lambda: ((C - O) / (H - L) * V).rolling(20).sum() / V.rolling(20).sum(),
    "body": lambda: (C - O) / (H - L),
    "upper_wick": lambda: (H - np.maximum(O, C)) / (H - L),
    "lower_wick": lambda: (np.minimum(O, C) - L) / (H - L),
    "wick_balance": lambda: (
        ((np.minimum(O, C) - L) - (H - np.maximum(O, C))) / ((H - L) - (C - O).abs())
    ),
    "log_volume": lambda: np.log1p(V),
    "gap": _gap,
    "streak": _streak,
    "distance_to_high": lambda: np.log(C / H.rolling(50).max()),
    "distance_to_low": lambda: np.log(C / L.rolling(50).min()),
    "session_position": lambda: (
        (C - L.groupby(FRAME["session"]).cummin())
        / (H.groupby(FRAME["session"]).cummax() - L.groupby(FRAME["session"]).cummin())
    ),
    "prior_session_position": _prior_session,
    "session_progress": lambda: (
        (FRAME["closed_at"] - FRAME["session_open"])
        / (FRAME["session_close"] - FRAME["session_open"])
    ),
    "minutes_to_close": lambda: (FRAME["session_close"] - FRAME["closed_at"]) / 6e7,
    "autocorrelation": _autocorrelation,
    "skewness": lambda: (LOG**3).rolling(20).mean() / (LOG**2).rolling(20).mean() ** 1.5,
}


@pytest.mark.parametrize("name", TALIB)
def test_against_talib(name: str) -> None:
    _agree(compute(name), np.asarray(TALIB[name]()))


@pytest.mark.parametrize("name", PANDAS)
def test_against_pandas(name: str) -> None:
    _agree(compute(name), PANDAS[name]().to_numpy())


def test_adx_approaches_talib() -> None:
    # TA-Lib sums where Wilder averages and drops the first value of its sums, so the two start
    # apart and meet as the start is forgotten.
    ours, theirs = compute("adx"), talib.ADX(H, L, C, 14)
    np.testing.assert_allclose(ours[600:], theirs[600:], rtol=1e-9)


def test_time_of_day_and_week_turn_once() -> None:
    closed_at: Any = pd.to_datetime(FRAME["closed_at"], unit="us", utc=True)
    turn: Any = (closed_at.dt.hour * 60 + closed_at.dt.minute) / 1440 * 2 * np.pi
    _agree(compute("time_of_day_sin"), np.sin(turn).to_numpy())
    _agree(compute("time_of_day_cos"), np.cos(turn).to_numpy())
    day: Any = pd.to_datetime(FRAME["session"], unit="D").dt.day_of_week * 2 * np.pi / 7
    _agree(compute("day_of_week_sin"), np.sin(day).to_numpy())
    _agree(compute("day_of_week_cos"), np.cos(day).to_numpy())


def test_a_higher_timeframe_is_the_feature_of_closed_higher_bars() -> None:
    daily = resample(BARS, DAY_US)["WALK"]
    on_days = pd.Series(compute("rsi", daily), index=daily.closed_at)
    features = FeatureSet(features=(Feature(feature="rsi", timeframe="1d"),))
    got = features.compute(BARS).values[:, 0]
    # A day is known with its last bar, or, where that is missing, with the first bar after it.
    place = np.searchsorted(daily.closed_at, BARS.closed_at, side="right") - 1
    expected = np.where(place >= 0, on_days.to_numpy()[np.maximum(place, 0)], np.nan)
    np.testing.assert_array_equal(got, expected)


def test_sums_do_not_drift() -> None:
    rng = np.random.default_rng(0)
    long = walk(20_000, seed=1)
    records = np.tile(long.records, 10)
    records["volume"] = rng.lognormal(12, 3, len(records))  # sums over many magnitudes
    bars = Bars("LONG", long.length_us, records)
    frame: Any = pd.DataFrame({name: records[name] for name in ("close", "volume")}).tail(2000)
    volume, close = frame["volume"], frame["close"]
    tail = slice(-1900, None)
    fresh = np.log((1 + volume) / (1 + volume.rolling(20).mean())).to_numpy()
    np.testing.assert_allclose(compute("relative_volume", bars)[tail], fresh[tail], rtol=1e-9)
    spread = (close - close.rolling(20).mean()) / close.rolling(20).std()
    got = compute("bollinger_position", bars)[tail]
    np.testing.assert_allclose(got, spread.to_numpy()[tail], rtol=1e-9, atol=1e-9)


def _agree(ours: Column, theirs: Column) -> None:
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    # What ours marks as warm-up may have a value there; the reverse would be a made-up number.
    assert both.sum() == (~np.isnan(ours)).sum() > 2800
    np.testing.assert_allclose(ours[both], theirs[both], rtol=1e-9, atol=1e-9)
