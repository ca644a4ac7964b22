"""The table of experiments: sorted, and a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from barstack.tracking import Experiment

from ._chosen_rows import natural
from ._measures import MEASURES, name_of

PAGE = 50  # rows
_KEYS: Mapping[str, Callable[[Experiment], Any]] = {
    "name": name_of,
    "horizon": lambda row: natural(row.horizon_name),
    "period": lambda row: natural(row.period),
    "status": lambda row: row.status,
    "seconds": lambda row: row.training_seconds,
    "finished": lambda row: row.finished_at,
    **{name: measure.of for name, measure in MEASURES.items()},
}


@dataclass(frozen=True)
class TablePage:
    """Rows of one page with their rank.

    page, pages  from 1
    """

    rows: tuple[tuple[int, Experiment], ...]
    sort: str
    down: bool
    page: int
    pages: int
    count: int


def table_page(rows: Sequence[Experiment], sort: str, page: str) -> TablePage:
    """A page of rows; without a value by which to sort, a row comes last.

    sort  a column, with a leading "-" from the highest down; by default `-directional_accuracy`
    page  text of a number; what is none counts as 1
    """
    name, down = sort.removeprefix("-"), sort.startswith("-")
    if name not in _KEYS:
        name, down = "directional_accuracy", True
    key = _KEYS[name]
    rows = sorted(rows, key=lambda row: row.experiment_id)
    known = [row for row in rows if key(row) is not None]
    ordered = sorted(known, key=key, reverse=down) + [row for row in rows if key(row) is None]
    pages = max(-(-len(ordered) // PAGE), 1)
    number = min(max(int(page) if page.isdecimal() and len(page) < 9 else 1, 1), pages)
    first = (number - 1) * PAGE
    shown = tuple(enumerate(ordered[first : first + PAGE], first + 1))
    return TablePage(shown, name, down, number, pages, len(ordered))
