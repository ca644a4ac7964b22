"""The report of a tuning: what was tried, the best, whether it helps, and which settings matter."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

from barstack.core.files import new_file

from ._html import page, write_page
from ._theme import ALIKE, BLUE, INK, MUTED, axis, escaped, layout, number

if TYPE_CHECKING:
    from barstack.experiments import MemberTuned, TuneResult

_BEST = 10
_FAR = 3.0  # of the typical distance from the best: losses beyond are drawn at the edge
_HEADS = ("Member", "Loss before", "Loss tuned", "Held back", "95 % interval", "p")


def render_tuning(found: TuneResult) -> str:
    """The report as one HTML page that loads nothing from anywhere."""
    trials = [each for member in found.members for each in member.trials]
    held = found.all_folds - found.folds
    return page(
        "tuning.html",
        title=f"Tuning: {found.study.title}" if found.study.title else "Report of a tuning",
        subtitle=f"tuning {found.id}",
        facts=[
            ("trials", f"{len(trials):,}"),
            ("pruned", f"{sum(each.status == 'pruned' for each in trials):,}"),
            ("failed", f"{sum(each.status == 'failed' for each in trials):,}"),
            ("folds tuned on", f"{found.folds} of {found.all_folds}"),
            ("trials counted by verdicts", f"{found.counted:,}"),
        ],
        held=held,
        heads=_HEADS,
        rows=[_cells(each) for each in found.members],
        sentences=[each.sentence for each in found.members],
        members=[
            {
                "name": each.member,
                "history": _history(each),
                "importance": _importance(each) if len(each.importance) > 1 else None,
                "heads": ("Trial", "Loss", *each.before.settings),
                "best": _best(each),
            }
            for each in found.members
        ],
    )


def write_tuning_report(found: TuneResult, folder: Path | str) -> list[Path]:
    """Write report.html and trials.csv into a folder; the files written."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "report.html", folder / "trials.csv"]
    write_page(render_tuning(found), files[0])
    rows = found.rows()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with new_file(files[1]) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return files


def _cells(each: MemberTuned) -> list[str]:
    held = each.held_back
    if held is None:
        return [each.member, number(each.before.loss, 4), number(each.best.loss, 4), "–", "–", "–"]
    ends = held.interval
    interval = "–" if ends is None else " to ".join(_percent(end) for end in ends)
    return [
        each.member,
        number(each.before.loss, 4),
        number(each.best.loss, 4),
        _percent(held.gain),
        interval,
        f"{held.p_value:.2g}",
    ]


def _percent(share: float) -> str:
    return f"{number(100 * share, 2, sign=True)} %"


def _best(member: MemberTuned) -> list[list[str]]:
    """The best trials that were judged on all folds, and that of the study's own settings."""
    done = [each for each in member.trials if each.status == "completed" and each.loss is not None]
    ranked = sorted(done, key=lambda each: (each.loss or 0.0, each.number))
    shown = ranked[:_BEST] + [each for each in ranked[_BEST:] if each.number == 0]
    return [
        [
            "study" if each.number == 0 else str(each.number),
            number(each.loss, 4),
            *(str(value) for value in each.settings.values()),
        ]
        for each in shown
    ]


def _history(member: MemberTuned) -> go.Figure:
    """Loss by trial, the best so far, and that of the study's own settings."""
    known = [each for each in member.trials if each.loss is not None]
    done = [each for each in known if each.status == "completed"]
    losses = sorted(each.loss or 0.0 for each in done)
    typical = losses[len(losses) // 2] - losses[0]
    # Where all are about as good as the study's own, that is what the axis is for.
    top = losses[0] + max(_FAR * typical, 1.5 * abs((member.before.loss or 0.0) - losses[0]))
    figure = go.Figure()
    for status, color, symbol in (("completed", BLUE, "circle"), ("pruned", MUTED, "x-thin-open")):
        own = [each for each in known if each.status == status]
        if own:
            figure.add_trace(
                go.Scatter(
                    x=[each.number for each in own],
                    y=[min(each.loss or 0.0, top) for each in own],
                    mode="markers",
                    name=status if status == "completed" else "pruned, on fewer folds",
                    marker={"color": color, "size": 8, "symbol": symbol},
                    meta={"swatch": "●" if status == "completed" else "×"},
                    text=[f"{escaped(each.name)}<br>loss {number(each.loss, 4)}" for each in own],
                    hovertemplate="%{text}<extra></extra>",
                )
            )
    best, so_far = float("inf"), []
    for each in done:
        best = min(best, each.loss or 0.0)
        so_far.append(best)
    figure.add_trace(
        go.Scatter(
            x=[each.number for each in done],
            y=so_far,
            mode="lines",
            line={"color": ALIKE, "width": 2, "shape": "hv"},
            name="best so far",
            meta={"swatch": "line"},
            hoverinfo="skip",
        )
    )
    figure.add_hline(
        member.before.loss, line={"color": INK, "dash": "dash", "width": 1.5}, layer="below"
    )
    figure.update_layout(
        layout(320),
        xaxis=axis("Trial", tickformat="~g"),
        yaxis=axis("Loss, share of the naive loss", tickformat=".4~f"),
    )
    return figure


def _importance(member: MemberTuned) -> go.Figure:
    names = list(member.importance)
    shares: list[Any] = [100 * member.importance[name] for name in names]
    figure = go.Figure(
        go.Bar(
            x=shares,
            y=[escaped(name) for name in names],
            orientation="h",
            marker={"color": ALIKE},
            name="importance",
            meta={"swatch": "■"},
            hovertemplate="%{y}: %{x:.0f} %<extra></extra>",
        )
    )
    figure.update_layout(
        layout(90 + 30 * max(len(names), 2)),
        xaxis=axis("Share explained, %", tickformat="~g"),
        yaxis=axis("", showgrid=False, autorange="reversed", type="category"),
    )
    return figure
