"""The report of a sweep: a page of HTML, the same in Markdown, pictures and tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from barstack.core.errors import ConfigError
from barstack.core.files import new_file

from . import _sweep_charts as charts
from ._html import page, write_page
from ._theme import number, or_zero, probability

if TYPE_CHECKING:
    from barstack.evaluation.sweeps import LevelEffect, SweepAnswer, SweepAnswers
    from barstack.experiments import SweepFindings

_BEST = 20
_BY_PATH = ("settings", "history", "features")  # questions of which a sweep may have several
_HEADS = ("", "Experiments", "Right, %", "Skill, %", "Effect, %", "95 % interval", "p, all")
_MARKS = {"found": "Difference found", "none": "No difference found", "open": "Not answered"}


def render_sweep(found: SweepFindings) -> str:
    """The report as one HTML page that loads nothing from anywhere."""
    answers, completed = found.answers, _completed(found)
    return page(
        "sweep.html",
        title=found.sweep.title or "Report of a sweep",
        subtitle=f"sweep {found.sweep.id}",
        facts=[
            ("experiments", f"{len(found.experiments):,}"),
            ("completed", f"{len(completed):,}"),
            ("failed", f"{found.failed:,}"),
            ("left", f"{found.left:,}"),
            ("decisions compared", f"{answers.decisions:,}"),
        ],
        headline=headline(answers),
        gate=found.gate,
        accuracies=charts.accuracies(completed, answers.luck),
        answers=[
            {
                "anchor": slug(answer),
                "title": _title(answer),
                "mark": _MARKS[answer.outcome],
                "edge": "supported" if answer.outcome == "found" else "none",
                "answer": answer,
                "chart": charts.effects(answer.levels, _effect(answer)) if answer.levels else None,
                "rows": [_cells(level) for level in answer.levels],
            }
            for answer in answers.answers
        ],
        heads=_HEADS,
        stability=stability(answers),
        heatmap=charts.heatmap(completed),
        boxes=charts.boxes(completed),
        best=_best(completed),
        best_heads=_BEST_HEADS,
        errors=[(error, f"{count:,}") for error, count in found.errors.items()],
        left_out=len(answers.left_out),
    )


def write_sweep_report(found: SweepFindings, folder: Path | str) -> list[Path]:
    """Write report.html, report.md, its pictures and tables into a folder; the files written.

    Raises
    ------
    ConfigError
        Where the folder is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file. Name a folder for the report.")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "report.html", folder / "report.md"]
    write_page(render_sweep(found), files[0])
    _write(files[1], sweep_markdown(found))
    for answer in found.answers.answers:
        if answer.levels:
            picture, table = folder / f"{slug(answer)}.svg", folder / f"{slug(answer)}.csv"
            _write(picture, effects_svg(answer))
            _write_csv(table, [_figures(level) for level in answer.levels])
            files += [picture, table]
    table = folder / "experiments.csv"
    _write_csv(table, [*found.experiments, *found.further])
    return [*files, table]


def sweep_markdown(found: SweepFindings) -> str:
    """The report in Markdown, with the pictures and tables that `write_sweep_report` writes."""
    answers = found.answers
    lines = [f"# {found.sweep.title or 'Report of a sweep'}", ""]
    lines += [f"Sweep `{found.sweep.id}`: {_counted(found)}.", ""]
    lines += ["## What luck alone would give", "", headline(answers), ""]
    lines += [f"**Verdict.** {found.gate.sentence}", ""]
    for answer in answers.answers:
        lines += [f"## {_title(answer)}", "", answer.sentence, ""]
        if answer.key == "periods":
            lines += [stability(answers), ""]
        if answer.levels:
            lines += [f"![{_title(answer)}]({slug(answer)}.svg)", ""]
            lines += _table([*_HEADS], [_cells(level) for level in answer.levels])
            lines += ["", f"{answer.note} Figures: [{slug(answer)}.csv]({slug(answer)}.csv).", ""]
    lines += ["## The best experiments", ""]
    lines += _table(_BEST_HEADS, _best(_completed(found)))
    lines += ["", "All of them: [experiments.csv](experiments.csv).", ""]
    if found.errors:
        lines += ["## Failures", ""]
        lines += [f"- {count:,} with: {error}" for error, count in found.errors.items()]
        lines += [""]
    return "\n".join([*lines, *_HOW])


_HOW = (
    "## How to read this",
    "",
    "Skill is the share of the loss of the mean so far that forecasts save. Effect is the skill of",
    "a level less that of the other levels, other settings and the decisions being equal; its 95 %",
    "interval is for it alone. p is corrected for all levels of a question and for all questions:",
    "a sweep in which nothing differs gets any answer below 0.05 in fewer than 5 cases of 100.",
    "",
)


def headline(answers: SweepAnswers) -> str:
    """What luck alone would give, beside the best found."""
    luck = answers.luck
    verdict = (
        "Luck explains it"
        if luck.p_value >= 0.05
        else "Luck alone seldom does as well, with forecasts of direction alone and before costs"
    )
    p = probability(luck.p_value)
    return (
        f"The best of {luck.trials:,} worthless experiments on these decisions would be right in "
        f"{100 * luck.expected_best:.1f} % of the moves on average, and in "
        f"{100 * luck.high_best:.1f} % or more in 5 of 100 sweeps. The best found, {luck.name}, is "
        f"right in {100 * luck.best:.1f} %. {verdict} (p = {p}). As a source of luck these "
        f"experiments are worth {luck.independent_trials:,.0f} independent ones."
    )


