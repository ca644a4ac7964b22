"""The verdict on a history that was made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from barstack.bars import Bars
from barstack.core.arrays import Bools, Floats
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.notebook import card, paragraph, remark, table
from barstack.core.text import listed
from barstack.core.times import iso

from .._findings import Equity
from .._profit import YEAR_DAYS, Profit, equity_of, net_edge
from .._verdict import LEVEL, Edge, adjusted_p_value, bars_to_prove, often
from ._account import Account, account_of, together
from ._clock import BarClock
from ._history import History
from ._matrix import MatrixFindings, joint_p_value, judged_among
from ._suspicions import (
    Suspicion,
    by_break,
    by_claims,
    by_fills,
    by_lead_lag,
    by_number,
    by_size,
    correlation_of,
    lead_lag,
    trade_figures,
    turns_of,
)
from ._table import Exported

_MOST_TRIALS = 10**12
_STRETCHES = 8
_LATE = ("same_bar", "misstamped")
_NOUNS = {
    "forecasts": "forecasts",
    "positions": "positions",
    "trades": "trades",
    "equity": "returns",
}


@dataclass(frozen=True)
class Stretch:
    """The net edge in one part of the time, all parts equally long.

    Attributes
    ----------
    first_at, last_at
        Dates of its first and last bar.
    net_edge_bps, net_edge_bps_se
        Of a bar, as in `Judgement`.
    """

    first_at: str
    last_at: str
    net_edge_bps: float
    net_edge_bps_se: float | None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Whether a history that was made elsewhere shows an edge, and the evidence.

    Attributes
    ----------
    edge
        "supported": the net edge would be luck with a chance under 5 %, all trials counted, and
        nothing serious speaks against the history. "unproven": it is positive, but luck could
        well have made it, or a serious suspicion stands. "none": after costs there is none.
    sentence
        The same for a person who knows no statistics.
    kind, tool, source
        What was read ("forecasts", "positions", "trades" or "equity"), the tool that exported it,
        where its columns tell, and from where.
    symbols, bars, first_at, last_at
        What it was judged on; `bars` is the number over which something could be held.
    trials
        How many were tried, as their maker admits, or as many as the matrix holds if that is more.
    cost_bps
        Paid for each unit bought or sold; of the value of an account, what it has paid itself.
    net_edge_bps, net_edge_bps_se, net_edge_2x_bps, gross_edge_bps
        A bar's mean profit beyond a steady position, after costs, with its standard error; at
        twice the costs; before costs.
    break_even_cost_bps
        The costs at which nothing is left; None where nothing is traded or earned.
    t_value, p_value, p_adjusted
        Of the net edge, one-sided; the last for all trials.
    trials_survived
        The most trials for which the edge would still be supported; 0 where it is not for one.
    bars_to_prove
        [fewest, most] further bars that would prove the edge in 8 cases of 10, if it lasts.
    sharpe, sharpe_hold, max_drawdown
        A year, after costs; of holding; largest fall of the sum of returns.
    holdings, mean_position, turnover_a_year
        Times that the position changes its direction; its mean; units bought and sold.
    ic, directional_accuracy
        Of forecasts with their outcomes; None for all else.
    trade_figures
        Of closed trades, by their prices: trades, win_rate, payoff, profit_factor.
    suspicions
        Signs that the figures are no evidence.
    lead_lag
        (bars, correlation) of what was decided with the return so many bars later; 0 is the next.
    stretches
        The net edge in parts of the time.
    matrix
        What all trials say, where their returns were given.
    tuned_until
        Date up to which rules were fitted; what is judged is later.
    tuned_edge_bps
        The net edge of a bar up to then.
    notes
        How the file was read.
    equity
        Growth of one unit, for charts.

    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> bars = walk(600)
    >>> positions = bars.to_frame()[["timestamp"]].assign(position=[1, -1] * 300)
    >>> found = bs.judge(positions, bars)
    >>> found.edge, found.kind, found.trials
    ('none', 'positions', 1)
    """

    edge: Edge
    sentence: str
    kind: str
    tool: str
    source: str
    symbols: list[str]
    bars: int
    first_at: str
    last_at: str
    trials: int
    cost_bps: float
    net_edge_bps: float
    net_edge_bps_se: float | None
    net_edge_2x_bps: float
    gross_edge_bps: float
    break_even_cost_bps: float | None
    t_value: float | None
    p_value: float
    p_adjusted: float
    trials_survived: int
    bars_to_prove: list[int] | None
    bars_a_year: float
    sharpe: float | None
    sharpe_hold: float | None
    max_drawdown: float
    holdings: int
    mean_position: float
    turnover_a_year: float
    ic: float | None = None
    directional_accuracy: float | None = None
    trade_figures: dict[str, float] = field(default_factory=dict)
    suspicions: list[Suspicion] = field(default_factory=list)
    lead_lag: list[tuple[int, float]] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    matrix: MatrixFindings | None = None
    tuned_until: str = ""
    tuned_edge_bps: float | None = None
    expected: str = ""
    notes: list[str] = field(default_factory=list)
    equity: Equity | None = None

    @property
    def serious(self) -> list[Suspicion]:
        """Suspicions with which nothing is supported."""
        return [each for each in self.suspicions if each.serious]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def _repr_html_(self) -> str:
        """The sentence and the evidence, as notebooks show them."""
        head = ("net edge, bps a bar", "standard error", "at 2x costs", "p", "p, all trials")
        row = (self.net_edge_bps, self.net_edge_bps_se, self.net_edge_2x_bps, self.p_value,
               self.p_adjusted)  # fmt: skip
        return card(
            f"Judgement of {self.kind}",
            paragraph(self.sentence),
            table(head, [row]),
            remark(*(each.sentence for each in self.suspicions), *self.notes),
            note=f"edge: {self.edge}",
        )


