"""What was chosen for a user who did not say, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Chosen:
    """One setting that was chosen, with the reason as a sentence.

    >>> print(Chosen("calendar", "XNYS", "On 501 days bars lie in 09:30 to 16:00 New York."))
    calendar: XNYS. On 501 days bars lie in 09:30 to 16:00 New York.
    """

    setting: str
    value: Any
    because: str

    def __str__(self) -> str:
        several = isinstance(self.value, list | tuple)
        value = ", ".join(map(str, self.value)) if several else self.value
        return f"{self.setting}: {value}. {self.because}"
