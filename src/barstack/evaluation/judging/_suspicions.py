"""Signs that a history saw its answers, is stamped wrongly, or was fitted to its past."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Floats
from barstack.core.times import Times, format_duration

from .._coherent import contradictory
from .._plausible import plausible_ic
from .._profit import YEAR_DAYS, Profit
from ..audit import hit_rate
from ._account import Account
from ._history import FilledOrders, History

Sign = Literal[
    "same_bar",
    "implausible",
    "misstamped",
    "overfit",
    "prices_apart",
    "contradiction",
    "few_trades",
]
_LAGS = 24  # bars each way
_SURE = 4.5  # standard errors, of the best of all lags
_BETTER = 3.0  # standard errors, between two lags
_BREAK = 3.5  # of the largest of all breaks: 1 % by Andrews (1993), 20 % left at each end
_ENDS = 0.2
_LATER = 0.6
_SHARPE = 3.0  # a year, of one market after costs: no fund is known to have kept it over years
_TAILS = 2.5  # by how much fat tails may raise the edge of a hit rate over that of normal returns
_REACH = 2.0
_HEAVY = 1.25  # by how much fat tails widen the error of a correlation
_INSIDE = 0.5  # of the profit, within the bars of the fills
_FEWEST = 10  # holdings


@dataclass(frozen=True)
class Suspicion:
    """A sign that figures are no evidence.

    Attributes
    ----------
    name
        "same_bar", "implausible", "misstamped", "overfit", "prices_apart", "contradiction" or
        "few_trades".
    sentence
        What was found, with its figures, and what to look at.
    serious
        Whether nothing can be supported by such a history.
    """

    name: Sign
    sentence: str
    serious: bool


def lead_lag(accounts: Sequence[Account], panel: Sequence[Bars]) -> list[tuple[int, float, float]]:
    """(lag, correlation, standard errors from zero) of what was decided with the bar so many later.

    Lag 0 is the first bar after a decision, -1 the decision's own bar. The error allows for
    clustered volatility.
    """
    found = []
    for lag in range(-_LAGS, _LAGS + 1):
        products, squares, sizes = [], [], []
        for account, bars in zip(accounts, panel, strict=True):
            signal, returns = _decided(account), _next_returns(bars)
            rows = np.flatnonzero(np.isfinite(signal))
            at = rows + lag
            there = (at >= 0) & (at < len(bars) - 1)
            x, y = signal[rows[there]], returns[at[there]]
            if len(x) < 3:
                continue
            x, y = x - x.mean(), y - y.mean()
            products.append(x * y)
            squares.append(float(x @ x))
            sizes.append(float(y @ y))
        if not products:
            continue
        product = np.concatenate(products)
        scale = math.sqrt(sum(squares) * sum(sizes))
        error = math.sqrt(float(product @ product))
        if scale > 0.0 and error > 0.0:
            total = float(product.sum())
            found.append((lag, total / scale, total / error))
    return found


def _decided(account: Account) -> Floats:
    """(n_bars,) the forecast or position of each bar, NaN where there is none."""
    if not len(account.decided):
        return account.held
    found = np.full(len(account.held), np.nan)
    found[account.decided] = account.forecast
    return found


def _next_returns(bars: Bars) -> Floats:
    close = bars.close
    return np.concatenate([close[1:] / close[:-1] - 1.0, [0.0]])


def by_lead_lag(
    profile: Sequence[tuple[int, float, float]], overlap: int, length_us: int, what: str
) -> Suspicion | None:
    """Whether another moment than that of the decision suits the answers better.

    overlap  bars that a decision looks ahead
    """
    first = -1 if what == "trades" else 0  # a fill within a bar may earn what is left of it
    own = [each for each in profile if first <= each[0] < overlap]
    others = [each for each in profile if not first <= each[0] < overlap]
    if not own or not others:
        return None
    here, best = max(each[2] for each in own), max(others, key=lambda each: each[2])
    lag, ic, z = best
    if z < _SURE or (z - here) / math.sqrt(2.0) < _BETTER:
        return None
    bars = f"{abs(lag)} bar{'s' if abs(lag) > 1 else ''} ({format_duration(abs(lag) * length_us)})"
    correlation = own[0][1]
    if lag > 0:
        return Suspicion(
            "misstamped",
            f"{what.capitalize()} go with the return {bars} later (correlation {ic:.2f}) and not "
            f"with the next one ({correlation:.2f}), so their times are most likely too early, "
            "as where a zone was taken for another; what was made later may have seen the bars "
            "between.",
            serious=True,
        )
    if lag == -1:
        return Suspicion(
            "same_bar",
            f"{what.capitalize()} go with the return of their own bar (correlation {ic:.2f}), "
            f"which is over when they are known, and not with the next one ({correlation:.2f}). "
            "A backtest that books the own bar's return sees the answer: shift by one bar. Where "
            "times are moments of decision and do not name bars, use --times moments.",
            serious=False,
        )
    around = [each[2] for each in others if abs(each[0] - lag) == overlap]
    if any(each > 0.5 * z for each in around):  # a trend that was followed, which lasts
        return None
    return Suspicion(
        "misstamped",
        f"{what.capitalize()} go with the return {bars} before (correlation {ic:.2f}) and not "
        f"with the next one ({correlation:.2f}): either they follow what has happened, or their "
        "times are too late by so much, as where a zone was taken for another.",
        serious=False,
    )


def by_size(profit: Profit, accounts: Sequence[Account], what: str) -> Suspicion | None:
    """Whether it is better than real markets allow."""
    days = max(float((profit.time[-1] - profit.time[0]) / np.timedelta64(1, "D")), 1.0)
    bars_a_year = len(profit.time) / days * YEAR_DAYS
    forecasts = [each for each in accounts if len(each.forecast)]
    if forecasts:
        found = _by_forecasts(forecasts, days, what)
        if found is not None:
            return found
    gross, spread = float(profit.timing.mean()), float(profit.timing.std())
    if spread <= 0.0:
        return None
    ratio, bound = gross / spread, plausible_ic(bars_a_year)
    error = _HEAVY / math.sqrt(len(profit.time))
    if ratio - _REACH * error > bound:
        return Suspicion(
            "implausible",
            f"The {what} earn {ratio:.2f} standard deviations a bar before costs, where "
            f"{bound:.2f} is the most that is plausible: it is what a look at the answer gives. "
            "Look at how times are stamped, and at which bar's return is booked.",
            serious=True,
        )
    net = profit.timing - profit.cost
    sharpe = float(net.mean()) / float(net.std()) * math.sqrt(bars_a_year)
    years = days / YEAR_DAYS
    if years >= 1.0 and sharpe - _REACH * math.sqrt(1.0 / years) > _SHARPE:
        return Suspicion(
            "implausible",
            f"The {what} have a Sharpe ratio of {sharpe:.1f} a year after costs, over "
            f"{years:.1f} years; {_SHARPE:g} is the most that any fund is known to have kept in "
            "one market. Look at fills, costs and stamps.",
            serious=True,
        )
    return None


def _by_forecasts(accounts: Sequence[Account], days: float, what: str) -> Suspicion | None:
    signal = np.concatenate([each.forecast for each in accounts])
    outcome = np.concatenate([each.outcome for each in accounts])
    labels = sum(len(each.forecast) / each.overlap for each in accounts)
    a_year = labels / len(accounts) / days * YEAR_DAYS
    bound, error = plausible_ic(a_year), _HEAVY / math.sqrt(max(labels, 1.0))
    ic = correlation_of(signal, outcome)
    if math.isfinite(ic) and ic - _REACH * error > bound:
        return Suspicion(
            "implausible",
            f"The {what} have a correlation of {ic:.2f} with realised returns, where {bound:.2f} "
            "is the most that is plausible: they have most likely seen their answers. Look at "
            "how times are stamped, and at what was known when.",
            serious=True,
        )
    moved = (outcome != 0.0) & (signal != 0.0)
    if moved.sum() < _FEWEST:
        return None
    hits = float((np.sign(signal[moved]) == np.sign(outcome[moved])).mean())
    most = 0.5 + _TAILS * (hit_rate(bound) - 0.5)
    if hits - _REACH * 0.5 / math.sqrt(max(labels, 1.0)) > most:
        return Suspicion(
            "implausible",
            f"The {what} have the right direction in {hits:.0%} of cases, where {most:.0%} is "
            "the most that is plausible: they have most likely seen their answers.",
            serious=True,
        )
    return None


def correlation_of(one: Floats, other: Floats) -> float:
    """Pearson's; NaN where either never changes."""
    if len(one) < 3 or np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def by_fills(profit: Profit, inside: Floats, accounts: Sequence[Account]) -> list[Suspicion]:
    """Whether fills know their bars, and whether their prices are of these bars."""
    found = []
    total, own = float(profit.gross.sum()), float(inside.sum())
    error = math.sqrt(float(inside @ inside))
    moves = float(profit.turnover.sum())
    holdings = max(moves / 2.0, 1.0)
    bars_held = float(np.abs(profit.position).sum()) / holdings
    if error > 0.0 and own / error > _SURE and own > _INSIDE * total and bars_held > 1.5:
        found.append(
            Suspicion(
                "same_bar",
                f"{min(own / total, 9.99):.0%} of the profit is made between a fill and the "
                f"close of the same bar, though positions are held for {bars_held:.0f} bars on "
                "average: an order that is filled within a bar cannot know where the bar closes. "
                "Fill at the next bar's open.",
                serious=True,
            )
        )
    off = max((each.fills_off for each in accounts), default=0.0)
    if off > 0.05:
        found.append(
            Suspicion(
                "prices_apart",
                f"{off:.0%} of fills have prices at which their bars never traded: these are "
                "other bars, prices adjusted otherwise for splits and dividends, or fills that "
                "nobody would have got.",
                serious=False,
            )
        )
    return found


