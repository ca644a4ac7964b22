"""How long work tells how far it is. Rooms call it; only the command line draws it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Hears about steps and says nothing: what library users get unless they hand in another.

    >>> class Heard(Progress):
    ...     def done(self, name: str, how: str, seconds: float) -> None:
    ...         print(name, how)
    >>> Heard().done("member ridge", "made", 1.5)
    member ridge made
    """

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Progress]:
        """One named step of `total` units; call `advance` inside it.

        >>> with Progress().step("fits", total=2) as step:
        ...     step.advance()
        """
        yield self

    def advance(self, units: int = 1) -> None:
        """`units` more of the current step are done."""

    def note(self, text: str) -> None:
        """Something the user should know of the current step."""

    def done(self, name: str, how: str, seconds: float) -> None:
        """Step `name` ended; `how` is "made" or "reused"."""
