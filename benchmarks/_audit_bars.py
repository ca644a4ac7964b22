"""Slices of real bars for the audit's benchmark, and series of news about them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _benchmark import HERE

from barstack.bars import PROVIDERS, Bars, SeriesTable
from barstack.core.times import KnownAt
from barstack.evaluation.audit import Data

SHARED = HERE.parent.parent / "shared" / "data"
INTRADAY = (
    ("us_equities_5m", "XNYS"),
    ("us_equities_1h_long", "XNYS"),
    ("crypto_5m", "24/7"),
    ("us_equities_5m_2y", "XNYS"),
    ("futures_5m", "24/7"),
    ("fx_1h_long", "24/7"),
)
DAILY = (("us_equities_1d_88", "XNYS"), ("us_equities_1d_long", "XNYS"))


@cache
def load(file: Path, calendar: str) -> Bars:
    source = {"provider": "files", "path": str(file), "calendar": calendar}
    (bars,) = PROVIDERS.parse(source).load().values()
    return bars


class Source:
    """Draws data by a seed, from the shared bars or from a folder the user gave."""

    def __init__(self, folder: Path | None) -> None:
        self.intraday = [(SHARED / name, calendar) for name, calendar in INTRADAY]
        self.daily = [(SHARED / name, calendar) for name, calendar in DAILY]
        if folder is not None:
            self.intraday = self.daily = [(folder.resolve(), "24/7")]

    def draw(
        self,
        rng: np.random.Generator,
        *,
        symbols: int | None = None,
        daily: bool = False,
        rows: int = 1800,
    ) -> Data:
        """One to three symbols over the same stretch of time, in all about so many bars."""
        wanted = symbols or int(rng.integers(1, 4))
        kinds = [*self.intraday, *(self.daily if daily else [])]
        folder, calendar = kinds[int(rng.integers(len(kinds)))]
        files = sorted(folder.glob("*.parquet"))
        if not files:
            sys.exit(f"{folder} holds no parquet files.")
        chosen = rng.permutation(len(files))[:wanted]
        whole = [load(files[place], calendar) for place in chosen]
        panel = stretch(whole, rows // wanted, rng)
        if len(panel) < wanted:  # too few symbols, or none of the same time
            panel = stretch(related(whole[0])[:wanted], rows // wanted, rng)
        return Data(panel, {"news": news(rng, panel)})


def stretch(whole: list[Bars], length: int, rng: np.random.Generator) -> dict[str, Bars]:
    """About so many bars of each symbol over the same time; of some perhaps none."""
    clock = whole[0].closed_at
    first = max(bars.closed_at[0] for bars in whole)
    last = min(bars.closed_at[-1] for bars in whole)
    starts = np.flatnonzero((clock >= first) & (clock <= last))
    if len(starts) < length:
        starts = np.arange(len(clock))
    start = starts[int(rng.integers(max(len(starts) - length, 1)))]
    begin, end = clock[start], clock[min(start + length, len(clock)) - 1]
    panel = {}
    for bars in whole:
        inside = np.flatnonzero((bars.closed_at >= begin) & (bars.closed_at <= end))
        if len(inside) > length // 2:
            panel[bars.symbol] = bars[int(inside[0]) : int(inside[-1]) + 1]
    return panel


def related(bars: Bars) -> list[Bars]:
    """The bars, and two symbols made of them: the price turned round, and its root."""
    found = [bars]
    for name, power in (("turned", -1.0), ("root", 0.5)):
        records = bars.records.copy()
        high, low = ("low", "high") if power < 0 else ("high", "low")
        prices = {"open": "open", "high": high, "low": low, "close": "close"}
        for own, other in prices.items():
            records[own] = bars.records[other] ** power
        found.append(Bars(f"{bars.symbol}-{name}", bars.length_us, records))
    return found


def news(rng: np.random.Generator, panel: dict[str, Bars]) -> SeriesTable:
    """A number about every symbol now and then, known hours after the time of which it tells.

    `about` is that time, in hours since 1970; some numbers are unknown.
    """
    bars = next(iter(panel.values()))
    rows = np.sort(rng.choice(np.arange(5, len(bars) - 5), len(bars) // 12, replace=False))
    known = bars.closed_at[rows] + np.timedelta64(1, "m")
    about = bars.closed_at[rows - 4].astype("datetime64[us]").astype(np.int64) / 3.6e9
    mood = rng.normal(size=len(rows))
    mood[rng.random(len(rows)) < 0.2] = np.nan
    values = np.column_stack([mood, about])
    code = np.zeros(len(rows), np.int32)
    return SeriesTable(("mood", "about"), None, code, KnownAt(known), values, known.min())


def frame_of(bars: Bars) -> pd.DataFrame:
    """Bars as people hold them, by the moment they close."""
    columns: dict[str, Any] = {
        name: np.array(bars.records[name])
        for name in ("open", "high", "low", "close", "volume", "session")
    }
    columns["opened_at"] = bars.opened_at
    return pd.DataFrame(columns, index=pd.Index(bars.closed_at, name="decided_at"))


def news_frame(table: SeriesTable) -> pd.DataFrame:
    hours = np.nan_to_num(table.values[:, 1], nan=1e6).clip(0, 1e6)
    about = (hours * 3.6e9).astype(np.int64).astype("datetime64[us]")
    return pd.DataFrame(
        {"known_at": np.array(table.known_at), "mood": table.values[:, 0], "about": about}
    )
