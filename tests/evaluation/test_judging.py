"""`bs.judge`: verdicts on histories with known truth, whatever tool exported them."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import barstack as bs
from barstack.core.errors import BarstackError, DataError
from barstack.testing import walk

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
from _judge_histories import SIGNS, daily_bars, histories  # noqa: E402


@pytest.fixture(scope="module")
def bars() -> bs.Bars:
    return daily_bars(np.random.default_rng(5), 600)


@pytest.fixture(scope="module")
def trades(bars: bs.Bars) -> pd.DataFrame:
    """Trades of three bars each, long and short in turn, filled at opens."""
    begins = np.arange(10, 580, 5)
    opened, labels = bars.records["open"], pd.DatetimeIndex(bars.opened_at)
    side = np.where(np.arange(len(begins)) % 2, -1.0, 1.0)
    return pd.DataFrame(
        {
            "entry": labels[begins],
            "exit": labels[begins + 3],
            "entry_price": opened[begins],
            "exit_price": opened[begins + 3],
            "side": side,
        }
    )


def test_verdicts_on_known_truth_are_right_but_for_chance() -> None:
    found = [
        (made, bs.judge(made.frame, made.bars, **made.options))
        for made in histories(seed=1, each=2, days=3_000)
    ]
    assert len(found) >= 30
    wrong = [
        (made.truth, made.kind, judged.edge)
        for made, judged in found
        if not made.right(judged.edge, {each.name for each in judged.suspicions})
    ]
    # A skilled one may be unlucky over 3,000 bars, and one worthless in twenty looks skilled.
    assert len(wrong) <= 3, wrong
    assert not [each for each in wrong if each[0] in SIGNS and each[2] == "supported"]


def test_a_steady_position_has_no_edge(bars: bs.Bars) -> None:
    frame = bars.to_frame()[["timestamp"]].assign(position=1.0)
    found = bs.judge(frame, bars)
    assert found.edge == "none"
    assert found.net_edge_bps <= 0.0


def test_costs_twice_and_break_even_agree(bars: bs.Bars) -> None:
    rng = np.random.default_rng(0)
    frame = bars.to_frame()[["timestamp"]].assign(position=rng.choice([-1.0, 1.0], len(bars)))
    once, free = bs.judge(frame, bars, cost_bps=3.0), bs.judge(frame, bars, cost_bps=0.0)
    assert once.gross_edge_bps == pytest.approx(free.net_edge_bps)
    paid = free.net_edge_bps - once.net_edge_bps
    assert once.net_edge_2x_bps == pytest.approx(free.net_edge_bps - 2.0 * paid)
    if once.break_even_cost_bps is not None:
        there = bs.judge(frame, bars, cost_bps=once.break_even_cost_bps)
        assert there.net_edge_bps == pytest.approx(0.0, abs=1e-9)


def test_positions_earn_the_bar_after_their_own(bars: bs.Bars) -> None:
    """An oracle in a line of pandas."""
    rng = np.random.default_rng(1)
    position = pd.Series(rng.choice([-1.0, 0.0, 1.0], len(bars)))
    frame = bars.to_frame()[["timestamp"]].assign(position=position)
    found = bs.judge(frame, bars, cost_bps=0.0)
    expected = (position.shift(1) * pd.Series(bars.close).pct_change()).sum()
    assert found.equity is not None
    assert found.equity.net[-1] - 1.0 == pytest.approx(expected, abs=1e-5)


def test_forecasts_are_followed_as_the_unit_rule_says(bars: bs.Bars) -> None:
    rng = np.random.default_rng(2)
    signal = pd.Series(rng.normal(size=len(bars)))
    frame = bars.to_frame()[["timestamp"]].assign(forecast=signal)
    found = bs.judge(frame, bars, horizon="3bars", cost_bps=0.0)
    sides = pd.Series(np.sign(signal[: len(bars) - 3]))
    held = sides.rolling(3, min_periods=1).mean()
    earned = (held.shift(1) * pd.Series(bars.close).pct_change())[: len(bars) - 3].sum()
    assert found.equity is not None
    assert found.equity.net[-1] - 1.0 == pytest.approx(earned, abs=0.1)
    outcome = pd.Series(bars.close).pct_change(3).shift(-3)[: len(bars) - 3]
    assert found.ic == pytest.approx(np.corrcoef(signal[: len(bars) - 3], outcome)[0, 1])


def rows_of(t: pd.DataFrame) -> Any:
    return t.itertuples()


def _vectorbt(t: pd.DataFrame) -> tuple[str, bytes]:
    frame = pd.DataFrame(
        {
            "Exit Trade Id": range(len(t)), "Column": 0, "Size": 3.0, "Entry Timestamp": t.entry,
            "Avg Entry Price": t.entry_price, "Entry Fees": 0.0, "Exit Timestamp": t.exit,
            "Avg Exit Price": t.exit_price, "Exit Fees": 0.0, "PnL": 1.0,
            "Return": t.side * (t.exit_price / t.entry_price - 1.0),
            "Direction": np.where(t.side > 0, "Long", "Short"), "Status": "Closed",
            "Position Id": range(len(t)),
        }
    )  # fmt: skip
    return "trades.csv", frame.to_csv(index=False).encode()


def _vectorbt_orders(t: pd.DataFrame) -> tuple[str, bytes]:
    rows = []
    for trade in rows_of(t):
        ways = ("Buy", "Sell") if trade.side > 0 else ("Sell", "Buy")
        rows.append((trade.entry, 3.0, trade.entry_price, ways[0]))
        rows.append((trade.exit, 3.0, trade.exit_price, ways[1]))
    frame = pd.DataFrame(rows, columns=["Timestamp", "Size", "Price", "Side"])
    frame.insert(0, "Order Id", range(len(frame)))
    return "orders.csv", frame.assign(Column="close", Fees=0.0).to_csv(index=False).encode()


def _backtesting(t: pd.DataFrame) -> tuple[str, bytes]:
    frame = pd.DataFrame(
        {
            "Size": (10 * t.side).astype(int), "EntryBar": 1, "ExitBar": 2,
            "EntryPrice": t.entry_price, "ExitPrice": t.exit_price, "PnL": 0.0, "ReturnPct":
            t.side * (t.exit_price / t.entry_price - 1.0),
            "EntryTime": t.entry.dt.tz_localize(None),
            "ExitTime": t.exit.dt.tz_localize(None), "Duration": "3 days", "Tag": None,
        }
    )  # fmt: skip
    return "trades.csv", frame.to_csv(index=False).encode()


def _freqtrade(t: pd.DataFrame) -> tuple[str, bytes]:
    rows = [
        {
            "pair": "MADE/USDT", "stake_amount": 100.0, "amount": 1.0,
            "open_date": str(trade.entry), "close_date": str(trade.exit),
            "open_rate": trade.entry_price, "close_rate": trade.exit_price, "is_open": False,
            "profit_ratio": trade.side * (trade.exit_price / trade.entry_price - 1.0),
            "is_short": bool(trade.side < 0), "enter_tag": "", "orders": [],
        }
        for trade in rows_of(t)
    ]  # fmt: skip
    content = json.dumps({"strategy": {"Mine": {"trades": rows, "total_trades": len(rows)}}})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("backtest-result-2026.json", content)
        archive.writestr("backtest-result-2026_config.json", "{}")
    return "result.zip", packed.getvalue()


def _quantconnect(t: pd.DataFrame) -> tuple[str, bytes]:
    frame = pd.DataFrame(
        {
            "Entry Time": t.entry.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), "Symbols": "MADE",
            "Exit Time": t.exit.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "Direction": np.where(t.side > 0, "Buy", "Sell"), "Entry Price": t.entry_price,
            "Exit Price": t.exit_price, "Quantity": 5, "P&L": 1.0, "Fees": 0.0, "Drawdown": 0.0,
            "MAE": 0.0, "MFE": 0.0,
        }
    )  # fmt: skip
    return "trades.csv", frame.to_csv(index=False).encode()


def _quantconnect_json(t: pd.DataFrame) -> tuple[str, bytes]:
    rows = [
        {
            "Symbol": {"value": "MADE", "id": "MADE R735QTJ8XC9X"},
            "EntryTime": trade.entry.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "EntryPrice": trade.entry_price, "Direction": 0 if trade.side > 0 else 1,
            "Quantity": 5.0, "ExitTime": trade.exit.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ExitPrice": trade.exit_price, "ProfitLoss": 1.0, "MAE": 0.0, "MFE": 0.0,
        }
        for trade in rows_of(t)
    ]  # fmt: skip
    return "result.json", json.dumps({"TotalPerformance": {"ClosedTrades": rows}}).encode()


def _tradingview(t: pd.DataFrame, *, old: bool) -> tuple[str, bytes]:
    rows = []
    for number, trade in enumerate(rows_of(t), 1):
        way = "long" if trade.side > 0 else "short"
        way = way.capitalize() if old else way
        rows.append((number, f"Exit {way}", trade.exit, "x", trade.exit_price))
        rows.append((number, f"Entry {way}", trade.entry, "e", trade.entry_price))
    time = "Date/Time" if old else "Date and time"
    frame = pd.DataFrame(rows, columns=["Trade #", "Type", time, "Signal", "Price USD"])
    frame[time] = frame[time].dt.strftime("%Y-%m-%d %H:%M" if old else "%Y-%m-%d")
    more = (
        {"Contracts": 1, "Profit USD": 0.0}
        if old
        else {"Position size (qty)": 1, "Net P&L USD": 0.0}
    )
    return "list.csv", b"\xef\xbb\xbf" + frame.assign(**more).to_csv(index=False).encode()


FORMS: dict[str, tuple[Callable[[pd.DataFrame], tuple[str, bytes]], str]] = {
    "vectorbt": (_vectorbt, "vectorbt"),
    "vectorbt orders": (_vectorbt_orders, "vectorbt"),
    "backtesting.py": (_backtesting, "backtesting.py"),
    "freqtrade": (_freqtrade, "freqtrade"),
    "QuantConnect": (_quantconnect, "QuantConnect"),
    "QuantConnect result": (_quantconnect_json, "QuantConnect"),
    "TradingView old": (lambda t: _tradingview(t, old=True), "TradingView"),
    "TradingView new": (lambda t: _tradingview(t, old=False), "TradingView"),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_trades_in_every_form(
    form: str, tmp_path: Path, bars: bs.Bars, trades: pd.DataFrame
) -> None:
    """All earn what their prices say, and are recognised without a setting."""
    write, tool = FORMS[form]
    name, content = write(trades)
    (tmp_path / name).write_bytes(content)
    found = bs.judge(tmp_path / name, bars, cost_bps=0.0)
    assert (found.kind, found.tool) == ("trades", tool)
    expected = float((trades.side * (trades.exit_price / trades.entry_price - 1.0)).sum())
    assert found.equity is not None
    assert found.equity.net[-1] - 1.0 == pytest.approx(expected, abs=0.01 * (1 + abs(expected)))
    assert found.trade_figures["trades"] == len(trades)
    assert not {each.name for each in found.suspicions} & {"prices_apart", "contradiction"}


def test_a_clock_without_a_zone_is_found_by_the_prices(trades: pd.DataFrame) -> None:
    hourly = bs.bars_from_frame(
        daily_bars(np.random.default_rng(5), 600)
        .to_frame()
        .assign(timestamp=pd.date_range("2024-01-01", periods=600, freq="h", tz="UTC")),
        "MADE",
        calendar="24/7",
        stamp="open",
    )
    labels = pd.DatetimeIndex(hourly.opened_at).tz_localize(None)
    own = trades.assign(entry=labels[np.arange(10, 580, 5)], exit=labels[np.arange(13, 583, 5)])
    local = own.assign(entry=own.entry - pd.Timedelta("5h"), exit=own.exit - pd.Timedelta("5h"))
    made = [
        bs.judge(
            each.rename(columns={"entry": "entry_time", "exit": "exit_time"}), hourly, cost_bps=0.0
        )
        for each in (own, local)
    ]
    assert made[0].equity is not None
    assert made[1].equity is not None
    assert made[0].equity.net[-1] == pytest.approx(made[1].equity.net[-1])
    assert any("5 h are added" in note for note in made[1].notes)


def test_trials_and_their_matrix(bars: bs.Bars) -> None:
    rng = np.random.default_rng(3)
    long = daily_bars(rng, 2_000)
    ahead = np.concatenate([long.close[1:] / long.close[:-1] - 1.0, [0.0]])
    signs = np.sign(rng.normal(size=(60, len(long))) + 0.0)
    earned = np.concatenate([np.zeros((60, 1)), (signs * ahead)[:, :-1]], axis=1)
    best = int(np.argmax(earned.sum(axis=1)))
    stamps = long.to_frame()[["timestamp"]]
    matrix = stamps.assign(**{f"trial_{n}": earned[n] for n in range(60)})
    frame = stamps.assign(position=signs[best])
    alone = bs.judge(frame, long, cost_bps=0.0)
    found = bs.judge(frame, long, cost_bps=0.0, trials_matrix=matrix)
    assert found.matrix is not None
    assert found.matrix.judged == f"trial_{best}"
    assert found.trials == found.matrix.trials == 60
    assert found.edge == "unproven"
    assert found.p_adjusted > alone.p_adjusted
    assert found.matrix.rank <= 3
    skilled = np.sign(rng.normal(size=len(long)) + 0.15 * ahead / ahead.std())
    among = matrix.assign(real=np.concatenate([[0.0], (skilled * ahead)[:-1]]))
    real = bs.judge(stamps.assign(position=skilled), long, cost_bps=0.0, trials_matrix=among)
    assert real.matrix is not None
    assert real.matrix.judged == "real"
    assert real.edge == "supported"


def test_what_was_tuned_does_not_count(bars: bs.Bars) -> None:
    ahead = np.concatenate([bars.close[1:] / bars.close[:-1] - 1.0, [0.0]])
    rng = np.random.default_rng(0)
    position = np.sign(
        np.where(np.arange(len(bars)) < 300, ahead, 0.0) + 1e-9 * rng.normal(size=600)
    )
    frame = bars.to_frame()[["timestamp"]].assign(position=position)
    until = str(bars.closed_at[305].astype("datetime64[D]"))
    found = bs.judge(frame, bars, tuned_until=until)
    assert found.edge != "supported"
    assert found.first_at > until
    assert found.tuned_edge_bps is not None
    assert found.tuned_edge_bps > 50.0


def test_claims_that_contradict(bars: bs.Bars, trades: pd.DataFrame) -> None:
    frame = trades.rename(columns={"entry": "entry_time", "exit": "exit_time"})
    claims = {"win_rate": 0.9, "payoff": 2.0, "profit_factor": 1.2}
    found = bs.judge(frame, bars, claims=claims)
    assert sum(each.name == "contradiction" and each.serious for each in found.suspicions) >= 2
    assert found.edge != "supported"


HOSTILE: dict[str, Callable[[pd.DataFrame], Any]] = {
    "nothing": lambda f: f.head(0),
    "text for numbers": lambda f: f.assign(position="up"),
    "not a number inside": lambda f: f.assign(position=[1.0, *[np.nan] * 9] * (len(f) // 10)),
    "infinite": lambda f: f.assign(position=np.inf),
    "two of one time": lambda f: pd.concat([f, f.assign(position=-5.0)]),
    "mixed zones": lambda f: f.assign(
        timestamp=[
            f"2010-01-{1 + n % 28:02d}" + ("T00:00Z" if n % 2 else "") for n in range(len(f))
        ]
    ),
    "another time": lambda f: f.assign(timestamp=f.timestamp + pd.Timedelta(days=20_000)),
    "year 9999": lambda f: f.assign(timestamp="9999-01-01"),
    "no times": lambda f: f[["position"]],
    "one row": lambda f: f.head(1),
    "no known column": lambda f: f.rename(columns={"position": "zzz"}).assign(
        zzz=lambda g: g.zzz * 7
    ),
    "a list": lambda f: [1, 2, 3],
    "no file": lambda f: Path("/nowhere/at/all.csv"),
    "folder": lambda f: Path(__file__).parent,
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_hostile_histories_meet_a_sentence(fault: str, bars: bs.Bars) -> None:
    rng = np.random.default_rng(0)
    frame = bars.to_frame()[["timestamp"]].assign(position=rng.choice([-1.0, 1.0], len(bars)))
    with pytest.raises(BarstackError) as error:
        bs.judge(HOSTILE[fault](frame), bars)
    assert error.value.exit_code == 2
    assert len(str(error.value)) > 40
    assert str(error.value).rstrip().endswith((".", ")"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"\x00\x01\x02" * 100),
        ("x.csv", b""),
        ("x.csv", b"only one column\n1\n2\n"),
        ("x.json", b"{" * 5000),
        ("x.json", b'{"a": 1}'),
        ("x.json", b"[1, 2]"),
        ("x.json", b'{"strategy": {"A": {"trades": []}}}'),
        ("x.json", b'{"strategy": {"A": {}, "B": {}}}'),
        ("x.zip", b"PK not a zip"),
        ("x.parquet", b"PAR1 damaged PAR1"),
        ("x.xlsx", b"sheet"),
        ("x.csv", b'date,position\n2010-01-05,"1\n'),
    ],
)
def test_hostile_files_meet_a_sentence(
    name: str, content: bytes, tmp_path: Path, bars: bs.Bars
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BarstackError) as error:
        bs.judge(tmp_path / name, bars)
    assert error.value.exit_code == 2
    assert len(str(error.value)) > 30


def test_order_of_rows_and_repeats_change_nothing(bars: bs.Bars) -> None:
    rng = np.random.default_rng(0)
    frame = bars.to_frame()[["timestamp"]].assign(position=rng.choice([-1.0, 1.0], len(bars)))
    plain = bs.judge(frame, bars)
    mixed = bs.judge(pd.concat([frame, frame.head(7)]).sample(frac=1.0, random_state=0), bars)
    assert mixed.net_edge_bps == pytest.approx(plain.net_edge_bps)
    assert len(mixed.notes) == len(plain.notes) + 2


def test_a_file_of_the_system_that_never_ends_is_not_read(tmp_path: Path) -> None:
    endless = Path("/proc/kmsg")
    if not endless.exists():
        pytest.skip("this system has no such file")
    (tmp_path / "history.csv").symlink_to(endless)
    with pytest.raises(DataError, match="is empty"):
        bs.judge(tmp_path / "history.csv", bars=walk(100))
