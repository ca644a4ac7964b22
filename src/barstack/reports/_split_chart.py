"""Picture of a split: a line a fold, and what becomes of each stretch of time in it."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from barstack.splits import SplitPicture

from ._theme import BLUE, HUES, VERMILLION, axis, layout, say

# What each part is called, and its colour.
LOOKS = {
    "train": ("Trained on", BLUE),
    "stop": ("To stop early by", HUES[2]),
    "purged": ("Purged", HUES[5]),
    "embargoed": ("Embargoed", HUES[3]),
    "test": ("Tested", VERMILLION),
}
_LINE, _FRAME = 26, 70  # pixels a fold, and around them all
_THIN = ("purged", "embargoed")  # drawn no thinner than a hair, above what surrounds them
_TICKS = 6


def timeline(picture: SplitPicture, *, dates: bool) -> go.Figure:
    """Folds from top to bottom, time from left to right, without nights between.

    dates  whether times are real ones; made-up decisions are numbered
    """
    runs = [(fold, run) for fold in range(len(picture.counts)) for run in picture.runs(fold)]
    figure = go.Figure()
    for part in sorted(LOOKS, key=lambda name: name in _THIN):
        own = [(fold, run) for fold, run in runs if run.part == part]
        if not own:
            continue
        name, colour = LOOKS[part]
        figure.add_bar(
            orientation="h",
            y=[fold for fold, _ in own],
            base=[run.start for _, run in own],
            x=[run.end - run.start for _, run in own],
            width=0.72,
            name=name,
            marker={"color": colour, "line": {"color": colour, "width": int(part in _THIN)}},
            meta={"swatch": "■"},
            text=[_story(picture, fold, run.start, run.end, dates) for fold, run in own],
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
        say(str(picture.times[place])[:16].replace("T", " ")) if dates else f"{place:,}"
        for place in (start, end - 1)
    )
    return f"Fold {fold}, {end - start:,} decision times<br>{first} to<br>{last}"
