"""Fills, equity and speed of the simulator, beside vectorbt and backtesting.py.

    python benchmarks/simulation.py [--seed N] [--data DIR] [--bars N]

Three strategies, a cross of averages, RSI reversion, and a forecast with stop and target, run in
each system on the same bars with the same commission. Where conventions can be made equal, fills
and equity must be: those of vectorbt without stops, all of backtesting.py. Each system has an
environment of its own under results/.peers_simulation, made here on first use.

Conventions that cannot be made equal: backtesting.py looks at a position's stop and target before
orders that fill at the same bar's open, and at the stop before a target that the bar opens beyond;
equity is compared up to the first such bar. vectorbt does not look at stops on the bar of entry,
and a stop that is hit in a bar takes the place of an order at that bar's open, so its fills with
stops differ; it is compared by speed alone there. Seconds are of the processor, as a machine may
be shared. `second_process_s` is a whole new process from its start to the first result, with the
kernels' cache present.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _benchmark import HERE, arguments, at_least, at_most, finish
from _simulation_scenes import (
    STOP,
    TAKE,
    UNITS,
    average_cross,
    changes,
    forecast_threshold,
    made_up,
    real,
    rsi_reversion,
)

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.simulation import Book, Costs, Fills, Settings, Targets

HOME = HERE / "results" / ".peers_simulation"
PEERS = {"vectorbt": ("vectorbt==1.2.*",), "backtesting": ("backtesting>=0.6", "pandas<3")}
SHARED = HERE.parent.parent / "shared" / "data"
REAL = (
    "us_equities_5m/SPY.parquet",
    "crypto_5m/BTCUSDT.parquet",
    "us_equities_1h_long/AAPL.parquet",
)
FEES, CASH = 1e-4, 10_000_000.0
NEAR = 1e-9


def settings(**fills: Any) -> Settings:
    return Settings(
        capital=CASH,
        unit="units",
        fills=Fills(**{"at_end": "carry"} | fills),
        costs=Costs(commission_bps=FEES * 1e4),
    )


def ours(panel: dict[str, Bars], targets: Targets, own: Settings) -> tuple[Book, float, float]:
    """The book, and seconds of the first and the best later run."""
    seconds = []
    for _ in range(4):
        began = time.process_time()
        book = Book(list(panel), own)
        book.advance(panel, targets)
        _ = book.fills, book.curve["equity"]
        seconds.append(time.process_time() - began)
    return book, seconds[0], min(seconds[1:])


def environment(name: str) -> Path:
    """The Python of a peer."""
    home = HOME / name
    python = home / "bin" / "python"
    if not (home / ".ready").is_file():
        HOME.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
        (home / ".ready").touch()
    return python


def asked(name: str, **job: Any) -> dict[str, Any]:
    """What a peer answers."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "job.npz", **job)
        child = HERE / f"_simulation_{name}_child.py"
        subprocess.run(
            [str(environment(name)), str(child), "job.npz", "out.npz"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(Path.home())},
            check=True,
            capture_output=True,
        )
        with np.load(Path(folder) / "out.npz") as found:
            return {key: found[key] for key in found.files}


def prices(bars: Bars) -> dict[str, Floats]:
    return {name: bars.records[name] for name in ("open", "high", "low", "close")}


def compared(bars: Bars, seed: int) -> dict[str, dict[str, float]]:
    """Fills that differ and the largest relative difference of equity, by strategy and peer."""
    close, found = bars.close, {}
    for name, target in (
        ("average cross", average_cross(close)),
        ("rsi reversion", rsi_reversion(close)),
    ):
        rows, values = changes(target)
        book, _, _ = ours(
            {bars.symbol: bars}, Targets.of(bars.symbol, bars.closed_at[rows], values), settings()
        )
        held = np.concatenate([[0.0], target[:-1]])  # from the next open on
        other = asked("vectorbt", target=held, fees=FEES, cash=CASH, **prices(bars))
        found[f"{name}, vectorbt"] = _gap(book, other)
        decided = asked(
            "backtesting", decided=target, stop=0.0, take=0.0, fees=FEES, cash=CASH, **prices(bars)
        )
        found[f"{name}, backtesting.py"] = _trade_gap(book, decided, bars)
    target = forecast_threshold(close, seed)
    rows, values = changes(target)
    # Every decision counts, also one for the side of before, as a stop may have left it.
    rows = np.flatnonzero(np.isfinite(target))
    values, side = target[rows], np.sign(target[rows])
    stopped = Targets.of(
        bars.symbol,
        bars.closed_at[rows],
        values,
        stop=close[rows] * (1.0 - side * STOP),
        take=close[rows] * (1.0 + side * TAKE),
    )
    book, _, _ = ours({bars.symbol: bars}, stopped, settings(levels="price"))
    decided = asked(
        "backtesting", decided=target, stop=STOP, take=TAKE, fees=FEES, cash=CASH, **prices(bars)
    )
    found["forecast with stop and target, backtesting.py"] = _trade_gap(book, decided, bars)
    return found


