"""Cross-symbol features against plain pandas, on panels with missing bars and late beginners."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from barstack.bars import Bars
from barstack.core.errors import ConfigError, DataError
from barstack.features import Feature, FeatureSet
from barstack.testing import walk
from barstack.testing._features import company, compute

BARS = walk(700, missing=0.05)
PANEL = company(BARS)
CLOSE = pd.DataFrame(
    {symbol: pd.Series(bars.close, bars.closed_at) for symbol, bars in PANEL.items()}
)
OTHERS = [symbol for symbol in PANEL if symbol != BARS.symbol]


def returns() -> pd.DataFrame:
    """Log return of each symbol since its own bar before; NaN where it has none."""
    return pd.DataFrame({name: np.log(each.dropna()).diff() for name, each in CLOSE.items()})


def market() -> pd.Series:
    """Mean return of the others at each bar of the first symbol, summed over its gaps."""
    moves = returns()
    everyone = moves.mean(axis=1).fillna(0.0)
    now = moves[OTHERS].mean(axis=1).fillna(0.0)
    own = CLOSE[BARS.symbol].notna()
    between = everyone.where(~own, 0.0).cumsum()[own].diff()
    return (now[own] + between).iloc[1:]


def own_returns() -> pd.Series:
    return returns()[BARS.symbol].dropna()


def test_market_return_and_relative_strength() -> None:
    want = market().rolling(5).sum()
    got = compute(Feature(feature="market_return", params={"window": 5}), BARS)[1:]
    np.testing.assert_allclose(got, want, atol=1e-12)
    got = compute(Feature(feature="relative_strength", params={"window": 5}), BARS)[1:]
    np.testing.assert_allclose(got, own_returns().rolling(5).sum() - want, atol=1e-12)


def test_beta_residual_and_correlation() -> None:
    x, y = market(), own_returns()
    slope = y.rolling(60).cov(x) / x.rolling(60).var()
    np.testing.assert_allclose(compute(Feature(feature="beta"), BARS)[1:], slope, rtol=1e-8)
    residual = y - y.rolling(60).mean() - slope * (x - x.rolling(60).mean())
    got = compute(Feature(feature="residual_return"), BARS)[1:]
    np.testing.assert_allclose(got, residual, atol=1e-12)
    got = compute(Feature(feature="market_correlation"), BARS)[1:]
    np.testing.assert_allclose(got, y.rolling(60).corr(x), rtol=1e-8)


def test_breadth_dispersion_and_rank() -> None:
    moves = returns()
    own = moves.loc[own_returns().index]
    rose = (own[OTHERS] > 0).sum(axis=1) / own[OTHERS].notna().sum(axis=1)
    got = compute(Feature(feature="breadth"), BARS)[1:]
    np.testing.assert_allclose(got, rose.fillna(0.5), atol=1e-12)
    got = compute(Feature(feature="dispersion"), BARS)[1:]
    np.testing.assert_allclose(got, own.std(axis=1, ddof=0), atol=1e-9)
    lower = own[OTHERS].lt(own[BARS.symbol], axis=0).sum(axis=1)
    rank = lower / own[OTHERS].notna().sum(axis=1)
    np.testing.assert_allclose(compute(Feature(feature="cross_rank"), BARS)[1:], rank.fillna(0.5))


def test_one_symbol_alone_is_refused() -> None:
    features = FeatureSet(features=(Feature(feature="beta"), Feature(feature="rsi")))
    with pytest.raises(ConfigError, match="beta_60: compares a symbol with others, and there"):
        features.compute(BARS)
    with pytest.raises(ConfigError, match=r"beta_60: compares a symbol with others\. Stream them"):
        features.stream(BARS.length_us)
    with pytest.raises(ConfigError, match="'beta' uses other symbols and takes no timeframe 1d"):
        Feature(feature="beta", timeframe="1d")


def test_a_panel_waits_for_all_bars_of_a_moment() -> None:
    stream = FeatureSet(features=(Feature(feature="beta"),)).panel_stream(["A", "B"], 1_800_000_000)
    first, second = (BARS.records[row : row + 1] for row in (0, 1))
    with pytest.raises(DataError, match="one bar of each symbol, all closing at one moment"):
        stream.update({"A": first, "B": second})
    stream.update({"A": second})
    with pytest.raises(DataError, match="Give all bars of a moment together"):
        stream.update({"B": second})
    with pytest.raises(DataError, match="Unknown symbol 'C'"):
        stream.update({"C": BARS.records[5:6]})


def test_threads_change_nothing() -> None:
    features = FeatureSet(features=(Feature(feature="beta"), Feature(feature="rsi")))
    one, three = (features.compute(PANEL, threads=threads).values for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_what_others_do_later_changes_nothing() -> None:
    features = FeatureSet(features=(Feature(feature="beta"),))
    whole = features.compute(PANEL)
    since = BARS.closed_at[400]
    changed = {}
    for symbol, bars in PANEL.items():
        records = bars.records.copy()
        records["close"][bars.closed_at >= since] *= 2.0
        changed[symbol] = Bars(symbol, bars.length_us, records)
    early = whole.decisions.decided_at < since
    np.testing.assert_array_equal(features.compute(changed).values[early], whole.values[early])
