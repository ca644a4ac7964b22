"""A real `barstack fetch` that is killed at a seeded moment, and what it leaves behind.

For tests and benchmarks:

    with vendor_of(seed) as vendor:
        killed(vendor, folder, seed)          # one SIGKILL; returns what `Kill` says
        found = completed(vendor, folder)     # fetch again, in this process, and compare

Several kills may hit one folder before `completed` is called. It returns counts that must all
be zero: bars lost (acknowledged before the kill, gone after it), asked again (stretches that were
acknowledged), wrong (bars that differ from the vendor's), and unreadable symbols. Both take a few
seconds, most of them for starting Python.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from tests.bars.vendor import MOODS, Vendor, environment, market_of

from barstack.bars import PROVIDERS
from barstack.bars.catalog import Catalog, Collection
from barstack.bars.sources import PagedProvider, RetryPolicy, fetch
from barstack.core.errors import BarstackError

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT")
START, END = "2024-01-01", "2024-02-01"
_MINUTES = 5
_BARS = 31 * 24 * 60 // _MINUTES
_PAGES = len(SYMBOLS) * -(-_BARS // 1000)  # requests that a whole fetch needs


@dataclass(frozen=True)
class Kill:
    """One killed process.

    asked     requests that the vendor had seen by then
    finished  whether it was done before it could be killed
    """

    asked: int
    finished: bool


@dataclass(frozen=True)
class Completed:
    """What the kill has cost; all zero when nothing."""

    lost: int
    asked_again: int
    wrong: int
    unreadable: int


def vendor_of(seed: int, *, moody: bool = False) -> Vendor:
    """A vendor of five symbols, slow enough to be killed in the middle."""
    market = market_of(SYMBOLS, START, _BARS, _MINUTES * 60_000_000, seed=seed)
    moods = [mood for mood in MOODS if mood != "slow"] if moody else []
    return Vendor(market, seed=seed, delay_s=0.03, moods=moods, share=0.2)


def begun(vendor: Vendor, folder: Path) -> subprocess.Popen[str]:
    """A process that fetches everything into the catalog at `folder`."""
    command = [sys.executable, "-m", "barstack", "fetch", "ccxt", *SYMBOLS, "--bar", "5min"]
    command += ["--start", START, "--end", END, "--option", "exchange=binance"]
    return subprocess.Popen(
        [*command, "--catalog", str(folder)],
        env=os.environ | environment(vendor),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(vendor: Vendor, folder: Path, seed: int, how: int = signal.SIGKILL) -> Kill:
    """Send a signal after a random number of requests and a random moment more."""
    draw = random.Random(seed)
    after = draw.randrange(1, _PAGES)
    before = len(vendor.asked)
    process = begun(vendor, folder)
    while len(vendor.asked) - before < after and process.poll() is None:
        time.sleep(0.001)
    time.sleep(draw.uniform(0.0, 0.03))
    finished = process.poll() is not None
    process.send_signal(how)
    process.communicate()
    return Kill(len(vendor.asked) - before, finished)


def completed(vendor: Vendor, folder: Path) -> Completed:
    """Fetch the rest, and hold it against what was acknowledged and what is true."""
    remote = PROVIDERS.parse(
        {
            "provider": "ccxt",
            "exchange": "binance",
            "symbols": SYMBOLS,
            "bar": "5min",
            "start": START,
            "end": END,
        }
    )
    assert isinstance(remote, PagedProvider)
    collection = remote.collection_in(Catalog(folder))
    lost = unreadable = 0
    covered = {symbol: collection.covered(symbol) for symbol in SYMBOLS}
    for symbol, stretches in covered.items():
        for begin, end in stretches:
            try:
                have = _rows(collection, symbol, begin, end)
            except BarstackError:
                unreadable += 1
                continue
            lost += len(set(vendor.between(symbol, begin, end)) - have)
    before = len(vendor.asked)
    fetched = fetch(remote, collection, policy=RetryPolicy(first_wait_s=0.02, timeout_s=5))
    assert fetched.errors == {}, fetched.errors
    asked_again = sum(
        begin <= asked.start_us < end
        for asked in vendor.asked[before:]
        for begin, end in covered[asked.symbol]
    )
    wrong = 0
    begin, end = remote.wanted(time.time_ns() // 1000)
    for symbol in SYMBOLS:
        true = set(vendor.between(symbol, begin, end))
        wrong += len(true ^ _rows(collection, symbol, begin, end))
    return Completed(lost, asked_again, wrong, unreadable)


def _rows(collection: Collection, symbol: str, begin: int, end: int) -> set[tuple[float, ...]]:
    table = collection.table(symbol, start_us=begin, end_us=end)
    return set(table.with_columns(pl.col("timestamp").to_physical()).rows())