def judge_history(
    history: History,
    panel: Mapping[str, Bars],
    *,
    stamp: str,
    timezone: str,
    trials: int = 1,
    cost_bps: float = 1.0,
    matrix: Exported | None = None,
    claims: Mapping[str, float] | None = None,
    tuned_until: str = "",
    expected: str = "",
) -> Judgement:
    """The verdict on a history and its bars.

    Parameters
    ----------
    history
        As `history_of` reads it.
    panel
        Bars by symbol.
    stamp, timezone
        Which end of a bar the bars' source stamps, and the zone of times that carry none.
    trials, cost_bps, matrix, claims, tuned_until, expected
        As `bs.judge` takes them.
    """
    _check(trials, cost_bps)
    pairs = _pairs(history, panel)
    clocks = [BarClock(panel[symbol], stamp, timezone) for symbol, _ in pairs]
    accounts = [
        account_of(history, history.parts[own], clock)
        for (_, own), clock in zip(pairs, clocks, strict=True)
    ]
    whole, inside = together(accounts)
    if len(whole.time) < 2:
        raise DataError(f"{history.where} covers {len(whole.time)} bar(s). Give a longer history.")
    profit, tuned_bps = whole, None
    if tuned_until:
        keep = _later(whole, tuned_until)
        tuned_bps = _bps(_part(whole, ~keep), cost_bps) if (~keep).any() else None
        profit, inside = _part(whole, keep), inside[keep]
        accounts = [_after(each, tuned_until) for each in accounts]
    charged = 0.0 if history.kind == "equity" else cost_bps
    at_costs = _at(profit, charged)
    found = net_edge(at_costs)
    adjusted = adjusted_p_value(found.p_value, trials)
    among = None
    if matrix is not None:
        among = judged_among(matrix, profit, at_costs.cost, clocks[0])
        adjusted = joint_p_value(among, found.p_value, trials)
        trials = max(trials, among.trials)
    positive = found.bps > 0.0 and (history.kind == "equity" or bool(profit.turnover.any()))
    supported = positive and adjusted < LEVEL
    profile = [] if history.kind == "equity" else lead_lag(accounts, [c.bars for c in clocks])
    figures = trade_figures(history) if history.kind == "trades" else {}
    suspicions = by_claims(history, dict(claims or {}), figures)
    suspicions += _suspicions(history.kind, at_costs, inside, accounts, profile, clocks[0].bars)
    large = [each for each in suspicions if each.name == "implausible"]
    if expected:
        suspicions = [each for each in suspicions if each.name != "implausible"]
    if supported and (broken := by_break(at_costs.timing - at_costs.cost, at_costs.time)):
        suspicions.append(broken)
    if supported:  # whoever follows the market is seen to have followed it
        suspicions = [each for each in suspicions if each.serious or each.name not in _LATE]
    serious = [each for each in suspicions if each.serious]
    edge: Edge = "none"
    if positive:
        edge = "supported" if supported and not serious else "unproven"
    to_prove = None
    if edge == "unproven" and not serious and found.t_value is not None:
        to_prove = bars_to_prove(found.p_value, len(profit.time), trials, LEVEL)
    curve = equity_of(history.tool or history.kind, "", at_costs)
    years = max(float((profit.time[-1] - profit.time[0]) / np.timedelta64(1, "D")), 1.0) / YEAR_DAYS
    turned, gross_bps = float(profit.turnover.mean()), 1e4 * float(profit.timing.mean())
    ic, hits = _skill(accounts)
    judged = Judgement(
        edge=edge,
        sentence="",
        kind=history.kind,
        tool=history.tool,
        source=history.where,
        symbols=[symbol for symbol, _ in pairs],
        bars=len(profit.time),
        first_at=iso(profit.time[0]),
        last_at=iso(profit.time[-1]),
        trials=trials,
        cost_bps=charged,
        net_edge_bps=found.bps,
        net_edge_bps_se=found.bps_se,
        net_edge_2x_bps=_bps(profit, 2.0 * charged),
        gross_edge_bps=gross_bps,
        break_even_cost_bps=gross_bps / turned if turned > 0.0 and gross_bps > 0.0 else None,
        t_value=found.t_value,
        p_value=found.p_value,
        p_adjusted=adjusted,
        trials_survived=_survived(found.p_value) if positive else 0,
        bars_to_prove=to_prove,
        bars_a_year=len(profit.time) / years,
        sharpe=curve.sharpe_net,
        sharpe_hold=curve.sharpe_hold,
        max_drawdown=curve.max_drawdown,
        holdings=turns_of(profit),
        mean_position=float(profit.position.mean()),
        turnover_a_year=turned * len(profit.time) / years,
        ic=ic,
        directional_accuracy=hits,
        trade_figures=figures,
        suspicions=suspicions,
        lead_lag=[(lag, correlation) for lag, correlation, _ in profile],
        stretches=_stretches(at_costs),
        matrix=among,
        tuned_until=tuned_until,
        tuned_edge_bps=tuned_bps,
        expected=expected if large else "",
        notes=[*history.notes, *dict.fromkeys(note for each in accounts for note in each.notes)],
        equity=curve,
    )
    return replace(judged, sentence=_sentence(judged))


