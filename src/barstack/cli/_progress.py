"""Progress bars on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars

from barstack.core.progress import Progress
from barstack.core.text import printable


class ShownProgress(Progress):
    """Draws the current step and leaves a line for each that is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Progress]:
        with self._bars:
            self._task = self._bars.add_task(name, total=total)
            try:
                yield self
            finally:
                self._bars.remove_task(self._task)

    def advance(self, units: int = 1) -> None:
        if self._task is not None:
            self._bars.advance(self._task, units)

    def note(self, text: str) -> None:
        self._console.print(f"  {printable(text)}", style="yellow")

    def done(self, name: str, how: str, seconds: float) -> None:
        self._console.print(f"  {name:<20} {how:<7} {seconds:7.2f} s")
