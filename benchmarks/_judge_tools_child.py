"""Runs within the environment of vectorbt and backtesting.py, and knows nothing of barstack.

    python _judge_tools_child.py FOLDER

reads FOLDER/bars.csv and writes the tools' exports, and truth.json with what they hold.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

warnings.simplefilter("ignore")
FAST, SLOW = 5, 20


def by_vectorbt(bars: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Trades, orders and the value of the account of a portfolio."""
    import vectorbt as vbt  # noqa: PLC0415

    close = bars["close"]
    fast, slow = close.rolling(FAST).mean(), close.rolling(SLOW).mean()
    over = fast > slow
    turns = over != over.shift(1)
    made = vbt.Portfolio.from_signals(
        close,
        entries=over & turns,
        exits=~over & turns,
        short_entries=~over & turns & slow.notna(),
        short_exits=over & turns,
        fees=0.0,
        freq="1D",
    )
    trades = made.trades.records_readable
    trades.to_csv(folder / "vectorbt_trades.csv", index=False)
    trades.to_parquet(folder / "vectorbt_trades.parquet")
    made.orders.records_readable.to_csv(folder / "vectorbt_orders.csv", index=False)
    made.value().to_csv(folder / "vectorbt_value.csv")
    closed = trades[trades["Status"] == "Closed"]
    sides = closed["Direction"].map({"Long": 1.0, "Short": -1.0})
    returns = (sides * (closed["Avg Exit Price"] / closed["Avg Entry Price"] - 1.0)).tolist()
    still = trades[trades["Status"] == "Open"]
    last = (still["Direction"].map({"Long": 1.0, "Short": -1.0})
            * (close.iloc[-1] / still["Avg Entry Price"] - 1.0)).tolist()  # fmt: skip
    shown = {"kind": "trades", "tool": "vectorbt", "returns": returns + last}
    return {
        "vectorbt_trades.csv": shown,
        "vectorbt_trades.parquet": shown,
        "vectorbt_orders.csv": {"kind": "trades", "tool": "vectorbt"},
        "vectorbt_value.csv": {"kind": "equity", "tool": ""},
    }


def by_backtesting(bars: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Trades and equity curve of a backtest."""
    from backtesting import Backtest, Strategy  # noqa: PLC0415
    from backtesting.lib import crossover  # noqa: PLC0415
    from backtesting.test import SMA  # noqa: PLC0415

    class Crossing(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            self.fast = self.I(SMA, self.data.Close, FAST)
            self.slow = self.I(SMA, self.data.Close, SLOW)

        def next(self) -> None:
            if crossover(self.fast, self.slow):
                self.position.close()
                self.buy(size=0.5)
            elif crossover(self.slow, self.fast):
                self.position.close()
                self.sell(size=0.5)

    frame = bars.rename(columns=str.capitalize)
    done = Backtest(frame, Crossing, cash=1_000_000, finalize_trades=True).run()
    trades = done["_trades"]
    trades.to_csv(folder / "backtesting_trades.csv", index=False)
    done["_equity_curve"].to_csv(folder / "backtesting_equity.csv")
    sides = (trades["Size"] > 0) * 2.0 - 1.0
    returns = (sides * (trades["ExitPrice"] / trades["EntryPrice"] - 1.0)).tolist()
    return {
        "backtesting_trades.csv": {
            "kind": "trades",
            "tool": "backtesting.py",
            "returns": returns,
        },
        "backtesting_equity.csv": {"kind": "equity", "tool": "backtesting.py"},
    }


def main() -> None:
    folder = Path(sys.argv[1])
    bars = pd.read_csv(folder / "bars.csv", index_col="timestamp", parse_dates=True)
    bars.index = pd.DatetimeIndex(bars.index).tz_localize(None)
    truth = by_vectorbt(bars, folder) | by_backtesting(bars, folder)
    (folder / "truth.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    main()
