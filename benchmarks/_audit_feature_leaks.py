"""Mistakes in columns of the features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from _audit_bars import frame_of, news_frame
from _audit_features import bar_us, join, smoothed, steps
from _audit_leaks import column

from barstack.evaluation.audit import Data

# --- one column each -----------------------------------------------------------------------------


def _centred(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["close"] / frame["close"].rolling(9, center=True).mean() - 1.0


def _unclosed(frame: pd.DataFrame, data: Data) -> pd.Series:
    """The longer bar that a bar lies in, as it will have closed."""
    length = pd.Timedelta(6 * bar_us(data), "us")
    longer = frame.groupby(frame["opened_at"].dt.floor(length))["close"].transform("last")
    return frame["close"] / longer - 1.0


def _wrong_side(frame: pd.DataFrame, data: Data) -> pd.Series:
    """Longer bars that carry the label of their start, joined by it."""
    length = pd.Timedelta(6 * bar_us(data), "us")
    longer = frame["close"].resample(length, label="left", closed="right").last().dropna()
    told = longer.pct_change().rename("mood").rename_axis("at").reset_index()
    return join(frame, told, "at")


def _all_scores(frame: pd.DataFrame, data: Data) -> pd.Series:
    moves = steps(frame).rolling(5).mean()
    return (moves - moves.mean()) / moves.std()


def _all_ranks(frame: pd.DataFrame, data: Data) -> pd.Series:
    return steps(frame).rank(pct=True)


def _clipped(frame: pd.DataFrame, data: Data) -> pd.Series:
    moves = steps(frame)
    low, high = moves.quantile([0.05, 0.95]).to_numpy()
    return moves.clip(float(low), float(high))


def _wrong_clock(frame: pd.DataFrame, data: Data) -> pd.Series:
    told = news_frame(data.series["news"]).sort_values("about")
    return join(frame, told, "about")


def _midnight(frame: pd.DataFrame, data: Data) -> pd.Series:
    """A day's close under its date, joined by date."""
    days = pd.DatetimeIndex(frame.index).floor("D")
    daily = frame["close"].groupby(days).last()
    return frame["close"] / pd.Series(days, frame.index).map(daily) - 1.0


def _whole_day_volume(frame: pd.DataFrame, data: Data) -> pd.Series:
    total = frame.groupby("session")["close"].transform("count")
    size = frame["volume"] + frame["high"] - frame["low"]  # some markets have no volume
    return size / size.groupby(frame["session"]).transform("sum") * total


def _day_high(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["close"] / frame.groupby("session")["high"].transform("max") - 1.0


def _backfilled(frame: pd.DataFrame, data: Data) -> pd.Series:
    told = news_frame(data.series["news"]).sort_values("known_at")
    told["mood"] = told["mood"].bfill()
    return join(frame, told, "known_at")


def _interpolated(frame: pd.DataFrame, data: Data) -> pd.Series:
    return (
        join(frame, news_frame(data.series["news"]), "known_at")
        .where(steps(frame).abs() > 2e-4)
        .interpolate()
    )


def _warm_start(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["close"].pct_change(20).bfill()


def _mean_filled(frame: pd.DataFrame, data: Data) -> pd.Series:
    moves = frame["close"].pct_change(15)
    return moves.fillna(moves.mean())


def _spectral(frame: pd.DataFrame, data: Data) -> pd.Series:
    waves = np.fft.rfft(np.log(frame["close"].to_numpy()))
    waves[len(waves) // 20 :] = 0.0
    smooth = np.fft.irfft(waves, len(frame))
    return pd.Series(np.log(frame["close"].to_numpy()) - smooth, frame.index)


def _peak(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["close"] / float(frame["close"].max()) - 1.0


def _main_component(frame: pd.DataFrame, data: Data) -> pd.Series:
    moves = np.column_stack([steps(frame).shift(lag).fillna(0.0) for lag in range(5)])
    vectors = np.linalg.svd(moves - moves.mean(axis=0), full_matrices=False)[2]
    return pd.Series(moves @ vectors[0], frame.index)


def _turned_lag(frame: pd.DataFrame, data: Data) -> pd.Series:
    return steps(frame).shift(-2)


def _detrended(frame: pd.DataFrame, data: Data) -> pd.Series:
    price, at = np.log(frame["close"].to_numpy()), np.arange(len(frame))
    return pd.Series(price - np.polyval(np.polyfit(at, price, 1), at), frame.index)


def _turning_points(frame: pd.DataFrame, data: Data) -> pd.Series:
    """Zigzag: tops and bottoms, which are seen to be so some bars later."""
    high = frame["high"].rolling(7, center=True).max() == frame["high"]
    low = frame["low"].rolling(7, center=True).min() == frame["low"]
    return (high.astype(float) - low).replace(0.0, np.nan).ffill()


def _next_open(frame: pd.DataFrame, data: Data) -> pd.Series:
    return frame["open"].shift(-1) / frame["high"] - 1.0


def _neighbour(frame: pd.DataFrame, data: Data) -> pd.Series:
    """What the other symbol does in the bar that opens now."""
    other = frame_of(list(data.panel.values())[-1])
    return other["close"].shift(-1).reindex(frame.index, method="ffill") / frame["close"]


column("centred rolling mean", _centred)
column("unclosed higher bar", _unclosed)
column("resampled under the wrong label side", _wrong_side)
column("feature scored over all rows", _all_scores)
column("feature ranked over all rows", _all_ranks)
column("feature clipped by quantiles of all rows", _clipped)
column("as-of join on the wrong clock", _wrong_clock)
column("daily bar used at midnight", _midnight)
column("volume of the whole session", _whole_day_volume)
column("normalised by the day's high", _day_high)
column("regime smoothing", smoothed)
column("series filled from the future", _backfilled)
column("holes interpolated", _interpolated)
column("warm-up filled backwards", _warm_start)
column("filled with the mean of all rows", _mean_filled)
column("low-pass filter of the whole series", _spectral)
column("distance from the peak of all time", _peak)
column("main component of all rows", _main_component)
column("lag of the wrong sign", _turned_lag)
column("trend line through all rows", _detrended)
column("turning points", _turning_points)
column("the next bar's open", _next_open)
column("symbol leak at the same time", _neighbour, symbols=2)
