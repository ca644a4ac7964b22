"""The page's small tables: facts, evidence, equity in figures, steps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._theme import chance, number, or_zero, present, say

if TYPE_CHECKING:
    from barstack.evaluation import Equity, Evaluation, HorizonVerdict

EDGE_WORDS: dict[str, str] = {
    "none": "No edge",
    "unproven": "Not proven",
    "supported": "Supported",
}

EVIDENCE_COLUMNS = {
    "Horizon": "How far ahead the forecast looks.",
    "Net edge, bps a bar": (
        "What the timing earned in an average bar after costs, beyond holding a steady position, "
        "in hundredths of a percent; ± is one standard error. The line is a 95 % interval: where "
        "it crosses the dashed 0, luck alone could have made it."
    ),
    "p": "How often pure luck would look this good, had only this one thing been tried.",
    "p, all trials": (
        "The same, given everything that was tried on these symbols. Under 0.05 counts as support."
    ),
    "Bars seen": "Bars behind the figures.",
    "More bars to prove": (
        "If the edge is real and lasts, so many more bars like these would prove it in 8 cases of "
        "10. A range, as its size is known only roughly; a dash where it may as well be nothing."
    ),
}


_ENDLESS = 100_000_000  # bars


def facts_strip(facts: Iterable[tuple[str, str]]) -> str:
    """Labels and values, side by side."""
    pairs = (f"<div><dt>{say(label)}</dt><dd>{say(value)}</dd></div>" for label, value in facts)
    return f'<dl class="facts">{"".join(pairs)}</dl>'


def evidence_table(evidence: list[HorizonVerdict]) -> str:
    """What speaks for an edge, a row a horizon, and what each column means."""
    if not evidence:
        return '<p class="nothing">No horizon has figures to judge.</p>'
    reach = max(
        abs(or_zero(row.net_edge_bps)) + row.reach * or_zero(row.net_edge_bps_se)
        for row in evidence
    )
    rows = "".join(_evidence_row(row, reach) for row in evidence)
    spans = {"Net edge, bps a bar": ' colspan="2"'}
    heads = "".join(f'<th scope="col"{spans.get(t, "")}>{say(t)}</th>' for t in EVIDENCE_COLUMNS)
    meanings = "".join(
        f"<div><dt>{say(title)}</dt><dd>{say(meaning)}</dd></div>"
        for title, meaning in EVIDENCE_COLUMNS.items()
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="evidence"><thead><tr>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div><dl class="meanings">{meanings}</dl>'
    )


def _evidence_row(row: HorizonVerdict, reach: float) -> str:
    edge = f'<span class="pill edge-{row.edge}">{EDGE_WORDS[row.edge]}</span>'
    size = f"{number(row.net_edge_bps, sign=True)} <small>± {number(row.net_edge_bps_se)}</small>"
    cells = [chance(row.p_value), chance(row.p_adjusted), f"{row.n_bars:,}"]
    cells.append("–" if row.bars_to_prove is None else _between(*row.bars_to_prove))
    return (
        f'<tr><th scope="row">{say(row.horizon)} {edge}</th><td>{size}</td>'
        f"<td>{_interval(row, reach)}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    )


def _interval(row: HorizonVerdict, reach: float) -> str:
    """The 95 % interval of the net edge on a line with 0 in its middle."""
    if not reach or not present(row.net_edge_bps):
        return "–"
    error = row.reach * or_zero(row.net_edge_bps_se)
    ends = (row.net_edge_bps - error, row.net_edge_bps, row.net_edge_bps + error)
    low, middle, high = (50 + 48 * end / reach for end in ends)
    return (
        f'<span class="interval edge-{row.edge}" aria-hidden="true"><i class="whisker" '
        f'style="left:{low:.1f}%;right:{100 - high:.1f}%"></i>'
        f'<i class="dot" style="left:{middle:.1f}%"></i></span>'
    )


def _between(fewest: int, most: int) -> str:
    """A range of rough counts.

    >>> _between(7, 81_234), _between(1_240, 10**9)
    ('7 to 81,000', '1,200 or more')
    """
    if most >= _ENDLESS:
        return f"{_rough(fewest)} or more"
    return _rough(most) if _rough(fewest) == _rough(most) else f"{_rough(fewest)} to {_rough(most)}"


def _rough(count: int) -> str:
    """A count to two figures."""
    digits = 1 - math.floor(math.log10(count)) if count > 0 else 0
    return f"{round(count, min(digits, 0)):,}"


def equity_figures(evaluation: Evaluation, horizon: str) -> str:
    """The judged ensemble's equity in a few figures beside buy and hold."""
    curves = [curve for curve in evaluation.equity if curve.horizon == horizon]
    judged = [curve for curve in curves if curve.name == evaluation.ensemble]
    return "".join(facts_strip(_equity_facts(curve)) for curve in (judged or curves)[:1])


def _equity_facts(curve: Equity) -> list[tuple[str, str]]:
    profit, hold = (
        number(100 * value, 1, sign=True) for value in (curve.net_return, curve.hold_return)
    )
    return [
        ("Profit after costs", f"{profit} %"),
        ("Buy and hold", f"{hold} %"),
        ("Sharpe, a year", number(curve.sharpe_net)),
        ("Sharpe of holding", number(curve.sharpe_hold)),
        ("Deepest fall", f"{number(100 * abs(curve.max_drawdown), 1)} %"),
        ("Position on average", number(curve.mean_position)),
        ("Turnover a day", number(curve.turnover_per_day)),
    ]


def steps_table(steps: list[tuple[str, str, float]]) -> str:
    """What was made, what was reused, and how long it took."""
    if not steps:
        return '<p class="nothing">No steps were recorded.</p>'
    rows = "".join(
        f'<tr><th scope="row">{say(name)}</th><td><span class="pill">{say(how)}</span></td>'
        f"<td>{number(seconds, 1)}</td></tr>"
        for name, how, seconds in steps
    )
    total = number(math.fsum(seconds for _, _, seconds in steps), 1)
    return (
        '<div class="scroll" tabindex="0"><table class="steps"><thead><tr><th scope="col">Step</th>'
        f'<th scope="col">How</th><th scope="col">Seconds</th></tr></thead><tbody>{rows}</tbody>'
        f'<tfoot><tr><th scope="row">All</th><td></td><td>{total}</td></tr></tfoot></table></div>'
    )
