"""200 seeded kills of processes that import and fetch, and what is left after each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from tests.bars.kills import CONTEXT, Damage, Killer, Moment, Truth, add_pieces, stamps_of
from tests.bars.vendor import MOODS, Vendor, environment, market_of

from barstack.bars import PROVIDERS, Collection, Facts, table_from_frame
from barstack.bars.sources import PagedProvider, RetryPolicy, fetch
from barstack.core.times import format_duration, parse_duration

KILLS_EACH = 100  # during import, and as many during fetch
_KILLS_OF_ONE = 4  # collections are killed on so often, each worker going on where one died
_SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
_ROWS = 6000
_PIECE = 300  # rows, the longest of one add; a month begins among them


@dataclass
class Outcome:
    """What the kills of one kind of work came to."""

    kills: int = 0
    inside_an_add: int = 0  # a row of `add` had begun and not ended
    acknowledged: int = 0  # adds that had returned before the kill
    finished: int = 0  # workers too fast to be killed; not counted among the kills
    damage: Damage = field(default_factory=Damage)

    def figures(self) -> dict[str, Any]:
        """Plain numbers."""
        damage = self.damage
        return {
            "kills": self.kills,
            "inside_an_add": self.inside_an_add,
            "adds_acknowledged": self.acknowledged,
            "rows_lost": damage.lost,
            "rows_doubled": damage.doubled,
            "rows_half_written": damage.half,
        }


def kill_all(folder: Path, data: Path | None, seed: int) -> dict[str, Outcome]:
    """Both kinds of work side by side, each killed `KILLS_EACH` times."""
    CONTEXT.set_forkserver_preload(["barstack.bars", "barstack.bars.sources", "ccxt"])
    with ThreadPoolExecutor(2) as pool:
        works = {"import": pool.submit(_kill_imports, folder / "import", data, seed)}
        works["fetch"] = pool.submit(_kill_fetches, folder / "fetch", data, seed)
        return {name: work.result() for name, work in works.items()}


def _kill_imports(folder: Path, data: Path | None, seed: int) -> Outcome:
    outcome = Outcome()
    draw = np.random.default_rng([seed, 0])
    for number, (bar, truth) in enumerate(_truths(data, seed)):
        killer = Killer(folder, f"c{number}", Facts(bar=bar), truth)
        seeds = draw.integers(0, 2**31, _KILLS_OF_ONE).tolist()
        for each in seeds:
            moment = int(draw.integers(0, 30)), draw.uniform(0.0, 0.03)
            _kill_once(killer, outcome, moment, add_pieces, truth, each, _PIECE)
        _account(killer, outcome)
        if outcome.kills >= KILLS_EACH:
            break
    return outcome


def _kill_fetches(folder: Path, data: Path | None, seed: int) -> Outcome:
    outcome = Outcome()
    draw = np.random.default_rng([seed, 1])
    for number, (bar, truth) in enumerate(_truths(data, seed)):
        with ExitStack() as stack:
            moods = [mood for mood in MOODS if mood != "slow"]
            vendor = Vendor(truth, seed=number, delay_s=0.03, moods=moods, share=0.2)
            stack.enter_context(vendor)
            settings = _settings(truth, bar)
            killer = Killer(folder, f"c{number}", Facts(bar=bar), truth)
            for _ in range(_KILLS_OF_ONE):
                moment = int(draw.integers(0, 9)), draw.uniform(0.0, 0.06)
                _kill_once(killer, outcome, moment, fetch_all, settings, environment(vendor))
            if outcome.kills >= KILLS_EACH:  # and what is left can be completed
                said = killer.said_by(fetch_all, None, settings, environment(vendor))
                _note(outcome, killer.look(said))
                assert all(each.all() for each in killer.acknowledged.values()), "not all fetched"
            _account(killer, outcome)
        if outcome.kills >= KILLS_EACH:
            break
    return outcome


def fetch_all(collection: Collection, settings: dict[str, Any], env: dict[str, str]) -> None:
    """Work: fetch what is missing, with the real client."""
    os.environ.update(env)
    remote = PROVIDERS.parse(settings)
    assert isinstance(remote, PagedProvider)
    fetched = fetch(remote, collection, policy=RetryPolicy(first_wait_s=0.02, timeout_s=5))
    assert not fetched.errors, fetched.errors


def _kill_once(killer: Killer, outcome: Outcome, moment: Moment, work: Any, *given: Any) -> None:
    if outcome.kills < KILLS_EACH:
        finished = killer.finished
        _note(outcome, killer.kill_one(work, moment, *given))
        outcome.kills += killer.finished == finished


def _note(outcome: Outcome, damage: Damage) -> None:
    total = outcome.damage
    total.lost, total.doubled = total.lost + damage.lost, total.doubled + damage.doubled
    total.half, total.notes = total.half + damage.half, total.notes + damage.notes


def _account(killer: Killer, outcome: Outcome) -> None:
    outcome.acknowledged += killer.adds_acknowledged
    outcome.inside_an_add += killer.cut_short
    outcome.finished += killer.finished


def _settings(truth: Truth, bar: str) -> dict[str, Any]:
    first = min(int(stamps_of(table)[0]) for table in truth.values())
    after = max(int(stamps_of(table)[-1]) for table in truth.values()) + parse_duration(bar)
    start, end = (str(np.datetime64(moment, "us")) for moment in (first, after))
    return {
        "provider": "ccxt",
        "exchange": "binance",
        "symbols": list(truth),
        "bar": bar,
        "start": start,
        "end": end,
    }


def _truths(data: Path | None, seed: int) -> Iterator[tuple[str, Truth]]:
    """Bars to store, made up anew each time, or the same ones of a folder again and again."""
    given = None if data is None else _from_files(data)
    number = 0
    while True:
        number += 1
        if given is not None:
            yield given
            continue
        start = "2025-12-30"  # so that periods change among the rows
        market = market_of(_SYMBOLS, start, _ROWS, 60_000_000, seed=1000 * seed + number)
        yield "1min", market


def _from_files(data: Path) -> tuple[str, Truth]:
    truth: Truth = {}
    bar = ""
    for file, symbol in zip(sorted(data.glob("*.parquet")), _SYMBOLS, strict=False):
        table, length_us = table_from_frame(pl.read_parquet(file)[-_ROWS:], file.stem)
        truth[symbol], bar = table, format_duration(length_us)
    if not truth:
        raise SystemExit(f"{data} holds no parquet file of bars.")
    return bar, truth
