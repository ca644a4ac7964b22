"""The figures of a judgement as people read them, for terminals, Markdown and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barstack.core.text import listed, printable

from ._theme import number, probability

if TYPE_CHECKING:
    from barstack.evaluation.judging import Judgement

_SYMBOLS_SHOWN = 6


def judgement_facts(found: Judgement) -> list[tuple[str, str]]:
    """(label, value) of what decides, the most important first.

    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> bars = walk(600)
    >>> positions = bars.to_frame()[["timestamp"]].assign(position=[1, -1] * 300)
    >>> judgement_facts(bs.judge(positions, bars))[0]
    ('Judged', 'positions, 599 bars, 2026-01-05 15:30 UTC to 2026-03-16 19:30 UTC')
    """
    what = f"{found.kind}{f' of {found.tool}' if found.tool else ''}"
    facts = [("Judged", f"{what}, {found.bars:,} bars, {found.first_at} to {found.last_at}")]
    if len(found.symbols) > 1:
        facts.append(("Symbols", listed(list(map(printable, found.symbols)), _SYMBOLS_SHOWN)))
    error = f" ± {number(found.net_edge_bps_se)}" if found.net_edge_bps_se is not None else ""
    facts.append(("Net edge, bps a bar", f"{number(found.net_edge_bps, sign=True)}{error}"))
    if found.kind == "equity":
        facts.append(("Costs", "as the account has paid them; give trades to see others"))
    else:
        facts += [
            (
                "By costs",
                f"{number(found.gross_edge_bps, sign=True)} before, "
                f"{number(found.net_edge_bps, sign=True)} at {found.cost_bps:g} bps, "
                f"{number(found.net_edge_2x_bps, sign=True)} at {2 * found.cost_bps:g} bps",
            ),
            (
                "Break-even costs",
                f"{number(found.break_even_cost_bps, 1)} bps"
                if found.break_even_cost_bps is not None
                else "–",
            ),
        ]
    facts += [
        ("p, this alone", probability(found.p_value)),
        (f"p, {found.trials:,} trial{'s' if found.trials > 1 else ''}",
         probability(found.p_adjusted)),
        ("Holds for up to", f"{found.trials_survived:,} trials" if found.trials_survived else "–"),
        ("More bars to prove", _to_prove(found)),
        ("Sharpe, a year", f"{number(found.sharpe)} (holding {number(found.sharpe_hold)})"),
        ("Maximum drawdown, not reinvested", f"{number(100 * found.max_drawdown, 1)} %"),
    ]  # fmt: skip
    if found.kind != "equity":
        facts.append(
            (
                "Positions",
                f"mean {number(found.mean_position)}, {found.holdings:,} changes, "
                f"{number(found.turnover_a_year, 0)} units traded a year",
            )
        )
    return [*facts, *_skill(found), *_matrix(found)]


def _to_prove(found: Judgement) -> str:
    if found.bars_to_prove is None:
        return "–"
    fewest, most = found.bars_to_prove
    return f"{fewest:,} or more" if most >= 10**8 else f"{fewest:,} to {most:,}"


def _skill(found: Judgement) -> list[tuple[str, str]]:
    facts = []
    if found.ic is not None:
        hits = found.directional_accuracy
        right = "–" if hits is None else f"{100 * hits:.1f} %"
        facts.append(("Forecasts", f"correlation {number(found.ic, 3)}, right sign {right}"))
    trades = found.trade_figures
    if trades.get("trades"):
        facts.append(
            (
                "Closed trades",
                f"{trades['trades']:,.0f}, win rate {100 * trades.get('win_rate', 0.0):.0f} %, "
                f"payoff {number(trades.get('payoff'))}, profit factor "
                f"{number(trades.get('profit_factor'))}, before costs",
            )
        )
    if found.tuned_until:
        facts.append(
            (
                f"Up to {found.tuned_until}",
                f"{number(found.tuned_edge_bps, sign=True)} bps a bar, which does not count",
            )
        )
    return facts


def _matrix(found: Judgement) -> list[tuple[str, str]]:
    each = found.matrix
    if each is None:
        return []
    own = f"{printable(each.judged)!r}" if each.judged else "none of them"
    given = f"{each.trials:,} on {each.times:,} bars; this is {own}, rank {each.rank}"
    return [
        ("Trials given", given),
        ("Romano-Wolf", f"p {probability(each.romano_wolf)}; any better (SPA) p "
                        f"{probability(each.superior)}"),
        ("Overfitting (PBO)", f"{number(each.overfitting)}; noise reads 0.3 to 0.6"),
        ("Deflated Sharpe", f"{number(each.deflated_sharpe)}, "
                            f"{number(each.effective, 1)} independent trials"),
    ]  # fmt: skip


def judgement_markdown(found: Judgement) -> str:
    """The judgement as Markdown.

    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> bars = walk(600)
    >>> positions = bars.to_frame()[["timestamp"]].assign(position=[1, -1] * 300)
    >>> print(judgement_markdown(bs.judge(positions, bars)).splitlines()[2][:12])
    **edge: none
    """
    lines = [f"# Judgement of {_cell(found.source)}", "", f"**{_cell(found.sentence)}**", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {_cell(label)} | {_cell(value)} |" for label, value in judgement_facts(found)]
    if found.suspicions:
        lines += ["", "## What speaks against it", ""]
        lines += [
            f"- {'**Serious**: ' if each.serious else ''}{_cell(each.sentence)}"
            for each in found.suspicions
        ]
    if found.stretches:
        lines += ["", "## In parts of the time", "", "| from | to | net edge, bps a bar |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| {each.first_at} | {each.last_at} | {number(each.net_edge_bps, sign=True)} ± "
            f"{number(each.net_edge_bps_se)} |"
            for each in found.stretches
        ]
    if found.notes:
        lines += ["", "## How it was read", "", *(f"- {_cell(note)}" for note in found.notes)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
