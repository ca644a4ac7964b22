"""One page about bars: what is there, what is missing, what looks wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from barstack.bars.checks import CHECKS, STRUCTURAL
from barstack.core.times import format_duration, iso

from ._findings import findings_table
from ._html import chart, page, section, tabs
from ._survey import PICTURES, Survey
from ._theme import say

FINDINGS_SHOWN = 200
_ROWS = 80

_PILLS = {
    "refuse": ("level-refuse", "Refused"),
    "warn": ("level-warn", "Warnings"),
    "sound": ("edge-supported", "Sound"),
}


def render_survey(survey: Survey) -> str:
    """The survey as one HTML page that loads nothing from anywhere."""
    level = "refuse" if survey.refused else "warn" if survey.findings else "sound"
    css, pill = _PILLS[level]
    refusing = sum(each.level == "refuse" for each in survey.findings)
    parts = {
        "class": css,
        "pill": pill,
        "counts": f"{refusing:,} refuse, {len(survey.findings) - refusing:,} warn",
        "sentence": say(sentence(survey)),
        "matrix": _matrix(survey),
        "sections": "".join(_sections(survey)),
        "findings": findings_table(survey.in_order(), most=FINDINGS_SHOWN),
        "checks": _guide(),
    }
    return page(
        "survey.html",
        parts,
        title=survey.title,
        run="Bars, and what the checks found",
        facts=facts(survey),
        shown=next(iter(sorted(survey.portraits)), ""),
        guide_title="What each check looks for",
    )


def facts(survey: Survey) -> list[tuple[str, str]]:
    """(label, value) of what was looked at."""
    known = [ends for ends in survey.symbols.values() if ends[1] is not None]
    found = [
        ("symbols", f"{len(survey.symbols):,}"),
        ("bars", f"{sum(rows for rows, *_ in survey.symbols.values()):,}"),
    ]
    if known:
        first = min(first for _, first, _ in known if first is not None)
        last = max(last for *_, last in known if last is not None)
        found += [
            ("length", format_duration(survey.length_us)),
            ("from, to", f"{_day(first)}, {_day(last)}"),
        ]
    return [*found, ("calendar", survey.calendar), ("hours", survey.hours)]


def sentence(survey: Survey) -> str:
    """What the checks come to."""
    total = len(survey.symbols)
    if not survey.findings:
        return f"Nothing to report on {_symbols(total)}."
    touched = len({each.symbol for each in survey.findings})
    refused = len({each.symbol for each in survey.findings if each.level == "refuse"})
    if total == 1:
        end = "A study would refuse it." if refused else "None stops a study."
        return f"The checks found something. {end}"
    end = f"A study would refuse {refused:,} of them." if refused else "None stops a study."
    return f"{touched:,} of {_symbols(total)} with findings. {end}"


def _symbols(count: int) -> str:
    return "1 symbol" if count == 1 else f"{count:,} symbols"


def _matrix(survey: Survey) -> str:
    """Symbols by checks, how many bars or sessions each concerns."""
    if not survey.findings:
        return ""
    checks = sorted({each.check for each in survey.findings})
    counts = {(each.symbol, each.check): each for each in survey.findings}
    symbols = sorted({each.symbol for each in survey.findings})
    heads = "".join(f'<th scope="col">{say(check)}</th>' for check in checks)
    rows = "".join(
        f'<tr><th scope="row">{say(symbol)}</th>'
        + "".join(_cell(counts.get((symbol, check))) for check in checks)
        + "</tr>"
        for symbol in symbols[:_ROWS]
    )
    more = len(symbols) - _ROWS
    rest = f'<p class="look-for">and {more:,} symbols more</p>' if more > 0 else ""
    return (
        f'<div class="scroll" tabindex="0"><table class="matrix"><thead><tr><th scope="col">Symbol'
        f"</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{rest}"
    )


def _cell(finding: Any) -> str:
    if finding is None:
        return "<td></td>"
    shown = f"{finding.count:,}"
    return (
        f"<td><strong>{shown}</strong></td>" if finding.level == "refuse" else f"<td>{shown}</td>"
    )


def _sections(survey: Survey) -> list[str]:
    from . import _survey_charts as charts  # noqa: PLC0415

    n_drawn = min(len(survey.coverage), charts.ROWS)
    whom = "" if n_drawn == len(survey.coverage) else f" The {n_drawn} least complete are shown."
    of_day = charts.time_of_day(survey)
    return [
        section(
            "coverage",
            "Is everything there?",
            "A row a symbol, time from left to right. Blue: every bar that the calendar expects is "
            "there. Grey to orange: some, or most, are missing. Empty: before the first bar or "
            f"after the last. Times of day that the source never covers are not counted.{whom}",
            _always(charts.coverage(survey), "Share of expected bars by symbol and day."),
        ),
        section(
            "of-day",
            "When on the day are bars missing?",
            "By the market’s own clock, all symbols together. A tall block is a daily break, or "
            "hours that the source leaves out; low bars all day are bars without a trade.",
            _always(of_day, "Share of bars missing by time of day."),
        ),
        _portraits(survey, charts),
    ]


def _portraits(survey: Survey, charts: Any) -> str:
    symbols = sorted(survey.portraits)
    panels = "".join(
        f'<div class="panel" data-horizon="{say(symbol)}"><h3 class="of-horizon">{say(symbol)}</h3>'
        + chart(charts.portrait(survey.portraits[symbol]).to_json(), f"Price of {symbol}.")
        + "</div>"
        for symbol in symbols
    )
    flagged = len({each.symbol for each in survey.findings})
    whom = ""
    if flagged > len(symbols):
        whom = f" {len(symbols)} of {flagged} symbols with findings are drawn, {PICTURES} at most."
    body = tabs(symbols, "Symbol") + panels
    return section(
        "portraits",
        "Where do the findings lie?",
        "Closes, and below them the volume of each day, both on scales of ratios: equal heights "
        "are equal percentages. Choose a symbol; choose a check to hide or show its marks. "
        f"Ticks along the bottom are missing bars.{whom}",
        body if symbols else '<p class="nothing">No finding has a place to mark.</p>',
    )


def _always(figure: Any, label: str) -> str:
    if figure is None:
        return '<p class="nothing">Nothing is missing, or the bars have no time of day.</p>'
    return f'<div class="panel">{chart(figure.to_json(), label)}</div>'


def _guide() -> str:
    entries = [(each.name, each.about, str(each.level)) for each in map(CHECKS.get, CHECKS.names())]
    entries += [(name, about, "refuse, always") for name, about in STRUCTURAL.items()]
    return "".join(
        f"<dt>{say(name)} <small>{say(level)}</small></dt><dd>{say(about)}</dd>"
        for name, about, level in entries
    )


def _day(at_us: int) -> str:
    return iso(np.datetime64(at_us, "us"))[:10]
