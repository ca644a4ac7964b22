"""What somebody did or forecast, by symbol, as exported: forecasts, positions, trades or equity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from barstack.core.arrays import Floats

from ._times import Stamps

Kind = Literal["forecasts", "positions", "trades", "equity"]
KINDS: tuple[Kind, ...] = ("forecasts", "positions", "trades", "equity")


@dataclass(frozen=True, eq=False)
class TimedValues:
    """Numbers with times: forecasts, positions, or the value of an account.

    Attributes
    ----------
    moments
        (n_rows,) in time order, each once.
    values
        (n_rows,) finite.
    known
        (n_rows,) when the outcome of each forecast is known; None where the file does not tell.
    """

    moments: Stamps
    values: Floats
    known: Stamps | None = None


@dataclass(frozen=True, eq=False)
class FilledOrders:
    """Orders as they were filled, in time order, and the trades that they make.

    Attributes
    ----------
    moments
        (n_fills,)
    price
        (n_fills,) NaN where it is not known.
    after
        (n_fills,) position in [-1, 1] after each.
    returns
        (n_trades,) return of each closed trade before costs, as a fraction, by its own prices.
    stated
        (n_trades,) the same as the export states it, NaN where it does not.
    """

    moments: Stamps
    price: Floats
    after: Floats
    returns: Floats
    stated: Floats


@dataclass(frozen=True, eq=False)
class History:
    """What is to be judged.

    Attributes
    ----------
    kind
        What the file holds.
    tool
        The tool that exported it, where its columns tell; else "".
    parts
        By symbol; under "" where the file names none.
    where
        What messages call it.
    decided
        Whether times are those of decisions; elsewhere they name bars, which are known at their
        close.
    horizon
        How far ahead forecasts look, such as 4h; "" until the next one.
    notes
        How it was read, a sentence each.
    reported
        What its maker reports, by the names of `contradictory`.
    """

    kind: Kind
    tool: str
    parts: Mapping[str, TimedValues | FilledOrders]
    where: str
    decided: bool = False
    horizon: str = ""
    notes: list[str] = field(default_factory=list)
    reported: dict[str, float] = field(default_factory=dict)