def by_break(net: Floats, times: Times) -> Suspicion | None:
    """Whether the profit ends at some moment, as it does where rules were fitted to what is before.

    net    (n_bars,) timing profit after costs
    times  (n_bars,) of the bars
    """
    n_bars = len(net)
    low, high = int(n_bars * _ENDS), int(n_bars * (1.0 - _ENDS))
    if high - low < 10:
        return None
    sums, squares = np.cumsum(net), np.cumsum(net**2)
    cuts = np.arange(low, high)
    first, rest = sums[cuts - 1] / cuts, (sums[-1] - sums[cuts - 1]) / (n_bars - cuts)
    variance = (
        squares[cuts - 1] / cuts**2 + (squares[-1] - squares[cuts - 1]) / (n_bars - cuts) ** 2
    )
    z = (first - rest) / np.sqrt(np.maximum(variance, 1e-300))
    cut = int(cuts[np.argmax(z)])
    own, before, after = float(z.max()), _t_value(net[:cut]), _t_value(net[cut:])
    if own > _BREAK and before > 3.0 and after < 1.645:
        return _ends_at(net, times, cut)
    cut = int(n_bars * _LATER)
    drop = float(z[min(max(cut - low, 0), len(z) - 1)])
    if drop > 2.0 and _t_value(net[:cut]) > 2.5 and _t_value(net[cut:]) < 0.5:
        return _ends_at(net, times, cut)
    return None