def _check(trials: int, cost_bps: float) -> None:
    if not 1 <= trials <= _MOST_TRIALS:
        raise ConfigError(f"trials is {trials}; give 1 or more: this history is one of them.")
    if not 0.0 <= cost_bps <= 10_000.0:
        raise ConfigError(f"cost_bps is {cost_bps:g}; give 0 to 10,000 hundredths of a percent.")


def _suspicions(
    kind: str,
    profit: Profit,
    inside: Floats,
    accounts: Sequence[Account],
    profile: Sequence[tuple[int, float, float]],
    bars: Bars,
) -> list[Suspicion]:
    """All signs but those that ask for the verdict first."""
    what = _NOUNS[kind]
    overlap = max(each.overlap for each in accounts)
    found = by_fills(profit, inside, accounts) if kind == "trades" else []
    single = (
        by_size(profit, accounts, what),
        by_number(profit, kind),
        by_lead_lag(profile, overlap, bars.length_us, what),
    )
    return [*found, *(each for each in single if each is not None)]


def _pairs(history: History, panel: Mapping[str, Bars]) -> list[tuple[str, str]]:
    """(symbol of the bars, symbol of the history) of all that is judged."""
    names = list(history.parts)
    if len(names) == 1 and len(panel) == 1:
        return [(next(iter(panel)), names[0])]
    by_plain = {_plain(symbol): symbol for symbol in panel}
    if names == [""]:
        raise ConfigError(
            f"The bars are of {len(panel)} symbols, {listed(list(panel), 5)}, and "
            f"{history.where} names none. Give the bars of one with --symbol, or name the symbol "
            "in a column called symbol."
        )
    found = [(by_plain[_plain(name)], name) for name in names if _plain(name) in by_plain]
    missing = [name for name in names if _plain(name) not in by_plain]
    if missing:
        hint = did_you_mean(missing[0], panel)
        raise DataError(
            f"{history.where} has {len(missing)} symbol(s) without bars, such as {missing[0]!r}. "
            f"{hint} Give the bars of all, in one file with a column of symbols or in a folder."
        )
    return found


def _plain(symbol: str) -> str:
    return "".join(letter for letter in symbol.upper() if letter.isalnum())


def _moment(text: str) -> np.datetime64:
    try:
        return np.datetime64(text, "us")
    except ValueError:
        raise ConfigError(f"{text!r} is not a date. Write 2024-06-30.") from None


def _later(profit: Profit, until: str) -> Bools:
    keep = np.asarray(profit.time > _moment(until))
    if keep.sum() < 2:
        raise DataError(
            f"Nothing is left to judge after {until}: the history ends {iso(profit.time[-1])}."
        )
    return keep


def _part(profit: Profit, keep: Bools) -> Profit:
    return Profit(**{name: getattr(profit, name)[keep] for name in Profit.__dataclass_fields__})


