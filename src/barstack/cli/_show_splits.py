"""Splits as coloured blocks, for a terminal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table
from rich.text import Text

from barstack.splits import PARTS, UNUSED, SplitPicture

# Blocks differ in shape as well, for terminals and eyes without colours.
LOOKS = {
    "train": ("▄", "#3ea6ea", "trained on"),
    "stop": ("▂", "#2cc795", "to stop early by"),
    "purged": ("░", "#bcc5ce", "purged"),
    "embargoed": ("▒", "#e59cc6", "embargoed"),
    "test": ("█", "#f0793f", "tested"),
}
_NOTHING = ("·", "#6b7682")
# Of several parts in one block the scarcest shows, so that a gap is seen however thin.
_SCARCE = ("embargoed", "purged", "stop", "test", "train")
_BESIDE = 34  # columns that the other cells of a line take
_WIDEST, _NARROWEST = 120, 12


def show_picture(picture: SplitPicture, console: Console) -> None:
    """A line a fold, and below them what the blocks are."""
    width = min(max(console.width - _BESIDE, _NARROWEST), _WIDEST, len(picture.times))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("fold", justify="right", no_wrap=True)
    table.add_column("first decision to last", no_wrap=True)
    for name in ("train", "left out", "test"):
        table.add_column(name, justify="right", no_wrap=True)
    for fold, counts in enumerate(picture.counts):
        table.add_row(
            str(fold),
            _line(picture.part[fold], width),
            f"{counts['train'] + counts['stop']:,}",
            f"{counts['purged'] + counts['embargoed']:,}",
            f"{counts['test']:,}",
        )
    console.print(table)
    legend = Text()
    for name, (block, colour, words) in LOOKS.items():
        if any(counts[name] for counts in picture.counts):
            legend.append(f"{block * 2} ", colour).append(f"{words}  ")
    if (picture.part == UNUSED).any():
        legend.append(f"{_NOTHING[0] * 2} ", _NOTHING[1]).append("not used")
    console.print(legend)


def _line(part: npt.NDArray[np.int8], width: int) -> Text:
    line = Text()
    for cell in np.array_split(part, width):
        inside = {PARTS[place] for place in np.unique(cell) if place != UNUSED}
        shown = next((name for name in _SCARCE if name in inside), None)
        block, colour = LOOKS[shown][:2] if shown else _NOTHING
        line.append(block, colour)
    return line
