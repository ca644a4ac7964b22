"""Weights that follow signals, for any number of bars at a time, with all state as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from barstack.bars import Bars, Panel, as_panel
from barstack.core.arrays import Array, Floats, Ints
from barstack.core.errors import DataError
from barstack.core.times import microseconds

from ._volatility_kernel import volatility_of
from .strategy import Signals, Strategy
from .unit_rule import UnitPosition

_YEAR_US = 365.25 * 86_400e6
_FLAT_AGAIN = 1e-12


class Sizer:
    """The weight of each symbol as signals come, the same in one call and bar by bar.

    Parameters
    ----------
    strategy
        How positions follow signals.
    symbols
        All that are traded; they share `Strategy.gross`.

    >>> from barstack.core.decisions import Decisions
    >>> from barstack.testing import walk
    >>> bars = walk(bars=6)
    >>> decisions = Decisions.concatenate({"WALK": bars.closed_at[[1, 3]]})
    >>> signals = Signals(decisions, np.array([1.0, -2.0]))
    >>> sizer = Sizer(Strategy(hold="latest"), ["WALK"])
    >>> [weight for _, _, weight in sizer.advance(bars, signals)]
    [1.0, -1.0]
    """

    def __init__(self, strategy: Strategy, symbols: Sequence[str]) -> None:
        self.strategy = strategy
        self.symbols = tuple(sorted(symbols))
        self._states = {symbol: _SymbolSizing() for symbol in self.symbols}

    def advance(self, bars: Bars | Panel, signals: Signals | None) -> list[tuple[int, str, float]]:
        """Weights that change, each with its time in microseconds and symbol, in order of time.

        Parameters
        ----------
        bars
            The next bars.
        signals
            Decided by the last of these bars, and later than those of the call before.
        """
        panel = as_panel(bars)
        unknown = sorted(set(panel) - set(self.symbols))
        if unknown:
            raise DataError(f"There are bars of {', '.join(unknown)}, which are not traded here.")
        now = max(int(own.records["closed_at"][-1]) for own in panel.values() if len(own))
        for symbol, own in panel.items():
            self._states[symbol].see(own, self.strategy.volatility_bars)
        found: list[tuple[int, str, float]] = []
        for symbol, at, signal, known_at in _rows(signals, self.symbols):
            self._states[symbol].pending.append((at, signal, known_at))
        for symbol, state in self._states.items():
            found += [
                (at, symbol, position) for at, position in state.positions(now, self.strategy)
            ]
        found.sort()
        changes = []
        for at, symbol, position in found:
            weight = self._weight(symbol, at, position)
            state = self._states[symbol]
            change = abs(weight - state.weight)
            if change > self.strategy.step or (weight == 0.0 and change > 0.0):
                state.weight = weight
                changes.append((at, symbol, weight))
        for state in self._states.values():
            state.forget()
        return changes

    def _weight(self, symbol: str, at: int, position: float) -> float:
        """Of equity, for a position in [-1, 1] or, of conviction and Kelly, a sized one."""
        strategy, share = self.strategy, self.strategy.gross / len(self.symbols)
        if position == 0.0:
            return 0.0
        if strategy.sizing in ("equal", "conviction"):
            scale = 1.0
        elif strategy.sizing == "volatility":
            scale = _over(strategy.volatility, self._states[symbol].volatility(at)[0])
        elif strategy.sizing == "kelly":
            deviation = self._states[symbol].volatility(at)[1]
            scale = _over(strategy.kelly, deviation * deviation * strategy.kelly_bars)
        else:
            inverse = {
                each: _over(1.0, state.volatility(at)[1]) for each, state in self._states.items()
            }
            total = math.fsum(inverse.values())
            scale = len(inverse) * inverse[symbol] / total if total > 0.0 else 0.0
        limit = strategy.most if strategy.sizing != "risk_parity" else float(len(self.symbols))
        return share * max(-limit, min(limit, position * scale))

    def state(self) -> dict[str, Any]:
        """All that the next call needs, as plain data."""
        return {symbol: state.plain() for symbol, state in self._states.items()}

    def set_state(self, plain: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        if set(plain) != set(self.symbols):
            raise DataError(
                f"The state is of {', '.join(sorted(plain))}, and this is of "
                f"{', '.join(self.symbols)}."
            )
        self._states = {symbol: _SymbolSizing.of(plain[symbol]) for symbol in self.symbols}


def _over(number: float, divisor: float) -> float:
    """A quotient; 0 where nothing is known of the divisor yet."""
    return number / divisor if divisor > 0.0 else 0.0


def _rows(signals: Signals | None, symbols: tuple[str, ...]) -> list[tuple[str, int, float, int]]:
    if signals is None or not len(signals):
        return []
    unknown = sorted(set(signals.decisions.symbols) - set(symbols))
    if unknown:
        raise DataError(f"There are signals on {', '.join(unknown)}, which are not traded here.")
    known = np.full(len(signals), -1, np.int64)
    if signals.known_at is not None:
        known = np.where(np.isnat(signals.known_at), -1, microseconds(signals.known_at))
    return list(
        zip(
            signals.decisions.symbol.tolist(),
            microseconds(signals.decisions.decided_at).tolist(),
            signals.signal.tolist(),
            known.tolist(),
            strict=True,
        )
    )


class _SymbolSizing:
    """One symbol: volatility, pending and open decisions, and the newest weight."""

    def __init__(self) -> None:
        self.numbers: Floats = np.zeros(5)  # last close, its time, mean square, mean time, count
        self.times: Ints = np.zeros(0, np.int64)
        self.means: Floats = np.zeros((0, 2))
        self.pending: list[tuple[int, float, int]] = []
        self.exits: list[tuple[int, int]] = []
        self.open = UnitPosition()
        self.side, self.weight = 0.0, 0.0

    def see(self, bars: Bars, span: int) -> None:
        records = bars.records
        times, means = np.zeros(len(bars), np.int64), np.zeros((len(bars), 2))
        times[:] = records["closed_at"]
        volatility_of(np.ascontiguousarray(records["close"]), times, span, self.numbers, means)
        self.times = np.concatenate([self.times, times])
        self.means = np.concatenate([self.means, means])

    def volatility(self, at: int) -> tuple[float, float]:
        """A year and a bar, from returns known at a time; 0 before there are any."""
        place = int(np.searchsorted(self.times, at, side="right")) - 1
        square, time = self.means[place].tolist() if place >= 0 else (0.0, 0.0)
        if time <= 0.0:
            return 0.0, 0.0
        return math.sqrt(square / time * _YEAR_US), math.sqrt(square)

    def positions(self, now: int, strategy: Strategy) -> list[tuple[int, float]]:
        """Positions by the signals and exits until now, by time."""
        due = sorted(each for each in self.pending if each[0] <= now)
        self.pending = [each for each in self.pending if each[0] > now]
        if strategy.hold == "latest":
            return [(at, self._latest(signal, strategy)) for at, signal, _ in due]
        moments: dict[int, tuple[dict[int, float], list[int]]] = {}
        for at, signal, known_at in due:
            moments.setdefault(at, ({}, []))[0][at] = _sized(signal, strategy)
            if known_at >= 0:
                self.exits.append((max(known_at, at), at))
        for known_at, at in [each for each in self.exits if each[0] <= now]:
            moments.setdefault(known_at, ({}, []))[1].append(at)
        self.exits = [each for each in self.exits if each[0] > now]
        found = []
        for at in sorted(moments):
            position = self.open.update(*moments[at])
            found.append((at, 0.0 if abs(position) < _FLAT_AGAIN else position))
        return found

    def _latest(self, signal: float, strategy: Strategy) -> float:
        """With hysteresis: taken at `enter`, left below `leave` or by the other side."""
        size = _sized(signal, strategy)
        leave = strategy.enter if strategy.leave is None else strategy.leave
        if size == 0.0 and self.side != 0.0 and signal * self.side > 0.0 and abs(signal) > leave:
            own = strategy.model_copy(update={"enter": 0.0, "leave": None})
            size = _sized(signal, own)
        self.side = float(np.sign(size))
        return size

    def forget(self) -> None:
        """Keep the newest volatility alone."""
        self.times, self.means = self.times[-1:], self.means[-1:]

    def plain(self) -> dict[str, Any]:
        return {
            "numbers": self.numbers.tolist(),
            "times": self.times.tolist(),
            "means": self.means.tolist(),
            "pending": [list(each) for each in self.pending],
            "exits": [list(each) for each in self.exits],
            "open": [[key, side] for key, side in self.open.sides.items()],
            "total": self.open.total,
            "side": self.side,
            "weight": self.weight,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> _SymbolSizing:
        found = cls()
        found.numbers = np.asarray(plain["numbers"], float)
        found.times = np.asarray(plain["times"], np.int64)
        found.means = np.asarray(plain["means"], float).reshape(-1, 2)
        found.pending = [(at, signal, known) for at, signal, known in plain["pending"]]
        found.exits = [(known, at) for known, at in plain["exits"]]
        found.open = UnitPosition(dict(plain["open"]), plain["total"])
        found.side, found.weight = plain["side"], plain["weight"]
        return found


def _sized(signal: float, strategy: Strategy) -> float:
    """Side, or where sizing asks for it the size, of one signal."""
    if abs(signal) <= strategy.enter or signal == 0.0:
        return 0.0
    if (strategy.sides == "long" and signal < 0.0) or (strategy.sides == "short" and signal > 0.0):
        return 0.0
    if strategy.sizing == "conviction":
        return max(-1.0, min(1.0, signal / strategy.full))
    if strategy.sizing == "kelly":
        return signal
    return 1.0 if signal > 0.0 else -1.0


def changes_as_columns(
    changes: list[tuple[int, str, float]],
) -> tuple[Array, Array, Floats]:
    """Times, symbols and weights of what `Sizer.advance` returns."""
    times = np.asarray([at for at, _, _ in changes], np.int64).view("datetime64[us]")
    symbols = np.asarray([symbol for _, symbol, _ in changes])
    return times, symbols, np.asarray([weight for _, _, weight in changes], float)
