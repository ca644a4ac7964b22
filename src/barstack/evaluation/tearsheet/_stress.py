"""The same decisions in worse markets: falls, volatility, spreads, gaps and outages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Array, Floats
from barstack.simulation import Simulation, simulate_targets

Panel = dict[str, Bars]


@dataclass(frozen=True)
class Scenario:
    """What happens to the bars, or to trading.

    Attributes
    ----------
    name, about
        What it is called, and what it does.
    bars
        From the bars and the symbol's first bar with a decision to other bars.
    spread
        Multiple of half the spread, which is taken to be at least one basis point.
    outage
        Share of the bars in which trading is suspended, around the largest position.
    gap
        Fall, or for shorts rise, of all prices at the open after the largest position.
    """

    name: str
    about: str
    bars: Callable[[Bars], Bars] | None = None
    spread: float = 1.0
    outage: float = 0.0
    gap: float = 0.0


def _reshaped(bars: Bars, volatility: float, path: Floats) -> Bars:
    """Deviations of log prices from their straight line multiplied, and a path added."""
    records = bars.records.copy()
    close = np.log(records["close"])
    line = np.linspace(close[0], close[-1], len(close))
    for name in ("open", "high", "low", "close"):
        records[name] = np.exp(line + volatility * (np.log(records[name]) - line) + path)
    low = np.minimum(records["open"], records["close"])
    high = np.maximum(records["open"], records["close"])
    records["low"], records["high"] = (
        np.minimum(records["low"], low),
        np.maximum(records["high"], high),
    )
    return Bars(bars.symbol, bars.length_us, records, 0, bars.calendar, bars.hours)


def _crash(fall: float, days: float, volatility: float, recovered: float) -> Callable[[Bars], Bars]:
    """From the middle of the bars on: a fall over some days, part of which comes back as fast."""

    def change(bars: Bars) -> Bars:
        times = bars.records["closed_at"].astype(float)
        since = (times - times[len(times) // 2]) / (days * 86_400e6)
        depth = np.log(1.0 - fall)
        path = depth * (np.clip(since, 0.0, 1.0) - recovered * np.clip(since - 1.0, 0.0, 1.0))
        return _reshaped(bars, volatility, path)

    return change


SCENARIOS = (
    Scenario("2008-like", "half of the price is lost over a year, volatility doubles",
             _crash(0.5, 365.0, 2.0, 0.0)),
    Scenario("2020-like", "a third is lost in 33 days and half of that comes back, volatility "
             "is fourfold", _crash(0.34, 33.0, 4.0, 0.5)),
    Scenario("volatility x3", "deviations from the trend are three times as large",
             lambda bars: _reshaped(bars, 3.0, np.zeros(len(bars)))),
    Scenario("spread x5", "half the spread is five times as wide", spread=5.0),
    Scenario("gap through the stop", "10 % against the largest position at the next open", gap=0.1),
    Scenario("exchange outage", "no trading for 2 % of the bars from the largest position on",
             outage=0.02),
)  # fmt: skip


def stressed(simulation: Simulation, scenario: Scenario) -> Simulation:
    """The same decisions in the scenario."""
    panel, settings = dict(simulation.panel), simulation.settings
    halted: dict[str, Array] = {}
    if scenario.bars is not None:
        panel = {symbol: scenario.bars(own) for symbol, own in panel.items()}
    if scenario.spread != 1.0:
        wider = max(settings.costs.half_spread_bps, 1.0) * scenario.spread
        costs = settings.costs.model_copy(update={"half_spread_bps": wider})
        settings = settings.model_copy(update={"costs": costs})
    if (scenario.gap or scenario.outage) and len(simulation.fills):
        fills = simulation.fills
        largest = fills[int(np.argmax(np.abs(fills["position"] * fills["price"])))]
        symbol = simulation.symbols[largest["symbol"]]
        row = int(largest["row"]) + 1
        own = panel[symbol]
        if scenario.gap and row < len(own):
            records = own.records.copy()
            side = 1.0 if largest["position"] > 0 else -1.0
            for name in ("open", "high", "low", "close"):
                records[name][row:] *= 1.0 - side * scenario.gap
            panel[symbol] = Bars(symbol, own.length_us, records, 0, own.calendar, own.hours)
        if scenario.outage:
            for name, each in panel.items():
                flags = np.zeros(len(each), np.bool_)
                place = min(row, len(each))
                flags[place : place + max(1, int(scenario.outage * len(each)))] = True
                halted[name] = flags
    return simulate_targets(panel, simulation.targets, settings, halted=halted, bracket=False)
