"""vectorbt's side of `simulation.py`, run in an environment of its own: IN.npz OUT.npz."""

import resource
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import vectorbt as vbt

warnings.simplefilter("ignore")
job = dict(np.load(sys.argv[1]))
out: dict[str, Any] = {}
close, opening = job["close"], job["open"]
fees = float(job["fees"])
cash = float(job["cash"])


def best(work: Callable[[], Any]) -> tuple[Any, float, float]:
    seconds = []
    for _ in range(4):
        began = time.process_time()
        found = work()
        seconds.append(time.process_time() - began)
    return found, seconds[0], min(seconds[1:])


if "target" in job:  # fills and equity of targets that are held from the next open on
    pf = vbt.Portfolio.from_orders(
        close, size=job["target"], size_type="targetamount", price=opening, fees=fees,
        init_cash=cash, freq="1min",
    )  # fmt: skip
    records = pf.orders.values
    side = np.where(records["side"] == 0, 1.0, -1.0)
    out |= {"row": records["idx"], "quantity": side * records["size"], "price": records["price"]}
    out["equity"] = np.asarray(pf.value())
else:  # speed: signals with stop and target, then equity

    def run() -> tuple[int, Any]:
        pf = vbt.Portfolio.from_signals(
            close, entries=job["entries"], short_entries=job["shorts"], price=opening,
            open=opening, high=job["high"], low=job["low"], size=10.0, sl_stop=float(job["stop"]),
            tp_stop=float(job["take"]), fees=fees, init_cash=cash, freq="1min",
            upon_opposite_entry="reverse",
        )  # fmt: skip
        return len(pf.orders.values), np.asarray(pf.value())

    (orders, equity), first, warm = best(run)
    out |= {"orders": orders, "first_s": first, "warm_s": warm, "end": equity[-1]}
out["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
np.savez(sys.argv[2], **out)
