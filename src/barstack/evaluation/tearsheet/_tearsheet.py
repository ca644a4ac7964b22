"""All figures of a simulation, as plain values that pages and terminals show."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from barstack.core.arrays import Array, Floats
from barstack.core.decisions import Decisions
from barstack.core.errors import DataError
from barstack.core.times import DecidedAt, Times, iso
from barstack.simulation import Costs, Settings, Simulation, Targets, simulate_targets

from ..significance import block_length, sharpe_ratio, stationary_indices
from ._ratios import deepest_fall, ratios_of, value_at_risk
from ._stress import SCENARIOS, stressed

_YEAR_DAYS = 365.25
_POINTS = 500  # of a curve
_PATHS = 500
_RANDOM, _MOST_RANDOM_BARS = 100, 20_000_000  # random entries: bars that may be gone through
_CAPITALS = tuple(10.0**power for power in range(1, 7))
Row = dict[str, Any]


@dataclass(frozen=True)
class Tearsheet:
    """What a simulation earned, at what risk, and beside what.

    Attributes
    ----------
    title
        What was simulated.
    facts
        Label and text of what was assumed.
    summary
        Return, volatility and ratios of daily returns, with the Sharpe ratio's interval.
    trades
        Round trips: number, win rate, profit factor, expectancy, excursions.
    exposure
        Mean gross and net exposure, share of closes with a position, turnover a year.
    costs
        Each cost, in money, and the multiple of all costs at which nothing is left.
    risk
        Value at risk and its mean excess, of a day, at 5 % and 1 %.
    beside
        The strategy, cost-free and at twice the costs, buy-and-hold, and random entries.
    stress
        The same decisions in worse markets.
    paths
        Quantiles of return and drawdown over resampled paths.
    capacity
        Multiple of the capital at which square-root impact takes the profit; None where there is
        none, or no volume.
    months, by_symbol, by_hour, by_volatility, drawdowns, histogram
        Tables.
    curve
        Time, equity, drawdown and buy-and-hold, thinned to what a chart shows.
    notes
        Sentences that belong beside the figures.
    """

    title: str
    facts: list[tuple[str, str]]
    summary: dict[str, float | None]
    trades: dict[str, float | None]
    exposure: dict[str, float | None]
    costs: dict[str, float | None]
    risk: dict[str, dict[str, float]]
    beside: list[Row]
    stress: list[Row]
    paths: dict[str, float]
    capacity: float | None
    months: list[Row]
    by_symbol: list[Row]
    by_hour: list[Row]
    by_volatility: list[Row]
    drawdowns: list[Row]
    histogram: dict[str, list[float]]
    curve: dict[str, list[Any]]
    notes: list[str]

    def __repr__(self) -> str:
        return f"Tearsheet({self.title}, {self.sentence})"

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        own = self.summary
        sharpe = "without a Sharpe ratio"
        if own["sharpe"] is not None:
            low, high = own["sharpe_low"] or 0.0, own["sharpe_high"] or 0.0
            sharpe = f"Sharpe ratio {own['sharpe']:.2f} (95 % interval {low:.2f} to {high:.2f})"
        return (
            f"{100 * (own['annual'] or 0.0):+.1f} % a year after costs, {sharpe}, largest drawdown "
            f"{100 * (own['drawdown'] or 0.0):.1f} %"
        )

    def to_json(self) -> Row:
        """Plain data."""
        return {"sentence": self.sentence} | asdict(self)


def tearsheet(
    simulation: Simulation, *, title: str = "", seed: int = 0, quick: bool = False
) -> Tearsheet:
    """All figures of a simulation.

    Parameters
    ----------
    simulation
        What was simulated.
    title
        By default the symbols.
    seed
        Of random entries and resampled paths.
    quick
        Leaves out what simulates again: random entries, stress tests and capacity.

    Raises
    ------
    DataError
        Where there are fewer than three days of equity.

    >>> from barstack.simulation import Targets, simulate_targets
    >>> from barstack.testing import walk
    >>> bars = walk(bars=300)
    >>> targets = Targets.of("WALK", bars.closed_at[::20], np.tile([1.0, -1.0, 0.0], 5))
    >>> found = tearsheet(simulate_targets(bars, targets), quick=True)
    >>> found.trades["number"]
    10.0
    """
    days, returns = daily_returns(simulation)
    if len(returns) < 3:
        raise DataError(
            f"The simulation covers {len(returns)} days. A tearsheet needs three or more."
        )
    a_year = periods_a_year(days)
    hold = _buy_and_hold(simulation)
    rng = np.random.default_rng(seed)
    return Tearsheet(
        title=title or f"Simulation of {', '.join(simulation.symbols[:5])}",
        facts=_facts(simulation, days),
        summary=_summary(returns, a_year),
        trades=_trades(simulation),
        exposure=_exposure(simulation, days),
        costs=_costs(simulation),
        risk={"5 %": value_at_risk(returns, 0.05), "1 %": value_at_risk(returns, 0.01)},
        beside=_beside(simulation, hold, rng, quick),
        stress=[] if quick else _stress(simulation),
        paths=_paths(returns, seed),
        capacity=None if quick else _capacity(simulation),
        months=_months(days, returns),
        by_symbol=_by_symbol(simulation),
        by_hour=_by_hour(simulation),
        by_volatility=_by_volatility(simulation, days, returns),
        drawdowns=_drawdowns(days, returns),
        histogram=_histogram(simulation),
        curve=_curve(simulation, hold),
        notes=list(simulation.notes),
    )


def daily_returns(simulation: Simulation) -> tuple[Times, Floats]:
    """Days in UTC with a close, and the return of each over the day before.

    The first runs from the capital at the first decision.
    """
    curve, day = simulation.curve, simulation.time.astype("datetime64[D]")
    if not len(curve):
        return day, np.zeros(0)
    last = np.flatnonzero(np.append(day[1:] != day[:-1], True))
    equity = curve["equity"][last]
    start = np.concatenate([[simulation.settings.capital], equity[:-1]])
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.where(start > 0.0, equity / start - 1.0, 0.0)
    return day[last], returns


def periods_a_year(days: Times) -> float:
    """Days with a close in a year, by the calendar."""
    span = float((days[-1] - days[0]) / np.timedelta64(1, "D")) * len(days) / (len(days) - 1)
    return len(days) / span * _YEAR_DAYS


def _facts(simulation: Simulation, days: Times) -> list[tuple[str, str]]:
    settings = simulation.settings
    return [
        ("symbols", ", ".join(simulation.symbols[:6])),
        ("from, to", f"{days[0]}, {days[-1]}"),
        ("decisions", f"{len(simulation.targets):,}"),
        ("fills", f"{len(simulation.fills):,}"),
        ("capital", f"{settings.capital:,.0f}"),
        ("fills at", settings.fills.market.replace("_", " ")),
        ("costs of a market order", f"{settings.costs.per_trade_bps:g} bps"),
        ("latency", f"{settings.costs.latency_ms:g} ms"),
    ]


def _summary(returns: Floats, a_year: float) -> dict[str, float | None]:
    found: dict[str, float | None] = dict(asdict(ratios_of(returns, a_year)))
    found |= {"sharpe_low": None, "sharpe_high": None, "days": float(len(returns))}
    found["periods_a_year"] = a_year
    found["best_day"], found["worst_day"] = float(returns.max()), float(returns.min())
    found["days_up"] = float((returns > 0.0).mean())
    if len(returns) >= 4 and found["sharpe"] is not None:
        ratio, root = sharpe_ratio(returns), math.sqrt(a_year)
        se = max(ratio.se, ratio.se_serial)
        found["sharpe_low"] = (ratio.value - 1.96 * se) * root
        found["sharpe_high"] = (ratio.value + 1.96 * se) * root
    return found


def _trades(simulation: Simulation) -> dict[str, float | None]:
    rows = simulation.trades
    net = rows["gross"] - rows["cost"]
    gains, losses = net[net > 0.0], net[net < 0.0]
    lost = -float(losses.sum())
    found: dict[str, float | None] = {"number": float(len(rows))}
    names = ("win_rate", "profit_factor", "expectancy", "mean_gain", "mean_loss", "mean_bars",
             "mean_adverse", "mean_favourable", "longest_run_of_losses")  # fmt: skip
    if not len(rows):
        return found | dict.fromkeys(names)
    run = longest = 0
    for each in net:
        run = run + 1 if each < 0.0 else 0
        longest = max(longest, run)
    values = (
        len(gains) / len(rows),
        float(gains.sum()) / lost if lost > 0.0 else None,
        float(net.mean()),
        float(gains.mean()) if len(gains) else None,
        float(losses.mean()) if len(losses) else None,
        float(rows["bars"].mean()),
        float(rows["adverse"].mean()),
        float(rows["favourable"].mean()),
        float(longest),
    )
    return found | dict(zip(names, values, strict=True))


def _exposure(simulation: Simulation, days: Times) -> dict[str, float | None]:
    curve = simulation.curve
    equity = np.where(curve["equity"] > 0.0, curve["equity"], np.nan)
    years = max(float((days[-1] - days[0]) / np.timedelta64(1, "D")) / _YEAR_DAYS, 1e-9)
    mean = float(np.nanmean(equity))
    return {
        "gross": float(np.nanmean(curve["gross"] / equity)),
        "net": float(np.nanmean(curve["net"] / equity)),
        "largest_gross": float(np.nanmax(curve["gross"] / equity)),
        "in_the_market": float((curve["gross"] > 0.0).mean()),
        "turnover_a_year": simulation.totals["turnover"] / mean / years,
    }


def _paid(simulation: Simulation) -> float:
    names = ("commission", "spread", "slippage", "impact", "carry", "funding")
    return sum(simulation.totals[name] for name in names)


def _costs(simulation: Simulation) -> dict[str, float | None]:
    paid = _paid(simulation)
    net = simulation.equity - simulation.settings.capital
    found: dict[str, float | None] = {**simulation.totals, "paid": paid, "net": net}
    found["before_costs"] = net + paid
    found["break_even"] = (net + paid) / paid if paid > 0.0 and net + paid > 0.0 else None
    return found


def _again(simulation: Simulation, settings: Settings) -> Simulation:
    return simulate_targets(simulation.panel, simulation.targets, settings, bracket=False)


def _with(settings: Settings, costs: Costs) -> Settings:
    return settings.model_copy(update={"costs": costs})


def _buy_and_hold(simulation: Simulation) -> Simulation:
    """All symbols in equal parts from the first decision on, at the same costs."""
    targets = simulation.targets.decisions.decided_at
    first = targets.min() if len(targets) else simulation.time[0]
    panel, times, symbols = simulation.panel, [], []
    for symbol, own in panel.items():
        row = int(np.searchsorted(own.closed_at, first))
        if row < len(own) - 1:
            times.append(own.closed_at[row])
            symbols.append(symbol)
    settings = simulation.settings.model_copy(update={"unit": "weight"})
    weight = 1.0 / max(len(symbols), 1)
    targets_held = Targets.of(symbols, np.asarray(times, "M8[us]"), np.full(len(times), weight))
    return simulate_targets(panel, targets_held, settings, bracket=False)


def _row(name: str, simulation: Simulation) -> Row:
    days, returns = daily_returns(simulation)
    found = ratios_of(returns, periods_a_year(days))
    return {
        "name": name,
        "total": found.total,
        "annual": found.annual,
        "sharpe": found.sharpe,
        "drawdown": found.drawdown,
        "costs": _paid(simulation),
    }


def _beside(
    simulation: Simulation, hold: Simulation, rng: np.random.Generator, quick: bool
) -> list[Row]:
    settings = simulation.settings
    found = [
        _row("strategy", simulation),
        _row("without costs", _again(simulation, _with(settings, settings.costs.scaled(0.0)))),
        _row("at twice the costs", _again(simulation, _with(settings, settings.costs.scaled(2.0)))),
        _row("buy and hold", hold),
    ]
    if quick or not len(simulation.targets):
        return found
    n_bars = sum(len(own) for own in simulation.panel.values())
    count = int(np.clip(_MOST_RANDOM_BARS // max(n_bars, 1), 10, _RANDOM))
    rows = [
        _row(
            "random",
            simulate_targets(
                simulation.panel, targets, settings, bracket=False, since=simulation.time[0]
            ),
        )
        for targets in (_moved(simulation, rng) for _ in range(count))
    ]
    totals = np.array([row["total"] for row in rows])
    found.append(
        {
            "name": f"random entries, median of {count}",
            **{
                name: float(np.median([row[name] or 0.0 for row in rows]))
                for name in ("total", "annual", "sharpe", "drawdown", "costs")
            },
            "beaten": float((totals < found[0]["total"]).mean()),
        }
    )
    return found


def _moved(simulation: Simulation, rng: np.random.Generator) -> Targets:
    """The decisions of each symbol at other bars: moved round by a random number of bars.

    Positions, their length and their order stay, so that exposure and turnover are about the same.
    """
    own = simulation.targets
    times = own.decisions.decided_at.copy()
    start = times.min()
    columns = [own.position, own.kind, own.price, own.stop, own.take, own.trail]
    columns += [own.hold_bars, own.valid_bars]
    order: list[Array] = []
    for code, symbol in enumerate(own.decisions.symbols):
        (rows,) = np.nonzero(own.decisions.symbol_code == code)
        closed_at = simulation.panel[symbol].closed_at
        closed_at = closed_at[closed_at >= start]
        place = np.minimum(np.searchsorted(closed_at, times[rows]), len(closed_at) - 1)
        place = (place + rng.integers(1, max(len(closed_at), 2))) % len(closed_at)
        times[rows] = closed_at[place]
        order.append(rows[np.argsort(place, kind="stable")])
    chosen = np.concatenate(order)
    code = own.decisions.symbol_code[chosen]
    decisions = Decisions(own.decisions.symbols, code, DecidedAt(times[chosen]))
    return Targets(decisions, *(each[chosen] for each in columns))


def _stress(simulation: Simulation) -> list[Row]:
    found = []
    for scenario in SCENARIOS:
        row = _row(scenario.name, stressed(simulation, scenario))
        found.append({**row, "about": scenario.about})
    return found


def _capacity(simulation: Simulation) -> float | None:
    """The smallest power of ten of the capital at which impact takes the profit."""
    has_volume = any((own.records["volume"] > 0.0).any() for own in simulation.panel.values())
    if simulation.equity <= simulation.settings.capital or not has_volume:
        return None
    if simulation.settings.unit == "units":
        return None
    costs = simulation.settings.costs.model_copy(
        update={"impact": max(simulation.settings.costs.impact, 1.0)}
    )
    for multiple in _CAPITALS:
        capital = simulation.settings.capital * multiple
        settings = _with(simulation.settings, costs).model_copy(update={"capital": capital})
        if _again(simulation, settings).equity <= capital:
            return multiple
    return None


def _paths(returns: Floats, seed: int) -> dict[str, float]:
    """Stationary bootstrap of the daily returns (Politis and Romano 1994)."""
    varied = float(returns.std()) > 0.0
    length = block_length(returns) if varied and len(returns) > 10 else 1.0
    rows = stationary_indices(len(returns), _PATHS, length, seed)
    growth = np.cumprod(1.0 + returns[rows], axis=1)
    falls = np.array([deepest_fall(each) for each in growth])
    totals = growth[:, -1] - 1.0
    found = {"paths": float(_PATHS), "loss_probability": float((totals < 0.0).mean())}
    for level in (5, 50, 95):
        found[f"total_q{level:02}"] = float(np.quantile(totals, level / 100))
        found[f"drawdown_q{level:02}"] = float(np.quantile(falls, level / 100))
    return found


def _months(days: Times, returns: Floats) -> list[Row]:
    months = days.astype("datetime64[M]")
    return [
        {"month": str(month), "return": float(np.prod(1.0 + returns[months == month]) - 1.0)}
        for month in np.unique(months)
    ]


def _by_symbol(simulation: Simulation) -> list[Row]:
    rows = simulation.trades
    net = rows["gross"] - rows["cost"]
    found = []
    for code, symbol in enumerate(simulation.symbols):
        own = net[rows["symbol"] == code]
        if len(own):
            found.append(
                {
                    "symbol": symbol,
                    "trades": len(own),
                    "net": float(own.sum()),
                    "win_rate": float((own > 0.0).mean()),
                }
            )
    return found


def _by_hour(simulation: Simulation) -> list[Row]:
    """Net profit by the hour in UTC in which bars close, of bars shorter than a day."""
    curve, time = simulation.curve, simulation.time
    earned = np.diff(curve["equity"], prepend=simulation.settings.capital)
    hours = (time - time.astype("datetime64[D]")) // np.timedelta64(1, "h")
    found = [
        {"hour": int(hour), "net": float(earned[hours == hour].sum())} for hour in np.unique(hours)
    ]
    return found if len(found) > 1 else []


def _by_volatility(simulation: Simulation, days: Times, returns: Floats) -> list[Row]:
    """Days in thirds by the volatility of the market over the 20 days before, as known then."""
    panel = simulation.panel
    moves = np.zeros((len(days), len(panel)))
    for place, own in enumerate(panel.values()):
        day = own.closed_at.astype("datetime64[D]")
        last = np.flatnonzero(np.append(day[1:] != day[:-1], True))
        close = np.log(own.close[last])
        change = np.diff(close, prepend=close[0])
        spot = np.searchsorted(day[last], days)
        inside = (spot < len(last)) & (day[last][np.minimum(spot, len(last) - 1)] == days)
        moves[inside, place] = change[spot[inside]]
    market = moves.mean(axis=1) ** 2
    known = np.array([market[max(0, row - 20) : row].mean() if row >= 5 else np.nan
                      for row in range(len(days))])  # fmt: skip
    ranked = known[np.isfinite(known)]
    if len(ranked) < 9:
        return []
    low, high = np.quantile(ranked, [1 / 3, 2 / 3])
    found = []
    for name, inside in (
        ("calm", known <= low),
        ("usual", (known > low) & (known <= high)),
        ("volatile", known > high),
    ):
        own = returns[inside]
        if len(own) >= 2:
            ratios = ratios_of(own, periods_a_year(days))
            found.append(
                {"days": name, "number": len(own), "total": ratios.total, "sharpe": ratios.sharpe}
            )
    return found


def _drawdowns(days: Times, returns: Floats, most: int = 5) -> list[Row]:
    """The deepest falls from a peak, each until the peak is reached again."""
    line = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    peak = np.maximum.accumulate(line)
    below = line < peak
    found, row = [], 1
    while row < len(line):
        if not below[row]:
            row += 1
            continue
        end = row
        while end < len(line) and below[end]:
            end += 1
        deepest = row + int(np.argmin(line[row:end]))
        found.append(
            {
                "from": str(days[max(row - 2, 0)]),
                "deepest": str(days[deepest - 1]),
                "to": str(days[end - 1]) if end < len(line) else None,
                "depth": float(1.0 - line[deepest] / peak[deepest]),
            }
        )
        row = end
    return sorted(found, key=lambda each: -float(each["depth"]))[:most]  # type: ignore[arg-type]


def _histogram(simulation: Simulation) -> dict[str, list[float]]:
    rows = simulation.trades
    if not len(rows):
        return {"edges": [], "counts": []}
    value = np.abs(rows["quantity"] * rows["entry"])
    percent = 100.0 * (rows["gross"] - rows["cost"]) / np.where(value > 0.0, value, np.nan)
    percent = percent[np.isfinite(percent)]
    low, high = np.quantile(percent, [0.01, 0.99])
    counts, edges = np.histogram(np.clip(percent, low, high), bins=31)
    return {"edges": edges.tolist(), "counts": counts.astype(float).tolist()}


def _curve(simulation: Simulation, hold: Simulation) -> dict[str, list[Any]]:
    count = len(simulation.curve)
    shown = np.unique(np.linspace(0, count - 1, min(_POINTS, count)).astype(int))
    equity = simulation.curve["equity"]
    peak = np.maximum(np.maximum.accumulate(equity), simulation.settings.capital)
    place = np.clip(
        np.searchsorted(hold.time, simulation.time[shown], side="right") - 1, 0, len(hold.time) - 1
    )
    return {
        "time": [iso(each).removesuffix(" UTC") for each in simulation.time[shown]],
        "equity": equity[shown].tolist(),
        "drawdown": (100.0 * (equity / peak - 1.0))[shown].tolist(),
        "hold": hold.curve["equity"][place].tolist(),
        "gross": (simulation.curve["gross"] / np.maximum(equity, 1e-9))[shown].tolist(),
    }
