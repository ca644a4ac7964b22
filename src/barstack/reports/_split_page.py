"""One page about a split: which rows each fold trains on, leaves out and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from barstack.core.arrays import Rows
from barstack.splits import SplitPicture, Splitter

from ._html import chart, page, section
from ._theme import say

Paths = Sequence[Sequence[tuple[int, Rows]]]


def render_split(
    title: str,
    splitter: Splitter,
    picture: SplitPicture,
    paths: Paths,
    facts: list[tuple[str, str]],
    *,
    dates: bool,
) -> str:
    """The split as one HTML page that loads nothing from anywhere.

    paths  as `barstack.splits.paths` gives them
    facts  (label, value) at the top
    dates  whether decisions have real times; made-up ones are numbered
    """
    from ._split_chart import LOOKS, timeline  # noqa: PLC0415 (plotly takes long to import)

    used = {name: any(each[name] for each in picture.counts) for name in LOOKS}
    heads = {name: words for name, (words, _) in LOOKS.items() if used[name]}
    rows = [[f"{each[name]:,}" for name in heads] for each in picture.counts]
    parts = {
        "sentence": say(sentence(splitter, picture.counts)),
        "look_for": (
            "Each line is a fold, from the first decision on the left to the last. "
            "Where a line is empty, rows are not used."
        ),
        "timeline": chart(timeline(picture, dates=dates).to_json(), "What each fold does when."),
        "counts": _table(["Fold", *heads.values()], rows),
        "paths": _paths(paths),
    }
    run = say(_settings(splitter))
    return page("splits.html", parts, title=title, run=run, facts=facts)


def sentence(splitter: Splitter, counts: Sequence[Mapping[str, int]]) -> str:
    """What the split does, in a sentence.

    counts  of each fold, how many rows of each part

    >>> from barstack.splits import WalkForward
    >>> folds = [{"purged": 3, "embargoed": 0}]
    >>> sentence(WalkForward(), folds)
    '1 fold trains on the past only. At most 3 rows of a fold are purged.'
    """
    n = len(counts)
    sides = "the past only" if splitter.kind == "forward" else "both sides of what is tested"
    text = f"{n:,} folds train on {sides}." if n > 1 else f"{n} fold trains on {sides}."
    purged = max(each["purged"] for each in counts)
    embargoed = max(each["embargoed"] for each in counts)
    also = f", {embargoed:,} embargoed" if embargoed else ""
    return f"{text} At most {purged:,} rows of a fold are purged{also}."


def _settings(splitter: Splitter) -> str:
    kept = {name: value for name, value in splitter.content().items() if value is not None}
    return ", ".join(f"{name}: {value}" for name, value in kept.items())


def _paths(paths: Paths) -> str:
    if len(paths) < 2:
        return ""
    heads = ["Path", *(f"Group {group}" for group in range(len(paths[0])))]
    rows = [[f"fold {fold}" for fold, _ in path] for path in paths]
    return section(
        "paths",
        "Which backtests can be put together?",
        "Of the folds that test a group each path takes another, so that no forecast serves two.",
        _table(heads, rows),
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows are numbered from 0, as folds and paths are."""
    head = "".join(f'<th scope="col">{say(each)}</th>' for each in heads)
    body = "".join(
        f'<tr><th scope="row">{number}</th>'
        + "".join(f"<td>{say(cell)}</td>" for cell in row)
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
