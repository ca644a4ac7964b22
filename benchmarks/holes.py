"""Holes in bars: what labels lose to them, what checks say of them, and of prints that come back.

    .venv/bin/python benchmarks/holes.py
    .venv/bin/python benchmarks/holes.py --data DIR --seed 7

Into the bars of each symbol three holes are cut, of five bars to 56 days, and the checks may call
none of them a split or a jump. Then single bars are set off by x1.5, x5, x100, x0.66 and x0.01, in
all prices, the close alone, the open alone, the high or low alone: each must stop a study, or be
left out of labels and named. Bars as they are may not be refused.

Last, studies of ridge on `fast25` are run with holdings across holes and without: on bars that have
holes of their own, and on hourly crypto into which one of 34 to 56 days is cut each quarter.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE, arguments, at_most, finish

import barstack
from barstack import Study
from barstack.bars import PROVIDERS, Bars
from barstack.bars.checks import CHECKS, find
from barstack.core.times import DAY_US
from barstack.labels import LABELS
from features import SHARED

sys.path.insert(0, str(HERE.parent))
from tests.bars.test_checks_real import CALENDARS

PRICES = ("open", "high", "low", "close")
A_SYMBOL = 3  # holes
SYMBOLS = 60
STUDIES = {  # horizon by collection and symbol
    ("crypto_15m", "BTC-USD"): "1h",
    ("fx_15m", "EURUSD"): "1h",
    ("fx_1h_long", "XAUUSD"): "4h",
    ("futures_5m_micro", "MNQ"): "1h",
    ("us_equities_1m", "XLK"): "15min",
    ("us_equities_5m_2y", "ADBE"): "1h",
    ("crypto_1h_2017", "BTCUSD"): "1h",
}
EVER = "3650d"  # between neighbouring bars: what was allowed before


def panels(data: Path | None) -> Iterator[tuple[Bars, str, str]]:
    """(bars, calendar, hours) of every symbol."""
    folders = {data: ("24/7", "regular")} if data else {SHARED / n: w for n, w in CALENDARS.items()}
    for folder, (calendar, hours) in folders.items():
        source = {"provider": "files", "path": str(folder), "calendar": calendar, "hours": hours}
        for bars in PROVIDERS.parse(source).load().values():
            yield bars, calendar, hours


def told(bars: Bars, calendar: str, hours: str, *checks: str) -> list[Any]:
    """Findings of these checks."""
    levels = {name: "ignore" for name in CHECKS.names() if name not in checks}
    return find(bars, calendar=calendar, hours=hours, levels=levels)


def with_hole(bars: Bars, rng: np.random.Generator) -> tuple[Bars, int]:
    """Bars without a stretch of five bars to 56 days, and the row after it."""
    longest = min(int(56 * DAY_US / bars.length_us), len(bars) // 3)
    count = int(np.exp(rng.uniform(np.log(5), np.log(max(longest, 6)))))
    first = int(rng.integers(60, len(bars) - count - 60))
    gone = slice(first, first + count)
    return replace(bars, records=np.delete(bars.records, gone)), first


def holes_called(data: Path | None, seed: int) -> dict[str, int]:
    """How many holes are cut, and how many of them are called a split or a jump."""
    rng = np.random.default_rng(seed)
    found = {"cut": 0, "splits": 0, "jumps": 0}
    every = list(panels(data))
    for bars, calendar, hours in [every[n] for n in rng.permutation(len(every))[:SYMBOLS]]:
        for _ in range(A_SYMBOL):
            cut, row = with_hole(bars, rng)
            at = cut.records["opened_at"][row]
            names = {
                each.check
                for each in told(cut, calendar, hours, "unadjusted_split", "jumps")
                if at in each.at
            }
            found["cut"] += 1
            found["splits"] += "unadjusted_split" in names
            found["jumps"] += "jumps" in names
    return found


def spikes(data: Path | None, seed: int) -> dict[str, int]:
    """Single bars set off: how many are refused, left out of labels and named, or unnoticed."""
    rng = np.random.default_rng(seed)
    found = {
        "planted": 0,
        "refused": 0,
        "left_out_and_named": 0,
        "unnoticed": 0,
        "clean_refused": 0,
    }
    every = list(panels(data))
    found["clean_refused"] = sum(
        any(each.level == "refuse" for each in told(*one, *CHECKS.names())) for one in every
    )
    found["left_out_of_real_bars"] = sum(int(bars.prints.sum()) for bars, _, _ in every)
    for bars, calendar, hours in [every[n] for n in rng.permutation(len(every))[:SYMBOLS]]:
        for names in (PRICES, ("close",), ("open",), ("high",), ("low",)):
            for factor in (1.5, 5.0, 100.0, 0.66, 0.01):
                if (names[0] == "high" and factor < 1) or (names[0] == "low" and factor > 1):
                    continue
                off, row = set_off(bars, names, factor, rng)
                at = off.records["opened_at"][row]
                here = [
                    each
                    for each in told(
                        off, calendar, hours, "spikes", "unadjusted_split", "bad_prints"
                    )
                    if at in each.at
                ]
                refused = any(each.level == "refuse" for each in here)
                left_out = bool(off.prints[row]) and bool(here)
                found["planted"] += 1
                found["refused"] += refused
                found["left_out_and_named"] += left_out and not refused
                found["unnoticed"] += not (refused or left_out)
    return found


def set_off(
    bars: Bars, names: tuple[str, ...], factor: float, rng: np.random.Generator
) -> tuple[Bars, int]:
    """Bars of which one has some prices times a factor, and its row."""
    row, records = int(rng.integers(60, len(bars) - 60)), bars.records.copy()
    for name in names:
        records[name][row] *= factor
    records["high"][row] = max(records[name][row] for name in PRICES)
    records["low"][row] = min(records[name][row] for name in PRICES)
    return replace(bars, records=records), row


def quarterly(bars: Bars, seed: int) -> Bars:
    """Bars without 34 to 56 days of each quarter."""
    rng = np.random.default_rng(seed)
    day = bars.records["opened_at"] // DAY_US
    keep = np.ones(len(bars), bool)
    for start in range(int(day[0]) + 20, int(day[-1]) - 60, 91):
        keep &= (day < start) | (day >= start + int(rng.integers(34, 57)))
    return replace(bars, records=bars.records[keep])


def study(folder: Path, bars: Bars, source: dict[str, Any], horizon: str, **more: Any) -> Any:
    """A run of ridge, and of the label alone its table."""
    label = {"label": "return", "horizons": [horizon], **more}
    spec = Study(
        bars=source | {"checks": {"spikes": "warn"}},
        label=label,
        split={"split": "walk_forward", "folds": 4},
        members=["ridge"],
        ensembles=["average"],
    )
    scores = barstack.run(spec, folder=folder, runs=folder / "runs").evaluation.scores
    (score,) = [each for each in scores if each.name == "ridge"]
    return score, LABELS.parse(label).compute(bars)


def before_and_after(seed: int) -> dict[str, Any]:
    """By collection: how many holdings fall away, what they carried, and IC with and without."""
    found = {}
    for (name, symbol), horizon in STUDIES.items():
        calendar, hours = CALENDARS[name]
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            reading = {"provider": "files", "calendar": calendar, "hours": hours}
            source: dict[str, Any] = reading | {"path": str(SHARED / name), "symbols": [symbol]}
            (bars,) = PROVIDERS.parse(source).load().values()
            if not bars.missing.any():
                bars = quarterly(bars, seed)
                write(bars, folder / f"{symbol}.parquet")
                source = reading | {"path": f"{symbol}.parquet"}
            old, every = study(folder, bars, source, horizon, max_gap=EVER)
            new, kept = study(folder, bars, source, horizon)
        gone = kept.missing[:, 0]
        squares = np.square(np.nan_to_num(every.returns[:, 0]))
        lasts = every.known_at[gone, 0] - every.decisions.decided_at[gone]
        found[f"{name} {symbol} {horizon}"] = {
            "decisions": len(gone),
            "without_label": int(gone.sum()),
            "longest_d": round(float(lasts.max() / np.timedelta64(1, "D")), 1) if len(lasts) else 0,
            "share_of_squares": round(float(squares[gone].sum() / squares.sum()), 4),
            "ic_before": round(old.ic, 4),
            "ic_after": round(new.ic, 4),
            "ic_se_before": round(old.ic_se, 4),
            "ic_se_after": round(new.ic_se, 4),
        }
        print(name, symbol, found[f"{name} {symbol} {horizon}"], flush=True)
    return found


def write(bars: Bars, file: Path) -> None:
    """Bars as a parquet file."""
    import polars as pl  # noqa: PLC0415

    times = pl.Series("timestamp", bars.records["opened_at"]).cast(pl.Datetime("us", "UTC"))
    names = (*PRICES, "volume")
    pl.DataFrame([times, *(pl.Series(name, bars.records[name]) for name in names)]).write_parquet(
        file
    )


def main() -> None:
    options = arguments(__doc__ or "").parse_args()
    called = holes_called(options.data, options.seed)
    print("holes", called, flush=True)
    planted = spikes(options.data, options.seed)
    print("spikes", planted, flush=True)
    finish(
        "holes",
        {
            "holes_called_splits": at_most(called["splits"], 0),
            "holes_called_jumps": at_most(called["jumps"], 0),
            "spikes_unnoticed_share": at_most(planted["unnoticed"] / planted["planted"], 0.01),
            "clean_refused": at_most(planted["clean_refused"], 0),
        },
        {"holes": called, "spikes": planted}
        | ({} if options.data else {"holdings": before_and_after(options.seed)}),
    )


if __name__ == "__main__":
    main()