def _after(account: Account, until: str) -> Account:
    """The account without what was decided up to then."""
    begins = _moment(until)
    kept = account.profit.time > begins
    first = int(account.rows[np.argmax(kept)]) - 1 if kept.any() else len(account.held)
    held = account.held.copy()
    held[: max(first, 0)] = np.nan
    late = account.decided >= first
    return replace(
        account,
        held=held,
        decided=account.decided[late],
        forecast=account.forecast[late],
        outcome=account.outcome[late],
    )


def _at(profit: Profit, cost_bps: float) -> Profit:
    """The same at these costs."""
    fields = {name: getattr(profit, name) for name in Profit.__dataclass_fields__}
    return Profit(**(fields | {"cost": profit.turnover * 1e-4 * cost_bps}))


def _bps(profit: Profit, cost_bps: float) -> float:
    return 1e4 * float((profit.timing - profit.turnover * 1e-4 * cost_bps).mean())


def _survived(p_value: float) -> int:
    """The most trials for which Šidák's p-value stays below the level."""
    if p_value >= LEVEL:
        return 0
    return int(min(math.log1p(-LEVEL) / math.log1p(-max(p_value, 1e-15)), _MOST_TRIALS))


def _skill(accounts: Sequence[Account]) -> tuple[float | None, float | None]:
    signal = np.concatenate([each.forecast for each in accounts])
    outcome = np.concatenate([each.outcome for each in accounts])
    if len(signal) < 3:
        return None, None
    ic = correlation_of(signal, outcome)
    moved = outcome != 0.0
    right = 0.5 + 0.5 * np.sign(signal[moved]) * np.sign(outcome[moved])
    return (ic if math.isfinite(ic) else None), float(right.mean()) if moved.any() else None


def _stretches(profit: Profit) -> list[Stretch]:
    found = []
    for rows in np.array_split(np.arange(len(profit.time)), _STRETCHES):
        if len(rows) < 2:
            continue
        net = (profit.timing - profit.cost)[rows]
        ends = [str(profit.time[row].astype("datetime64[D]")) for row in (rows[0], rows[-1])]
        se = 1e4 * math.sqrt(float(net @ net)) / len(rows)
        found.append(Stretch(ends[0], ends[1], 1e4 * float(net.mean()), se or None))
    return found


def _sentence(judged: Judgement) -> str:
    """What the evidence means, for a person who knows no statistics."""
    serious = judged.serious
    head = f"edge: {judged.edge}. "
    doing = {
        "forecasts": "following these forecasts",
        "positions": "taking these positions",
        "trades": "making these trades",
        "equity": "running this account",
    }[judged.kind]
    if judged.edge == "none":
        own = "its costs" if judged.kind == "equity" else f"costs of {judged.cost_bps:g} bps"
        text = f"Once {own} are paid, {doing} earned no more than simply holding a steady position."
        return head + text + _first(serious or judged.suspicions)
    if serious:
        return head + f"Nothing is proven, because something is wrong: {serious[0].sentence}"
    if judged.t_value is None:
        return (
            head
            + "There are too few bars to distinguish skill from luck; give several times as many."
        )
    tried = "had it been the only thing tried" if judged.trials == 1 else (
        f"with {judged.trials:,} things tried"
    )  # fmt: skip
    luck = often(judged.p_adjusted)
    if judged.edge == "supported":
        text = (
            f"{doing.capitalize()} earned more than holding a steady position, costs paid, and "
            f"{tried}, luck alone does this well {luck}; it is the past all the same, and edges "
            "fade."
        )
        if judged.trials == 1 and judged.trials_survived < _MOST_TRIALS:
            text += (
                f" If more than {judged.trials_survived:,} were tried, this no longer holds: say "
                "how many with --trials."
            )
        return head + text
    text = (
        f"{doing.capitalize()} earned a little more than holding a steady position, costs paid, "
        f"but {tried}, luck alone does at least this well {luck}"
    )
    if judged.bars_to_prove is None:
        text += "; these bars cannot say how many more it would take to prove it."
        return head + text + _first([e for e in judged.suspicions if e.name in _LATE])
    fewest, most = (_span(bars / judged.bars_a_year) for bars in judged.bars_to_prove)
    span = fewest if fewest == most else f"between {fewest} and {most}"
    return (
        head
        + text
        + (
            f"; if it is real and lasts, {span} more of bars like these would prove it with a "
            "chance of 8 in 10."
        )
    )


def _first(suspicions: Sequence[Suspicion]) -> str:
    return f" {suspicions[0].sentence}" if suspicions else ""


def _span(years: float) -> str:
    if years > 100.0:
        return "more than a hundred years"
    if years < 1.0:
        months = max(1, round(years * 12))
        return "a month" if months == 1 else f"{months} months"
    return "a year" if round(years) == 1 else f"{round(years)} years"
