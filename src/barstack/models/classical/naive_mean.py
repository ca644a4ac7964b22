"""As it went on average."""

from __future__ import annotations

from typing import ClassVar

from .._model import EVERY_TASK, register
from ._naive import Naive


@register("naive_mean", family="classical", tasks=EVERY_TASK)
class NaiveMean(Naive):
    """The mean of the training labels, their quantiles, or the shares of classes among them."""

    states: ClassVar[int] = 1
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it says the same of every row",
    }