def _gap(book: Book, other: dict[str, Any]) -> dict[str, float]:
    own = book.fills
    count = min(len(own), len(other["row"]))
    same = (
        (own["row"][:count] == other["row"][:count])
        & np.isclose(own["quantity"][:count], other["quantity"][:count], rtol=NEAR)
        & np.isclose(own["price"][:count], other["price"][:count], rtol=NEAR)
    )
    differ = abs(len(own) - len(other["row"])) + int((~same).sum())
    equity = np.abs(book.curve["equity"] / other["equity"] - 1.0).max()
    return {"fills": len(own), "fills_differ": differ, "equity_gap": float(equity)}


def _trade_gap(book: Book, other: dict[str, Any], bars: Bars) -> dict[str, float]:
    """Round trips and equity, up to the first bar of which the conventions differ by name.

    Those that are open at the end are closed by backtesting.py alone.
    """
    own = book.trades
    order = np.lexsort((other["entry_row"], other["exit_row"]))
    columns = {name: other[name][order] for name in ("size", "entry", "exit", "exit_row")}
    count = min(len(own), len(columns["size"]))
    same = (
        (own["row_out"][:count] == columns["exit_row"][:count])
        & np.isclose(own["quantity"][:count], columns["size"][:count], rtol=NEAR)
        & np.isclose(own["entry"][:count], columns["entry"][:count], rtol=NEAR)
        & np.isclose(own["exit"][:count], columns["exit"][:count], rtol=NEAR)
    )
    until, named = len(book.curve) - 1, 0
    first = int(np.argmin(same)) if not same.all() else count
    if first < count:
        row = int(own["row_out"][first])
        # Here the open comes first, there a level that the bar reaches after it.
        at_open = own["exit"][first] == bars.records["open"][row]
        if at_open and row == columns["exit_row"][first]:
            until, named = row, 1
    closed = int((own["row_out"] < until).sum())
    theirs = int((columns["exit_row"] < until).sum())
    equity = np.abs(book.curve["equity"][:until] / other["equity"][:until] - 1.0).max()
    return {
        "fills": closed,
        "fills_differ": abs(closed - theirs) + int((~same[: min(closed, count)]).sum()),
        "named_difference": named,
        "equity_gap": float(equity),
    }


def speed(count: int, symbols: int, seed: int) -> dict[str, float]:
    """Seconds for so many bars in all, with stop and target, here and in vectorbt."""
    each = count // symbols
    panel = {f"S{n:03}": made_up(each, seed + n, f"S{n:03}") for n in range(symbols)}
    names, times, values = [], [], []
    sides = np.zeros((each, symbols))
    for place, (symbol, bars) in enumerate(panel.items()):
        target = forecast_threshold(bars.close, seed + place, every=145)
        rows = np.flatnonzero(np.isfinite(target))
        names += [symbol] * len(rows)
        times.append(bars.closed_at[rows])
        values.append(target[rows])
        sides[rows + 1, place] = target[rows]
    targets = Targets.of(names, np.concatenate(times), np.concatenate(values), stop=STOP, take=TAKE)
    book, first, warm = ours(panel, targets, settings(entry_bar="none"))
    columns = {
        name: np.stack([bars.records[name] for bars in panel.values()], axis=1)
        for name in ("open", "high", "low", "close")
    }
    if symbols == 1:
        columns = {name: each_[:, 0] for name, each_ in columns.items()}
        sides = sides[:, 0]
    other = asked("vectorbt", entries=sides > 0, shorts=sides < 0, stop=STOP, take=TAKE,
                  fees=FEES, cash=CASH, **columns)  # fmt: skip
    return {
        "bars": count,
        "fills": len(book.fills),
        "first_s": first,
        "warm_s": warm,
        "bars_per_s": count / warm,
        "vectorbt_fills": float(other["orders"]),
        "vectorbt_first_s": float(other["first_s"]),
        "vectorbt_warm_s": float(other["warm_s"]),
        "vectorbt_peak_mib": float(other["peak_mib"]),
        "ratio": float(other["warm_s"]) / warm,
    }


