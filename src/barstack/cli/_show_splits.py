"""Splits as coloured blocks, for a terminal."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.text import Text

from barstack.splits import PARTS, UNUSED, SplitPicture

from ._tables import right, table

# Blocks differ in shape as well, for terminals and eyes without colours.
LOOKS = {
    "train": ("▄", "#3ea6ea", "trained on"),
    "stop": ("▂", "#2cc795", "early stopping"),
    "purged": ("░", "#bcc5ce", "purged"),
    "embargoed": ("▒", "#e59cc6", "embargoed"),
    "test": ("█", "#f0793f", "tested"),
}
_NOTHING = ("·", "#6b7682")
# Of several parts in one block the scarcest is drawn, so that no gap is too thin to see.
_SCARCE = ("embargoed", "purged", "stop", "test", "train")
_BESIDE = 34  # columns that the other cells of a line take
_WIDEST, _NARROWEST = 120, 12


def show_picture(picture: SplitPicture, console: Console) -> None:
    """One line per fold, and a legend below."""
    width = min(max(console.width - _BESIDE, _NARROWEST), _WIDEST, len(picture.times))
    figures = map(right, ("train", "left out", "test"))
    shown = table(right("fold"), "first decision to last", *figures)
    for fold, counts in enumerate(picture.counts):
        shown.add_row(
            str(fold),
            _line(picture.part[fold], width),
            f"{counts['train'] + counts['stop']:,}",
            f"{counts['purged'] + counts['embargoed']:,}",
            f"{counts['test']:,}",
        )
    console.print(shown)
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
        scarcest = next((name for name in _SCARCE if name in inside), None)
        block, colour = LOOKS[scarcest][:2] if scarcest else _NOTHING
        line.append(block, colour)
    return line