def _t_value(values: Floats) -> float:
    size = math.sqrt(float(values @ values))
    return float(values.sum()) / size if size > 0.0 else 0.0


def _ends_at(net: Floats, times: Times, cut: int) -> Suspicion:
    day = times[cut].astype("datetime64[D]")
    return Suspicion(
        "overfit",
        f"What was earned ends about {day}: {1e4 * float(net[:cut].mean()):.2f} bps a bar before, "
        f"{1e4 * float(net[cut:].mean()):.2f} after. So it looks where rules were fitted to the "
        "first stretch. If you know until when they were, judge what is later with --tuned-until "
        "DATE.",
        serious=True,
    )


def by_number(profit: Profit, kind: str) -> Suspicion | None:
    """Whether there are enough holdings for chance to even out."""
    if kind == "equity":
        return None
    holdings = float(profit.turnover.sum()) / 2.0
    turns = turns_of(profit)
    if max(holdings, turns) >= _FEWEST or not profit.turnover.any():
        return None
    count = max(turns, 1)
    return Suspicion(
        "few_trades",
        f"Positions change {count} time{'s' if count > 1 else ''}: too few to distinguish skill "
        f"from luck. Give a history with {_FEWEST} or more.",
        serious=True,
    )


def turns_of(profit: Profit) -> int:
    """Times that the position goes from long to short or to nothing, or back."""
    signs = np.sign(np.round(profit.position, 12))
    return int((np.diff(signs, prepend=0.0) != 0.0).sum())


def by_claims(
    history: History, claims: dict[str, float], trades: dict[str, float]
) -> list[Suspicion]:
    """Whether what is reported contradicts itself, or the trades."""
    reported = {**history.reported, **claims}
    found = [
        Suspicion("contradiction", sentence, serious=True)
        for sentence in contradictory(**reported)  # type: ignore[arg-type]
    ]
    for name, far in (("win_rate", 0.05), ("payoff", 0.25), ("profit_factor", 0.25)):
        if name not in reported or name not in trades:
            continue
        own, limit = trades[name], far if name == "win_rate" else far * max(trades[name], 1.0)
        if abs(reported[name] - own) > limit:
            found.append(
                Suspicion(
                    "contradiction",
                    f"A {name.replace('_', ' ')} of {reported[name]:.2f} is reported, and the "
                    f"trades' own prices give {own:.2f} before costs.",
                    serious=abs(reported[name] - own) > 2.0 * limit and reported[name] > own,
                )
            )
    fills = [each for each in history.parts.values() if isinstance(each, FilledOrders)]
    if fills:
        own_returns = np.concatenate([each.returns for each in fills])
        stated = np.concatenate([each.stated for each in fills])
        known = np.isfinite(stated) & np.isfinite(own_returns)
        wrong = known & (stated > 0.002) & (own_returns < -0.002)
        if known.sum() >= _FEWEST and wrong.sum() > 0.05 * known.sum():
            found.append(
                Suspicion(
                    "contradiction",
                    f"{int(wrong.sum()):,} of {int(known.sum()):,} trades are reported as gains "
                    "though their own prices make them losses.",
                    serious=True,
                )
            )
    return found


def trade_figures(history: History) -> dict[str, float]:
    """Win rate, payoff and profit factor of closed trades by their prices, before costs."""
    fills = [each for each in history.parts.values() if isinstance(each, FilledOrders)]
    returns = np.concatenate([each.returns for each in fills]) if fills else np.zeros(0)
    gains, losses = returns[returns > 0.0], -returns[returns < 0.0]
    found: dict[str, float] = {"trades": float(len(returns))}
    if len(gains) + len(losses):
        found["win_rate"] = len(gains) / (len(gains) + len(losses))
    if len(gains) and len(losses):
        found["payoff"] = float(gains.mean() / losses.mean())
        found["profit_factor"] = float(gains.sum() / losses.sum())
    return found
