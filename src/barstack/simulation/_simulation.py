"""A simulation of decisions on bars: what was filled, what it came to, and what was not filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Array, Floats
from barstack.core.errors import DataError
from barstack.core.times import Times, iso

from ._book import Book
from ._records import OrderKind, Reason
from ._settings import Settings, settings_from
from ._targets import Events, Halts, Targets

if TYPE_CHECKING:
    import pandas as pd

_REFUSED = range(30, 50)


@dataclass(frozen=True, eq=False)
class Simulation:
    """What following decisions came to.

    Attributes
    ----------
    panel
        The bars, by symbol.
    targets
        The decisions.
    settings
        What was assumed.
    curve
        One row of `CURVE` for each close from the first decision on: bars before it only warm up,
        and count in no figure.
    fills, log, trades
        Rows of `FILL`, `LOG` and `TRADE`; `frame` makes tables of them.
    totals
        Sum of each cost, of dividends and funding, and the value traded.
    held
        Units that are still held at the end, by symbol.
    unfilled
        Position that each order led to which still worked at the end, by symbol.
    equity_through
        Final equity where limit orders and targets fill only when traded through, None where no
        limit decided anything. `equity` and this are the bracket between which the truth lies.

    >>> from barstack.testing import walk
    >>> bars = walk(bars=50)
    >>> found = simulate_targets(bars, Targets.of("WALK", bars.closed_at[[5, 25]], [1.0, 0.0]))
    >>> len(found.fills), len(found.curve), found.held
    (2, 45, {})
    """

    panel: dict[str, Bars]
    targets: Targets
    settings: Settings
    curve: Array
    fills: Array
    log: Array
    trades: Array
    totals: dict[str, float]
    counts: dict[str, int]
    held: dict[str, float]
    unfilled: dict[str, float]
    equity_through: float | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self.panel)

    @property
    def time(self) -> Times:
        """(n_closes,) moments of `curve`."""
        return np.ascontiguousarray(self.curve["time"]).view("datetime64[us]")

    @property
    def equity(self) -> float:
        """At the end."""
        return float(self.curve["equity"][-1]) if len(self.curve) else self.settings.capital

    @cached_property
    def returns(self) -> Floats:
        """(n_closes - 1,) after costs, of each close over the one before."""
        equity = self.curve["equity"]
        return np.asarray(equity[1:] / equity[:-1] - 1.0)

    def frame(self, name: str) -> pd.DataFrame:
        """A pandas table of "fills", "log", "trades" or "curve", with symbols, times and reasons.

        >>> from barstack.testing import walk
        >>> bars = walk(bars=50)
        >>> found = simulate_targets(bars, Targets.of("WALK", bars.closed_at[5], 1.0))
        >>> found.frame("fills")["reason"].tolist()
        ['order', 'end of data']
        """
        import pandas as pd  # noqa: PLC0415 (only for the caller's convenience)

        rows = getattr(self, name)
        columns: dict[str, Any] = {}
        for column in rows.dtype.names:
            values = np.ascontiguousarray(rows[column])
            if column == "symbol":
                columns[column] = np.asarray(self.symbols)[values]
            elif column == "reason":
                columns[column] = [words_of(value) for value in values]
            elif column in ("at", "time", "decided_at", "opened_at", "closed_at"):
                times = values.view("datetime64[us]").copy()
                times[values == 0] = np.datetime64("NaT")
                columns[column] = pd.DatetimeIndex(times).tz_localize("UTC")
            else:
                columns[column] = values
        first = [name for name in ("time", "at", "symbol", "opened_at") if name in columns]
        return pd.DataFrame({name: columns[name] for name in dict.fromkeys([*first, *columns])})

    @cached_property
    def refused(self) -> dict[str, int]:
        """Number of orders that were rejected or cut, by reason."""
        counts = Counter(
            words_of(reason)
            for reason in self.log["reason"]
            if reason in _REFUSED or 20 < reason < 30
        )
        return dict(counts.most_common())

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the figures, each a sentence."""
        found = []
        waits = self._waits()
        if waits:
            found.append(waits)
        if self.counts["n_untraded"]:
            found.append(
                f"In {self.counts['n_untraded']:,} bars that did not trade a position or an order "
                "was open: nothing was filled, and positions kept their last traded price."
            )
        for quantity, what in ((self.held, "is still held"), (self.unfilled, "is still on order")):
            if quantity:
                listed = ", ".join(f"{size:g} {name}" for name, size in list(quantity.items())[:5])
                found.append(f"At the end {listed} {what}; the figures include it at its mark.")
        if self.refused:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in self.refused.items())
            found.append(f"Orders changed by limits: {listed}.")
        if self.equity_through is not None:
            found.append(
                f"With limits and targets filled at a touch the final equity is "
                f"{self.equity:,.2f}, and {self.equity_through:,.2f} where the price must trade "
                "through them."
            )
        if self.settings.fills.market == "close":
            found.append(
                "Orders filled at the close they were decided at, which nobody can trade: for "
                "comparison only."
            )
        return tuple(found)

    def _waits(self) -> str:
        """Orders that waited over missing bars."""
        count, longest, where = 0, 0, ""
        for fill in self.fills:
            own = self.panel[self.symbols[fill["symbol"]]]
            row = int(fill["row"])
            if fill["reason"] == Reason.ORDER and row > 0 and own.missing[row] > 0:
                count += 1
                if own.missing[row] > longest:
                    longest, where = int(own.missing[row]), f"{own.symbol} at {iso(fill['at'])}"
        if not count:
            return ""
        return (
            f"{count:,} orders waited over missing bars, the longest over {longest:,} "
            f"({where}); they filled at the next open that there is."
        )


