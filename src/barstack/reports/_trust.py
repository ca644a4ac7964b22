"""What was done to find out whether the forecasts can be believed: audits and doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._theme import say

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation, Verdict
    from barstack.evaluation.audit import AuditRecord

_HOW = {"short": "In short, before anything was fitted", "full": "In full, fits included"}


def trust(evaluation: Evaluation, verdict: Verdict) -> str:
    """Audits, forecasts that are too good, and figures that contradict each other."""
    audits = "".join(_audit(each) for each in verdict.audits)
    table = (
        '<div class="scroll" tabindex="0"><table class="leaderboard"><thead><tr>'
        '<th scope="col">Audit</th><th scope="col">Moments at which bars were cut</th>'
        '<th scope="col">Folds fitted again</th><th scope="col">Its own leak was seen in</th>'
        f'<th scope="col">Leaks</th></tr></thead><tbody>{audits}</tbody></table></div>'
        if audits
        else '<p class="nothing">No audit is on record.</p>'
    )
    return table + _listed(_doubts(verdict)) + _listed(evaluation.contradictions)


def _audit(each: AuditRecord) -> str:
    again = ", ".join(map(str, sorted(each.refitted))) or "none"
    cells = (
        str(each.cuts),
        f"{again} of {each.folds}",
        ", ".join(each.seen) or "–",
        str(each.leaks),
    )
    shown = "".join(f"<td>{say(cell)}</td>" for cell in cells)
    return f'<tr><th scope="row">{_HOW[each.how]}</th>{shown}</tr>'


def _doubts(verdict: Verdict) -> list[str]:
    doubts = verdict.doubts
    said = [f"Too good: {each.sentence}." for each in doubts]
    if doubts and verdict.expected:
        said.append(f"The study expects so large an effect: {verdict.expected}")
    return said or [
        "No forecaster is better than is plausible for labels as long as these, errors allowed for."
    ]


def _listed(sentences: list[str]) -> str:
    if not sentences:
        return ""
    return "<ul>" + "".join(f"<li>{say(each)}</li>" for each in sentences) + "</ul>"
