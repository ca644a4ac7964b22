"""Progress of long work in the output of a notebook's cell."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from time import monotonic
from typing import Any

from .notebook import remark, table, text
from .progress import Progress

_EVERY_S = 0.2  # a notebook redraws the whole output each time
_BAR = "width:14em;vertical-align:middle;margin:0 .7em"


def progress_here() -> Progress:
    """What draws in the notebook that runs this; elsewhere what says nothing.

    >>> type(progress_here()).__name__
    'Progress'
    """
    # Only IPython can have started a kernel, so it need not be imported to find out.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return Progress() if getattr(shell, "kernel", None) is None else NotebookProgress()


@dataclass
class _StepState:
    name: str
    total: int
    ended: int = 0


class NotebookProgress(Progress):
    """Draws a bar for each step under way, and keeps a line for each task that ended.

    It is plain HTML in one output that is replaced, so it needs no widgets, and a notebook that was
    saved still shows what was done. Several threads may report to it.
    """

    def __init__(self) -> None:
        self._steps: list[_StepState] = []
        self._done: list[tuple[str, str, float]] = []
        self._notes: list[str] = []
        self._began, self._drawn_at = monotonic(), 0.0
        self._output: Any = None
        self._lock = RLock()

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Progress]:
        own = _StepState(name, total)
        with self._lock:
            self._steps.append(own)
            self._draw()
        try:
            yield _NotebookStep(self, own)
        finally:
            with self._lock:
                self._steps.remove(own)
                self._draw()

    def note(self, text: str) -> None:
        with self._lock:
            self._notes.append(text)
            self._draw()

    def done(self, name: str, how: str, seconds: float) -> None:
        with self._lock:
            self._done.append((name, how, seconds))
            self._draw()

    def advance_step(self, step: _StepState, units: int) -> None:
        """`units` more of a step are done."""
        with self._lock:
            step.ended += units
            if monotonic() - self._drawn_at >= _EVERY_S:
                self._draw()

    def _draw(self) -> None:
        from IPython.display import display  # noqa: PLC0415 (only notebooks have it)

        self._drawn_at = monotonic()
        if self._output is None:
            self._output = display(self, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._output.update(self)

    def __repr__(self) -> str:
        return self._summary()

    def _summary(self) -> str:
        counts = Counter(how for _, how, _ in self._done)
        listed = ", ".join(f"{count:,} {how}" for how, count in sorted(counts.items()))
        return f"Tasks: {listed or 'none yet'}; {monotonic() - self._began:,.1f} s"

    def _repr_html_(self) -> str:
        bars = "".join(map(_bar, self._steps))
        notes = "".join(remark(each) for each in self._notes)
        rows = [(name, how, round(seconds, 2)) for name, how, seconds in self._done]
        tasks = f"<details><summary>{text(self._summary())}</summary>{_tasks(rows)}</details>"
        return f"<div>{bars}{notes}{tasks}</div>"


class _NotebookStep(Progress):
    """One bar."""

    def __init__(self, whole: NotebookProgress, step: _StepState) -> None:
        self._whole, self._step = whole, step

    def advance(self, units: int = 1) -> None:
        self._whole.advance_step(self._step, units)


def _bar(step: _StepState) -> str:
    share = min(1.0, step.ended / step.total) if step.total else 0.0
    return (
        f'<div><progress value="{share:.4f}" max="1" style="{_BAR}"></progress>'
        f"{text(step.name)} {step.ended:,} of {step.total:,}</div>"
    )


def _tasks(rows: list[tuple[str, str, float]]) -> str:
    return table(["task", "how", "seconds"], rows) if rows else ""
