"""How many experiments a sweep has, for whoever watches it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SweepSize:
    """What a sweep set out to do, of the call that began last.

    experiments  that are to have a result when it is done

    >>> SweepSize("5f3e", "Reference grid", 1620).experiments
    1620
    """

    sweep_id: str
    title: str
    experiments: int