def words_of(reason: int) -> str:
    """
    >>> words_of(Reason.CUT_GROSS)
    'cut gross'
    """
    return Reason(reason).name.lower().replace("_", " ")


def simulate_targets(
    bars: Bars | Panel,
    targets: Targets,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    events: Events | None = None,
    halted: Halts | None = None,
    bracket: bool = True,
    since: np.datetime64 | None = None,
) -> Simulation:
    """Follow decisions through bars.

    Parameters
    ----------
    bars
        Of every symbol that is decided on.
    targets
        Positions to hold.
    settings
        What is assumed; by default no costs and no limits.
    events
        Splits, dividends and funding.
    halted
        By symbol, (n_bars,) whether trading was suspended.
    bracket
        Whether limits and targets are also simulated as filled only when traded through.
    since
        Where figures begin, by default with the first decision.

    Raises
    ------
    DataError, ConfigError
        For decisions without bars, or settings that contradict each other.

    Examples
    --------
    >>> from barstack.simulation import Targets
    >>> from barstack.testing import walk
    >>> bars = walk(bars=200)
    >>> targets = Targets.of("WALK", bars.closed_at[[10, 60]], [1.0, 0.0])
    >>> simulate_targets(bars, targets).frame("fills")["position"].round(1).tolist()
    [1013.0, 0.0]
    """
    panel, settings = as_panel(bars), settings_from(settings)
    if not len(targets):
        raise DataError("There are no decisions to simulate. Give at least one.")
    book = Book(list(panel), settings)
    book.advance(panel, targets, events=events, halted=halted)
    first = targets.decisions.decided_at.min() if since is None else since
    return simulation_of(panel, targets, book, first, events=events, halted=halted, bracket=bracket)


def simulation_of(
    panel: Panel,
    targets: Targets,
    book: Book,
    first_decided_at: np.datetime64 | None,
    *,
    events: Events | None = None,
    halted: Halts | None = None,
    bracket: bool = True,
) -> Simulation:
    """What a book that has gone through all bars has found; closes it where that is set.

    first_decided_at  where figures begin; None for all bars
    """
    settings = book.settings
    held = {symbol: size for symbol, size in book.quantities.items() if size}
    unfilled = book.working
    if settings.fills.at_end == "close":
        book.close()
        held, unfilled = {}, {}
    through = None
    limits = (targets.kind == OrderKind.LIMIT).any() or np.isfinite(targets.take).any()
    if bracket and limits and settings.fills.limits == "touched":
        stricter = settings.model_copy(
            update={"fills": settings.fills.model_copy(update={"limits": "through"})}
        )
        through = simulate_targets(
            panel, targets, stricter, events=events, halted=halted, bracket=False
        ).equity
    curve = book.curve
    first = 0
    if first_decided_at is not None:
        first = int(np.searchsorted(curve["time"], first_decided_at.astype(np.int64)))
    return Simulation(
        dict(panel),
        targets,
        settings,
        curve[first:],
        book.fills,
        book.log,
        book.trades,
        book.totals,
        book.counts,
        held,
        unfilled,
        through,
    )
