"""Progress bars on a terminal, plain lines elsewhere; always on standard error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from barstack.core.progress import Progress
from barstack.core.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class ShownProgress(Progress):
    """Draws the steps under way, from several threads too, and leaves a line for each task done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = bars_on(console) if console.is_terminal else None
        self._lock, self._open = Lock(), 0

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Progress]:
        if self._bars is None:
            yield Progress()
            return
        task = self._bars.add_task(name, total=total)
        with self._lock:
            self._open += 1
            if self._open == 1:
                self._bars.start()
        try:
            yield _ShownStep(self._bars, task)
        finally:
            self._bars.remove_task(task)
            with self._lock:
                self._open -= 1
                if not self._open:
                    self._bars.stop()

    def note(self, text: str) -> None:
        self._console.print(f"  {printable(text)}", style="yellow")

    def done(self, name: str, how: str, seconds: float) -> None:
        self._console.print(f"  {name:<20} {how:<7} {seconds:7.2f} s")


def bars_on(console: Console) -> Bars:
    """Bars that leave nothing behind."""
    from rich import progress  # noqa: PLC0415 (a twentieth of a rerun, and only terminals need it)

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description:<20}"),
        progress.BarColumn(bar_width=32),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        console=console,
        transient=True,
    )


class _ShownStep(Progress):
    """One bar."""

    def __init__(self, bars: Bars, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, units: int = 1) -> None:
        self._bars.advance(self._task, units)