def stability(answers: SweepAnswers) -> str:
    """Whether what was good in one half of the time is good in the other."""
    parts = []
    if answers.rank_correlation is not None:
        parts.append(
            "The ranks of the experiments in the first and the second half of the time have the "
            f"correlation {number(answers.rank_correlation, 2, sign=True)}."
        )
    if answers.overfitting is not None:
        share = 100 * answers.overfitting.probability
        parts.append(
            f"The best experiment in one half of the blocks of time ranks in the lower half of the "
            f"experiments in the other blocks in {share:.0f} % of the ways to halve them "
            "(probability of backtest overfitting; near 50 % where ranks are luck)."
        )
    return " ".join(parts)


def slug(answer: SweepAnswer) -> str:
    """Name of an answer's files and of its place on the page."""
    path = answer.path.replace(".", "_") if answer.key in _BY_PATH else ""
    return "-".join(filter(None, (answer.key, path)))


def effects_svg(answer: SweepAnswer) -> str:
    """The effects of an answer's levels as a small picture that needs no script."""
    levels = answer.levels
    ends = [_ends(level) for level in levels]
    low, high = min(0.0, *(a for a, _ in ends)), max(0.0, *(b for _, b in ends))
    label, width, row = 190, 720, 26
    scale = (width - label - 30) / max(high - low, 1e-12)

    def x(value: float) -> float:
        return round(label + 10 + (value - low) * scale, 1)

    height = row * len(levels) + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(_title(answer))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<line x1="{x(0)}" x2="{x(0)}" y1="6" y2="{height - 36}" stroke="#1b2129" '
        'stroke-dasharray="5 4"/>',
    ]
    for place, (level, (begin, end)) in enumerate(zip(levels, ends, strict=True)):
        y, color = row * place + row // 2 + 6, "#0072b2" if level.differs else "#5a6572"
        parts += [
            f'<text x="{label}" y="{y + 4}" text-anchor="end" fill="#1b2129">'
            f"{escape(level.level[:28])}</text>",
            f'<line x1="{x(begin)}" x2="{x(end)}" y1="{y}" y2="{y}" stroke="{color}" '
            'stroke-width="2"/>',
            f'<circle cx="{x(level.effect)}" cy="{y}" r="5" fill="{color}"/>',
        ]
    for value, anchor in ((low, "start"), (high, "end")):
        if value:
            parts.append(
                f'<text x="{x(value)}" y="{height - 20}" text-anchor="{anchor}" fill="#5a6572">'
                f"{number(100 * value, 2, sign=True)} %</text>"
            )
    parts.append(
        f'<text x="{label // 4}" y="{height - 4}" fill="#5a6572">{_effect(answer)}; blue: luck '
        "does not explain it</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _effect(answer: SweepAnswer) -> str:
    """What its effects are, as the title of an axis."""
    titles = {
        "combining": "Lower loss than the best experiment so far, %",
        "more_features": "Lower loss than without, % of the naive loss",
        "periods": "Higher skill than in the other periods, % of the naive loss",
    }
    return titles.get(answer.key, "Lower loss than the others, % of the naive loss")


def _ends(level: LevelEffect) -> tuple[float, float]:
    half = level.reach * or_zero(level.effect_se)
    return level.effect - half, level.effect + half


def _title(answer: SweepAnswer) -> str:
    named = answer.levels and answer.key in _BY_PATH
    return f"{answer.question} {answer.path}" if named else answer.question


def _cells(level: LevelEffect) -> list[str]:
    low, high = _ends(level)
    interval = "–" if level.effect_se is None else f"{_percent(low)} to {_percent(high)}"
    return [
        level.level,
        f"{level.experiments:,}",
        number(None if level.right is None else 100 * level.right, 1),
        _percent(level.skill),
        _percent(level.effect),
        interval,
        probability(level.p_adjusted),
    ]


def _percent(share: float | None) -> str:
    return number(None if share is None else 100 * share, 2, sign=True)


def _figures(level: LevelEffect) -> dict[str, Any]:
    low, high = _ends(level)
    known = level.effect_se is not None
    return {
        "level": level.level,
        "experiments": level.experiments,
        "skill": level.skill,
        "directional_accuracy": level.right,
        "effect": level.effect,
        "effect_se": level.effect_se,
        "low": low if known else None,
        "high": high if known else None,
        "p_value": level.p_value,
        "p_adjusted": level.p_adjusted,
        "directional_accuracy_effect": level.right_effect,
        "directional_accuracy_effect_se": level.right_effect_se,
        "may_be_best": level.may_be_best,
    }


_BEST_HEADS = ("Experiment", "Right, %", "IC", "R²", "RMSE, bps", "Decisions")


def _best(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    ranked = sorted(rows, key=lambda row: (-or_zero(row["ic"]), row["name"]))[:_BEST]
    return [
        [
            row["name"],
            number(_times(100, row["directional_accuracy"]), 1),
            number(row["ic"], 3),
            number(row["r2"], 4),
            number(_times(1e4, row["rmse"]), 1),
            f"{row['n_samples'] or 0:,}",
        ]
        for row in ranked
    ]


def _times(scale: float, value: float | None) -> float | None:
    return None if value is None else scale * value


def _completed(found: SweepFindings) -> list[Mapping[str, Any]]:
    return [row for row in found.experiments if row["status"] == "completed"]


def _counted(found: SweepFindings) -> str:
    done = len(_completed(found))
    return (
        f"{len(found.experiments):,} experiments, {done:,} completed, {found.failed:,} failed, "
        f"{found.left:,} left, compared on {found.answers.decisions:,} decision times"
    )


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    found = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    return found + ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in rows]


def _write(file: Path, text: str) -> None:
    with new_file(file) as scratch:
        scratch.write_text(text, encoding="utf-8")


def _write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with new_file(file) as scratch, scratch.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
