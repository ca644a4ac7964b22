"""The page of a split: which rows each fold trains on, leaves out and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from barstack.core.arrays import Rows
from barstack.splits import SplitPicture, Splitter

from ._html import page
from ._theme import BLUE, HUES, VERMILLION, axis, escaped, layout

Paths = Sequence[Sequence[tuple[int, Rows]]]

# The name and colour of each part.
_LOOKS = {
    "train": ("Trained on", BLUE),
    "stop": ("Early stopping", HUES[2]),
    "purged": ("Purged", HUES[5]),
    "embargoed": ("Embargoed", HUES[3]),
    "test": ("Tested", VERMILLION),
}
_LINE, _FRAME = 26, 70  # pixels a fold, and around them all
_THIN = ("purged", "embargoed")  # drawn no thinner than a hair, above what surrounds them
_TICKS = 6


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

    Parameters
    ----------
    paths
        As `barstack.splits.paths` gives them.
    facts
        (label, value) at the top.
    dates
        Whether decisions have real times; synthetic ones are numbered.
    """
    used = [name for name in _LOOKS if any(each[name] for each in picture.counts)]
    settings = {name: value for name, value in splitter.content().items() if value is not None}
    several = paths if len(paths) > 1 else []
    return page(
        "split.html",
        title=title,
        subtitle=", ".join(f"{name}: {value}" for name, value in settings.items()),
        facts=facts,
        sentence=sentence(splitter, picture.counts),
        timeline=_timeline(picture, dates=dates),
        heads=["Fold", *(_LOOKS[name][0] for name in used)],
        counts=[
            [fold, *(f"{each[name]:,}" for name in used)]
            for fold, each in enumerate(picture.counts)
        ],
        path_heads=["Path", *(f"Group {group}" for group in range(len(several[0])))]
        if several
        else [],
        paths=[
            [number, *(f"fold {fold}" for fold, _ in path)] for number, path in enumerate(several)
        ],
    )


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


def _timeline(picture: SplitPicture, *, dates: bool) -> go.Figure:
    """Folds from top to bottom, time from left to right, without nights between.

    dates  whether times are real ones; made-up decisions are numbered
    """
    runs = [(fold, run) for fold in range(len(picture.counts)) for run in picture.runs(fold)]
    figure = go.Figure()
    for part in sorted(_LOOKS, key=lambda name: name in _THIN):
        found = [(fold, run) for fold, run in runs if run.part == part]
        if not found:
            continue
        name, colour = _LOOKS[part]
        figure.add_bar(
            orientation="h",
            y=[fold for fold, _ in found],
            base=[run.start for _, run in found],
            x=[run.end - run.start for _, run in found],
            width=0.72,
            name=name,
            marker={"color": colour, "line": {"color": colour, "width": int(part in _THIN)}},
            meta={"swatch": "■"},
            text=[_story(picture, fold, run.start, run.end, dates) for fold, run in found],
            textposition="none",
            hovertemplate="%{text}<extra>" + name + "</extra>",
        )
    n_folds, n_times = len(picture.counts), len(picture.times)
    ticks = np.linspace(0, n_times - 1, min(_TICKS, n_times)).astype(int)
    shown = [str(picture.times[each])[:10] if dates else f"{each:,}" for each in ticks]
    figure.update_layout(
        layout(_FRAME + _LINE * n_folds),
        barmode="overlay",
        xaxis=axis(
            "" if dates else "Decision",
            range=[0, n_times],
            tickvals=ticks.tolist(),
            ticktext=shown,
            showgrid=False,
        ),
        yaxis=axis(
            "",
            range=[n_folds - 0.5, -0.5],
            tickvals=list(range(n_folds)),
            ticktext=[f"Fold {fold} " for fold in range(n_folds)],
            showgrid=False,
        ),
    )
    return figure


def _story(picture: SplitPicture, fold: int, start: int, end: int, dates: bool) -> str:
    first, last = (
        escaped(str(picture.times[place])[:16].replace("T", " ")) if dates else f"{place:,}"
        for place in (start, end - 1)
    )
    return f"Fold {fold}, {end - start:,} decision times<br>{first} to<br>{last}"
