"""Honest labels on real bars with default features: whatever the audit says is a false alarm."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
from _audit_bars import SHARED

from barstack.core.errors import DataError
from barstack.evaluation.audit import Data, hunt
from barstack.experiments import Study
from barstack.experiments._data import length_us
from barstack.experiments._pipeline import Recipe, pipeline_of

# Barriers of asymmetric width: which of them is touched is foreseeable, the return is not.
_FILES = (
    ("crypto_5m/BTCUSDT", "24/7"),
    ("fx_1h_long/EURUSD", "24/7"),
    ("us_equities_5m/NVDA", "XNYS"),
)
_WIDTHS = (
    *((0.3, 4.0), (4.0, 0.3), (0.5, 3.0), (3.0, 0.5)),
    *((1.0, 4.0), (4.0, 1.0), (0.5, 1.0), (2.0, 1.0)),
)
_HORIZONS = (4, 12, 24, 48)

_PAIRED = (
    ("crypto_15m/BTC-USD", "24/7"),
    ("crypto_1h_2017/BTCUSD", "24/7"),
    ("crypto_1m/BTC-PERP", "24/7"),
    ("crypto_5m/BTCUSDT", "24/7"),
    ("crypto_5m/ETHUSDT", "24/7"),
    ("crypto_5m/SOLUSDT", "24/7"),
    ("futures_1m/6EH4", "24/7"),
    ("futures_5m/ES", "24/7"),
    ("futures_5m/NQ", "24/7"),
    ("futures_5m_micro/MES", "24/7"),
    ("fx_15m/EURUSD", "24/7"),
    ("fx_1h_long/EURUSD", "24/7"),
    ("fx_1h_long/XAUUSD", "24/7"),
    ("fx_1m/GBPUSD", "24/7"),
    ("us_equities_1d_2013_2023/NVDA", "XNYS"),
    ("us_equities_1d_88/AAPL", "XNYS"),
    ("us_equities_1d_88/XOM", "XNYS"),
    ("us_equities_1d_long/SPY", "XNYS"),
    ("us_equities_1h_2020/AMZN", "XNYS"),
    ("us_equities_1h_long/IBM", "XNYS"),
    ("us_equities_1m/NKE", "XNYS"),
    ("us_equities_5m/MELI", "XNYS"),
    ("us_equities_5m/SPY", "XNYS"),
    ("us_equities_5m_2y/ADBE", "XNYS"),
    ("us_etf_15m_spy_2021/SPY", "XNYS"),
    ("us_etf_1m_spy_2024/SPY", "XNYS"),
)
_LABELS: tuple[dict[str, Any], ...] = (
    {"label": "return", "horizons": [1, 12]},
    {"label": "direction", "horizons": [5]},
    {"label": "quantiles", "horizons": [24]},
    {"label": "three_class", "horizons": [8], "threshold_bps": 5.0},
    {"label": "three_class_volatility", "horizons": [12]},
    {"label": "three_class_quantiles", "horizons": [6]},
    {"label": "triple_barrier", "horizons": [12]},
    {"label": "triple_barrier", "horizons": [24], "upper": 2.0, "lower": 0.7},
    {"label": "meta", "horizons": [8], "side": {"feature": "rsi", "above": 55, "below": 45}},
)

Task = tuple[str, str, dict[str, Any], int, Path | None]


def barrier_settings(folder: Path | None) -> list[Task]:
    """96 of them: three files, eight pairs of widths, four horizons."""
    chosen = itertools.product(_FILES, _WIDTHS, _HORIZONS)
    return [
        (
            file,
            calendar,
            {"label": "triple_barrier", "horizons": [h], "upper": u, "lower": w},
            16_000,
            folder,
        )
        for (file, calendar), (u, w), h in chosen
    ]


def honest_pairs(folder: Path | None) -> list[Task]:
    """234 of them: one to three files of every folder, nine kinds of label."""
    return [
        (file, calendar, label, 6000, folder)
        for (file, calendar), label in itertools.product(_PAIRED, _LABELS)
    ]


def refused(task: Task) -> tuple[str, list[str]]:
    """A pair in words, and what the audit that every run makes says of it."""
    file, calendar, label, most, folder = task
    path = SHARED / f"{file}.parquet" if folder is None else _one_of(folder, file)
    study = Study.model_validate(
        {
            "bars": {"provider": "files", "path": str(path), "calendar": calendar},
            "label": label,
            "split": {"split": "chronological"},
            "members": ["lightgbm"],
        }
    )
    about = f"{path.parent.name}/{path.stem} {label}"
    panel = {name: bars[-most:] for name, bars in study.bars.load(Path()).items()}
    try:
        pipeline = pipeline_of(Recipe.of(study), length_us(panel))
        found = hunt(pipeline, Data(panel), short=True)
        return about, [str(leak) for leak in found]
    except DataError as error:  # such as a night that no bar of a day can end
        return about, [f"cannot be labelled: {error}"]


def _one_of(folder: Path, name: str) -> Path:
    files = sorted(folder.glob("*.parquet"))
    return files[int(np.sum(np.frombuffer(name.encode(), np.uint8))) % len(files)]
