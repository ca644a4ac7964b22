"""Tables of classes: which came where which were forecast, and how often each was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._theme import number, say

if TYPE_CHECKING:
    from barstack.evaluation import Confusion, Evaluation


def class_tables(evaluation: Evaluation, horizon: str) -> str | None:
    """The judged ensemble's confusion matrix, and the shares of every forecaster."""
    found = [each for each in evaluation.confusions if each.horizon == horizon]
    if not found:
        return None
    judged = [each for each in found if each.name == evaluation.ensemble] or found
    return _matrix(judged[0]) + _shares(found)


def _matrix(of: Confusion) -> str:
    heads = "".join(f'<th scope="col">{say(name)} forecast</th>' for name in of.classes)
    rows = "".join(
        f'<tr><th scope="row">{say(name)} came</th>'
        + "".join(f"<td>{count:,}</td>" for count in row)
        + f"<td>{_percent(row[place], sum(row))}</td></tr>"
        for place, (name, row) in enumerate(zip(of.classes, of.matrix, strict=True))
    )
    columns = list(zip(*of.matrix, strict=True))
    precision = "".join(
        f"<td>{_percent(column[place], sum(column))}</td>" for place, column in enumerate(columns)
    )
    return _framed(
        f'<th scope="col">{say(of.name)}</th>{heads}<th scope="col">Called right, %</th>',
        f'{rows}<tr class="naive"><th scope="row">Right when said, %</th>{precision}<td></td></tr>',
    )


def _shares(found: list[Confusion]) -> str:
    heads = "".join(f'<th scope="col">{say(name)}, %</th>' for name in found[0].classes)
    came = "".join(f"<td>{number(100 * share, 1)}</td>" for share in found[0].came)
    rows = "".join(
        f'<tr class="{each.role}"><th scope="row">{say(each.name)} '
        f'<span class="role">{each.role}</span></th>'
        + "".join(f"<td>{number(100 * share, 1)}</td>" for share in each.forecast)
        + "</tr>"
        for each in found
    )
    return _framed(
        f'<th scope="col">Share forecast by</th>{heads}',
        f'<tr class="ensemble"><th scope="row">what came</th>{came}</tr>{rows}',
    )


def _framed(heads: str, rows: str) -> str:
    return (
        '<div class="scroll" tabindex="0"><table class="leaderboard"><thead><tr>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _percent(part: int, whole: int) -> str:
    return number(100 * part / whole, 1) if whole else "–"
