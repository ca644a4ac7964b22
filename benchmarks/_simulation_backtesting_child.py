"""backtesting.py's side of `simulation.py`, run in an environment of its own: IN.npz OUT.npz."""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.simplefilter("ignore")
job = dict(np.load(sys.argv[1]))
frame = pd.DataFrame(
    {name.capitalize(): job[name] for name in ("open", "high", "low", "close")},
    index=pd.date_range("2020-01-01", periods=len(job["close"]), freq="1min"),
)
target, stop, take = job["decided"], float(job["stop"]), float(job["take"])


class Follow(Strategy):  # type: ignore[misc]
    def init(self) -> None:
        pass

    def next(self) -> None:
        row = len(self.data) - 1
        wanted = target[row]
        if np.isnan(wanted) or wanted == self.position.size:
            return
        change = wanted - self.position.size
        close = self.data.Close[-1]
        side = np.sign(wanted)
        levels = {}
        if stop > 0 and wanted != 0:
            levels = {"sl": close * (1 - side * stop), "tp": close * (1 + side * take)}
        if wanted == 0:
            self.position.close()
        elif change > 0:
            self.buy(size=int(abs(change)), **levels)
        else:
            self.sell(size=int(abs(change)), **levels)


began = time.process_time()
stats = Backtest(
    frame, Follow, cash=float(job["cash"]), commission=float(job["fees"]), margin=0.01,
    finalize_trades=True,
).run()  # fmt: skip
seconds = time.process_time() - began
trades = stats["_trades"]
np.savez(
    sys.argv[2],
    seconds=seconds,
    size=trades["Size"].to_numpy(float),
    entry_row=trades["EntryBar"].to_numpy(),
    exit_row=trades["ExitBar"].to_numpy(),
    entry=trades["EntryPrice"].to_numpy(float),
    exit=trades["ExitPrice"].to_numpy(float),
    equity=stats["_equity_curve"]["Equity"].to_numpy(float),
)
