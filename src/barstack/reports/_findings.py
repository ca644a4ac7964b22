"""What checks of bars found, as a table that reads from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from barstack.core.times import iso

from ._theme import say

if TYPE_CHECKING:
    from barstack.bars.checks import Finding

LEVEL_WORDS = {"refuse": "Refuses", "warn": "Warns"}


def findings_table(findings: Sequence[Finding], *, most: int) -> str:
    """A row a finding, those that refuse first; how many more there are, if there are more."""
    if not findings:
        return '<p class="nothing">The checks found nothing to report.</p>'
    rows = "".join(_row(each) for each in findings[:most])
    more = len(findings) - most
    rest = f'<p class="look-for">and {more:,} more of the same kinds</p>' if more > 0 else ""
    heads = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Symbol", "Check", "Count", "First, last", "What, and what to do")
    )
    return (
        f'<div class="scroll" tabindex="0"><table class="findings"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{rest}"
    )


def _row(each: Finding) -> str:
    pill = f'<span class="pill level-{each.level}">{LEVEL_WORDS[each.level]}</span>'
    times = "<br>".join(_day(at) for at in dict.fromkeys((each.first_at_us, each.last_at_us)))
    return (
        f'<tr><th scope="row">{say(each.symbol)}</th><td>{say(each.check)}<br>{pill}</td>'
        f"<td>{each.count:,}</td><td>{times}</td>"
        f'<td class="words">{say(each.what)} <small>{say(each.advice)}</small></td></tr>'
    )


def _day(at_us: int | None) -> str:
    return "–" if at_us is None else say(iso(np.datetime64(at_us, "us")).removesuffix(" UTC"))