def beside_backtesting(count: int, seed: int) -> dict[str, float]:
    bars = made_up(count, seed)
    target = forecast_threshold(bars.close, seed, every=145)
    rows = np.flatnonzero(np.isfinite(target))
    stops = {"stop": STOP, "take": TAKE}
    targets = Targets.of("A", bars.closed_at[rows], target[rows], stop=STOP, take=TAKE)
    _, _, warm = ours({"A": bars}, targets, settings())
    other = asked("backtesting", decided=target, fees=FEES, cash=CASH, **stops, **prices(bars))
    return {
        "bars": count,
        "warm_s": warm,
        "backtesting_s": float(other["seconds"]),
        "ratio": float(other["seconds"]) / warm,
    }


_SECOND = """
from _simulation_scenes import made_up
import numpy as np
from barstack.simulation import Targets, simulate_targets
bars = made_up(2000, 0)
found = simulate_targets(bars, Targets.of("A", bars.closed_at[::50], np.tile([1.0, -1.0], 20)))
print(found.equity)
"""


def second_process() -> float:
    """Processor seconds of a new process up to its first result, the best of three."""
    seconds = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", _SECOND], cwd=HERE, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(seconds[1:])  # the first one may compile


def wrong_days() -> int:
    """Hand-made days whose fills are not those of the rulebook."""
    sys.path.insert(0, str(HERE.parent))
    from tests.simulation.days import all_days  # noqa: PLC0415
    from tests.simulation.test_fill_rules import check  # noqa: PLC0415

    wrong = 0
    for day in all_days():
        try:
            check(day, day.run())
        except AssertionError:
            wrong += 1
            print(f"{day.name} is filled otherwise", file=sys.stderr)
    return wrong


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--bars", type=int, default=1_000_000)
    options = parser.parse_args()
    folder = options.data or SHARED
    files = REAL if options.data is None else [file.name for file in folder.glob("*.parquet")][:3]
    scenes = {name: real(folder, name) for name in files if (folder / name).is_file()}
    if not scenes:
        scenes = {"made up": made_up(20_000, options.seed)}
    wrong = wrong_days()
    agreement = {}
    for name, bars in scenes.items():
        agreement[name] = compared(bars[:15_000], options.seed)
        for what, gap in agreement[name].items():
            print(name, what, gap, flush=True)
    gaps = [gap for each in agreement.values() for gap in each.values()]
    speeds = {f"{n} symbols": speed(options.bars, n, options.seed) for n in (1, 100)}
    for what, each in speeds.items():
        print(what, {key: round(value, 3) for key, value in each.items()}, flush=True)
    slow = beside_backtesting(min(options.bars, 100_000), options.seed)
    print("backtesting.py", slow, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    bars_held = {
        "vs_vectorbt": at_least(min(each["ratio"] for each in speeds.values()), 1),
        "vs_backtesting_py": at_least(slow["ratio"], 20),
        "fill_cases_wrong": at_most(wrong, 0),
        "second_process_s": at_most(second_process(), 2),
        "fills_differ": at_most(sum(gap["fills_differ"] for gap in gaps), 0),
        "equity_gap": at_most(max(gap["equity_gap"] for gap in gaps), NEAR),
    }
    finish("simulation", bars_held, {
        "agreement": agreement, "speed": speeds, "backtesting": slow, "peak_mib": peak,
        "units": UNITS,
    })  # fmt: skip


if __name__ == "__main__":
    main()
