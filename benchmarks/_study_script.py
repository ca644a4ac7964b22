"""The study of `study.py` as a plain script: pandas, scikit-learn and the boosters' own packages.

    python _study_script.py BARS_FOLDER OUT_FOLDER

It imports nothing of barstack and is written as somebody would who knows these libraries well:
whole columns at a time, numpy windows where pandas has no method, boosters with the threads that
they take by default. It leaves out what such scripts leave out: sessions with half days, bad
prints, an audit, a verdict, a report.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import joblib  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
from catboost import CatBoostRegressor
from lightgbm import LGBMRegressor, early_stopping
from numpy.lib.stride_tricks import sliding_window_view
from scipy.optimize import nnls
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBRegressor

HORIZONS = {"12bars": 12, "48bars": 48}
FOLDS, FIRST_TRAIN, STOP_SHARE = 5, 0.4, 0.15
TREES, RATE, DEPTH, PATIENCE = 200, 0.05, 4, 20
MEMBERS = ("ridge", "lightgbm", "xgboost", "catboost")


def rsi(close: pd.Series, window: int = 14) -> pd.Series:
    change = close.diff()
    smooth: dict[str, Any] = {"alpha": 1 / window, "adjust": False, "min_periods": window}
    up, size = change.clip(lower=0).ewm(**smooth).mean(), change.abs().ewm(**smooth).mean()
    return 100 * up / size


def ema(series: pd.Series, span: int) -> pd.Series:
    return series.ewm(span=span, adjust=False, min_periods=span).mean()


def aroon(bars: pd.DataFrame, window: int = 25) -> np.ndarray:
    """Bars since the low less bars since the high, of the latest window + 1, in percent."""
    out = np.full(len(bars), np.nan)
    high = sliding_window_view(bars["high"].to_numpy(), window + 1)[:, ::-1].argmax(axis=1)
    low = sliding_window_view(bars["low"].to_numpy(), window + 1)[:, ::-1].argmin(axis=1)
    out[window:] = 100 / window * (low - high)
    return out


def hourly(bars: pd.DataFrame) -> pd.DataFrame:
    """Features of the hours since each session's open, at the moment each hour is over."""
    hour = bars.groupby("session").cumcount() // 12
    hours = bars.groupby(["session", hour])[["closed_at", "close"]].last()
    close = hours["close"]
    returns = np.log(close).diff()
    features = {
        "return_1@1h": returns,
        "return_5@1h": np.log(close).diff(5),
        "rsi@1h": rsi(close),
        "sma_distance@1h": close / close.rolling(20).mean() - 1,
        "volatility@1h": returns.rolling(20).std(),
    }
    return pd.DataFrame(features).set_axis(pd.Index(hours["closed_at"], name="closed_at"))


def features_of(bars: pd.DataFrame) -> pd.DataFrame:
    """Twenty-five features, each known when its bar closes."""
    opening, high, low, close, volume = (
        bars[name] for name in ("open", "high", "low", "close", "volume")
    )
    log_close = np.log(close)
    returns = log_close.diff()
    highest, lowest = high.rolling(14).max(), low.rolling(14).min()
    mean, deviation = close.rolling(20).mean(), close.rolling(20).std()
    macd = ema(close, 12) - ema(close, 26)
    log_range, log_body = np.log(high / low), np.log(close / opening)
    garman_klass = 0.5 * log_range**2 - (2 * np.log(2) - 1) * log_body**2
    typical, volume_20 = (high + low + close) / 3, volume.rolling(20).sum()
    body = ((close - opening) / (high - low)).fillna(0)
    by_session = bars.groupby("session")
    overnight = by_session["open"].first() / by_session["close"].last().shift()
    since_open = by_session.cumcount() + 1
    features = {
        **{f"return_{window}": log_close.diff(window) for window in (1, 3, 8, 24)},
        "rsi": rsi(close),
        "stochastic": ((close - lowest) / (highest - lowest)).fillna(0.5),
        "sma_distance": close / mean - 1,
        "macd_histogram": (macd - ema(macd, 9)) / close,
        "aroon": aroon(bars),
        "efficiency": close.diff(20).abs() / close.diff().abs().rolling(20).sum(),
        "volatility": returns.rolling(20).std(),
        "garman_klass": np.sqrt(garman_klass.rolling(20).mean().clip(lower=0)),
        "bollinger": (close - mean) / deviation,
        "downside": (returns.clip(upper=0) ** 2).rolling(20).sum() / (returns**2).rolling(20).sum(),
        "relative_volume": np.log((volume / (volume_20 / 20)).clip(np.exp(-5), np.exp(5))),
        "vwap_distance": close * volume_20 / (typical * volume).rolling(20).sum() - 1,
        "signed_volume": (body * volume).rolling(20).sum() / volume_20,
        "body": body,
        "gap": np.log(bars["session"].map(overnight)),
        "progress": (since_open / 78).clip(upper=1),
    }
    table = pd.DataFrame(features, index=bars.index)
    return pd.merge_asof(table, hourly(bars), left_index=True, right_index=True)


def read(folder: Path) -> pd.DataFrame:
    """Features and forward returns of all symbols, by (closed_at, symbol)."""
    parts = {}
    for file in sorted(folder.glob("*.parquet")):
        bars = pd.read_parquet(file)
        opened_at = bars["timestamp"]
        bars["closed_at"] = opened_at + pd.Timedelta(minutes=5)
        bars["session"] = opened_at.dt.tz_convert("America/New_York").dt.normalize()
        table = features_of(bars.set_index("closed_at", drop=False).rename_axis(None))
        close = bars["close"].to_numpy()
        for name, ahead in HORIZONS.items():
            table[name] = np.append(close[ahead:] / close[:-ahead] - 1, np.full(ahead, np.nan))
        parts[file.stem] = table
    table = pd.concat(parts, names=["symbol", "closed_at"]).swaplevel().sort_index()
    inputs = table.columns.difference(list(HORIZONS), sort=False)
    return table[table[inputs].notna().all(axis=1)]


