"""Findings in a few words: an error when some refuse, a line when they only warn."""

from __future__ import annotations

from collections.abc import Sequence

from barstack.core.errors import DataError

from ._finding import Finding

_SHOWN = 5


def refuse(findings: Sequence[Finding]) -> None:
    """`DataError` with the first few of the findings that refuse, if there are any."""
    refused = [each for each in findings if each.level == "refuse"]
    if not refused:
        return
    listed = "\n".join(f"  {each.check}: {each.sentence}" for each in refused[:_SHOWN])
    more = len(refused) - _SHOWN
    rest = f"\n  and {more:,} more; barstack data lists them all" if more > 0 else ""
    raise DataError(
        f"Checks refuse these bars, {len(refused):,} finding(s):\n{listed}{rest}\n"
        "Mend the bars, or say otherwise in the study with bars: {checks: {"
        f"{refused[0].check}: warn}}}}."
    )


def in_short(findings: Sequence[Finding], who: str = "checks of bars") -> str:
    """One line: which kinds of findings, how many bars or sessions, on how many symbols.

    >>> from barstack.bars.checks import find
    >>> from barstack.testing import walk
    >>> in_short(find(walk(bars=300), calendar="XNYS"))
    'checks of bars warn: missing_bars 43 of WALK'
    """
    kinds: dict[str, list[Finding]] = {}
    for each in findings:
        kinds.setdefault(each.check, []).append(each)
    parts = []
    for name, group in sorted(kinds.items()):
        symbols = sorted({each.symbol for each in group})
        whom = symbols[0] if len(symbols) == 1 else f"{len(symbols):,} symbols"
        parts.append(f"{name} {sum(each.count for each in group):,} of {whom}")
    return f"{who} warn: {', '.join(parts)}"
