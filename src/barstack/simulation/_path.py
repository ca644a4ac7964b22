"""The decision path: signals become positions, orders and money, driven by whatever gives bars."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.errors import StorageError
from barstack.portfolio import Signals, Sizer, Strategy
from barstack.portfolio.sizing import changes_as_columns

from ._book import Book
from ._settings import Settings, settings_from
from ._simulation import Simulation, simulation_of
from ._targets import Events, Halts, Targets


class DecisionPath:
    """One path from signals to the book: the same object in a simulation and live.

    History is one call of `advance` with all bars; live trading is one call at each close. Both
    give the same orders and fills to the bit, and `snapshot` holds everything in between.

    Parameters
    ----------
    symbols
        All that will ever be traded.
    strategy
        How positions follow signals.
    settings
        How orders are filled, what they cost, and which limits hold.

    >>> from barstack.core.decisions import Decisions
    >>> from barstack.testing import walk
    >>> bars = walk(bars=40)
    >>> decisions = Decisions.concatenate({"WALK": bars.closed_at[[5, 20]]})
    >>> path = DecisionPath(["WALK"], Strategy(hold="latest"))
    >>> targets = path.advance(bars, Signals(decisions, np.array([0.01, -0.02])))
    >>> targets.position.tolist(), len(path.book.fills)
    ([1.0, -1.0], 2)
    """

    def __init__(
        self,
        symbols: Sequence[str],
        strategy: Strategy | Mapping[str, Any] | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
    ) -> None:
        given = strategy or {}
        self.strategy = given if isinstance(given, Strategy) else Strategy(**given)
        self.sizer = Sizer(self.strategy, symbols)
        self.book = Book(symbols, settings_from(settings))

    def advance(
        self,
        bars: Bars | Panel,
        signals: Signals | None = None,
        *,
        events: Events | None = None,
        halted: Halts | None = None,
    ) -> Targets | None:
        """Move on by these bars; returns the positions that were asked for, None for none.

        Parameters
        ----------
        bars
            The next bars of any of the symbols.
        signals
            Those decided at or before the last of them, since the call before.
        events, halted
            As in `Book.advance`.
        """
        panel = {symbol: own for symbol, own in as_panel(bars).items() if len(own)}
        targets = self._targets(self.sizer.advance(panel, signals))
        self.book.advance(panel, targets, events=events, halted=halted)
        return targets

    def _targets(self, changes: list[tuple[int, str, float]]) -> Targets | None:
        if not changes:
            return None
        times, symbols, weights = changes_as_columns(changes)
        own = self.strategy
        return Targets.of(
            symbols,
            times,
            weights,
            stop=own.stop or np.nan,
            take=own.take or np.nan,
            trail=own.trail or np.nan,
            hold_bars=own.hold_bars,
        )

    def snapshot(self) -> bytes:
        """Everything that the next bars need, as one file of plain data."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            about = {"strategy": self.strategy.id, "sizer": self.sizer.state()}
            archive.writestr("sizer.json", json.dumps(about))
            archive.writestr("book.npz", self.book.snapshot())
        return file.getvalue()

    def restore(self, snapshot: bytes) -> None:
        """Continue from a snapshot of a path with the same symbols, strategy and settings.

        Raises
        ------
        StorageError
            If it is damaged, or of another path.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(snapshot)) as archive:
                about = json.loads(archive.read("sizer.json"))
                book = archive.read("book.npz")
            if about["strategy"] != self.strategy.id:
                raise StorageError("The snapshot is of another strategy. Restore it into its own.")
            self.sizer.set_state(about["sizer"])
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise StorageError(f"The snapshot of a path cannot be read: {error}.") from None
        self.book.restore(book)


def simulate_signals(
    bars: Bars | Panel,
    signals: Signals,
    strategy: Strategy | Mapping[str, Any] | None = None,
    settings: Settings | Mapping[str, Any] | None = None,
    *,
    events: Events | None = None,
    halted: Halts | None = None,
) -> Simulation:
    """Follow signals through bars by a strategy.

    Parameters
    ----------
    bars
        Of every symbol with signals.
    signals
        What was known at each decision.
    strategy
        How positions follow them.
    settings
        What is assumed; by default no costs and no limits.
    events, halted
        As in `Book.advance`.

    >>> from barstack.core.decisions import Decisions
    >>> from barstack.testing import walk
    >>> bars = walk(bars=40)
    >>> signals = Signals(Decisions.concatenate({"WALK": bars.closed_at[[5, 20]]}), np.ones(2))
    >>> simulate_signals(bars, signals, {"hold": "latest"}).frame("fills")["reason"].tolist()
    ['order', 'end of data']
    """
    panel = as_panel(bars)
    path = DecisionPath(list(panel), strategy, settings)
    targets = path.advance(panel, signals, events=events, halted=halted)
    if targets is None:
        targets = Targets.of("", np.zeros(0, "M8[us]"), np.zeros(0))
    first = signals.decisions.decided_at.min() if len(signals) else None
    return simulation_of(panel, targets, path.book, first, events=events, halted=halted)
