"""TimesFM, with weights brought by the user."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.datasets import Inputs, Samples

from .._libraries import imported, require_torch
from .._model import register
from ._settings import TimesFMSettings

if TYPE_CHECKING:
    from ._tuned import TunedTimesFM


@register("timesfm", family="pretrained", tasks=("return",))
class TimesFM(TimesFMSettings):
    """A pretrained decoder over patches of one series, read by a linear head. Das et al. (2024).

    The series is the price, as the running sum of one feature that is each bar's log return. The
    decoder forecasts its next bars; a ridge regression on that path learns each horizon. Weights
    of TimesFM 2.5 are read from a file of your own and never fetched. What they were pretrained on
    is not listed day by day, so nothing before `seen_through` is forecast.

    >>> TimesFM(lookback=256).lookback_bars
    256
    """

    packages: ClassVar[tuple[str, ...]] = ("timesfm", "torch")
    exempt: ClassVar[dict[str, str]] = {
        "check_learns_a_plain_signal": "it reads the price alone, and the signal is elsewhere",
    }

    def fit(self, train: Samples, stop: Samples | None, target: Target, seed: int) -> TunedTimesFM:
        _require_timesfm()
        from . import _tuned  # noqa: PLC0415

        return _tuned.fit(self, train, seed)

    def predict(self, learned: TunedTimesFM, inputs: Inputs, target: Target) -> Floats:
        _require_timesfm()
        from . import _tuned  # noqa: PLC0415

        return _tuned.predict(self, learned, inputs)

    def save(self, learned: TunedTimesFM, folder: Path) -> None:
        _require_timesfm()
        from . import _tuned  # noqa: PLC0415

        _tuned.save(self, learned, folder)

    def load(self, folder: Path, target: Target) -> TunedTimesFM:
        _require_timesfm()
        from . import _tuned  # noqa: PLC0415

        return _tuned.load(self, folder, target)


def _require_timesfm() -> None:
    require_torch()
    imported("timesfm.timesfm_2p5.timesfm_2p5_torch", "TimesFM", "timesfm")