def new_model(name: str, rows: int) -> Any:
    """One member, with the settings of the study."""
    if name == "ridge":
        return make_pipeline(StandardScaler(), Ridge(alpha=rows))
    if name == "lightgbm":
        return LGBMRegressor(
            n_estimators=TREES,
            learning_rate=RATE,
            max_depth=DEPTH,
            num_leaves=2**DEPTH - 1,
            min_child_samples=40,
            colsample_bytree=0.7,
            random_state=0,
            verbosity=-1,
        )
    if name == "xgboost":
        return XGBRegressor(
            n_estimators=TREES,
            learning_rate=RATE,
            max_depth=DEPTH,
            min_child_weight=40,
            colsample_bytree=0.7,
            subsample=0.8,
            early_stopping_rounds=PATIENCE,
            random_state=0,
        )
    return CatBoostRegressor(
        iterations=TREES,
        learning_rate=RATE,
        depth=DEPTH,
        l2_leaf_reg=10,
        rsm=0.7,
        early_stopping_rounds=PATIENCE,
        random_seed=0,
        verbose=False,
        allow_writing_files=False,
    )


def fit(name: str, X: np.ndarray, y: np.ndarray, stop_X: np.ndarray, stop_y: np.ndarray) -> Any:
    """A fitted member; boosters stop early by the latest rows, which ridge learns from too."""
    if name == "ridge":
        return new_model(name, len(X) + len(stop_X)).fit(
            np.concatenate([X, stop_X]), np.concatenate([y, stop_y])
        )
    options: dict[str, Any] = {"eval_set": [(stop_X, stop_y)]}
    if name == "lightgbm":
        quietly = early_stopping(PATIENCE, verbose=False)
        options = {"eval_X": stop_X, "eval_y": stop_y, "callbacks": [quietly]}
    if name == "xgboost":
        options["verbose"] = False
    return new_model(name, len(X)).fit(X, y, **options)


def main(bars: Path, out: Path) -> None:
    out.mkdir(parents=True)
    table = read(bars)
    inputs = table.columns.difference(list(HORIZONS), sort=False)
    X, y = table[inputs].to_numpy(), table[list(HORIZONS)].to_numpy()
    time, times = pd.factorize(table.index.get_level_values("closed_at"), sort=True)
    known = time + max(HORIZONS.values())  # a row's labels are known that many bars later
    begin = int(len(times) * FIRST_TRAIN)
    edges = [begin + (len(times) - begin) * fold // FOLDS for fold in range(FOLDS + 1)]

    def split(end: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows to fit on and rows to stop by, of those whose labels are known by `end`."""
        usable = known <= min(end, len(times) - 1)
        first = int((min(end, len(times) - 1) - max(HORIZONS.values())) * (1 - STOP_SHARE))
        return np.flatnonzero(usable & (known <= first)), np.flatnonzero(usable & (time >= first))

    forecasts = np.full((len(MEMBERS) + 1, *y.shape), np.nan)
    fold_of = np.full(len(y), -1)
    for fold in range(FOLDS):
        fit_rows, stop_rows = split(edges[fold])
        test = np.flatnonzero((time >= edges[fold]) & (time < edges[fold + 1]))
        fold_of[test] = fold
        for place, name in enumerate(MEMBERS):
            for h in range(len(HORIZONS)):
                model = fit(name, X[fit_rows], y[fit_rows, h], X[stop_rows], y[stop_rows, h])
                forecasts[place, test, h] = model.predict(X[test])
    stacks = {}
    for fold in range(1, FOLDS + 1):  # the last for the forecasts of tomorrow
        end = edges[fold] if fold < FOLDS else len(times)
        seen = (fold_of >= 0) & (fold_of < fold) & (known <= min(end, len(times) - 1))
        for h, horizon in enumerate(HORIZONS):
            weights, _ = nnls(forecasts[:-1, seen, h].T, y[seen, h])
            stacks[f"{horizon} {fold}"] = weights.tolist()
            test = fold_of == fold
            forecasts[-1, test, h] = weights @ forecasts[:-1, test, h]
    scores = []
    for place, name in enumerate([*MEMBERS, "nnls"]):
        for h, horizon in enumerate(HORIZONS):
            there = ~np.isnan(forecasts[place, :, h]) & ~np.isnan(y[:, h])
            forecast, realised = forecasts[place, there, h], y[there, h]
            r2 = 1 - ((realised - forecast) ** 2).sum() / ((realised - realised.mean()) ** 2).sum()
            scores.append((name, horizon, spearmanr(forecast, realised).statistic, r2))
            table[f"{name} {horizon}"] = forecasts[place, :, h]
    print(pd.DataFrame(scores, columns=["member", "horizon", "ic", "r2"]).to_string(index=False))
    table[table.columns.difference(inputs, sort=False)].to_parquet(out / "forecasts.parquet")
    fit_rows, stop_rows = split(len(times))
    for name in MEMBERS:
        for h, horizon in enumerate(HORIZONS):
            model = fit(name, X[fit_rows], y[fit_rows, h], X[stop_rows], y[stop_rows, h])
            joblib.dump(model, out / f"{name} {horizon}.joblib")
    joblib.dump(stacks, out / "stacks.joblib")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
