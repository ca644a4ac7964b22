"""What a ledger keeps of bars, to recognise an instrument by its returns."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from barstack.core.arrays import Bools, Floats, Ints
from barstack.core.errors import DataError, StorageError

_UNIT = 1e-5  # of log prices
_US_AN_HOUR = 3_600_000_000
_KEY = 32  # characters of a part's key
_PLANES = 4  # bytes of a number, which compress better when kept apart

# Two sets of bars are of one instrument where returns correlate at least so, at some shift.
_ALIKE = 0.97
_LEAST_DAYS, _LEAST_HOURS = 10, 24  # in common, so that chance makes no match
_SHIFTS = sorted(range(-26, 27), key=abs)  # hours: any time zone, and a day
_COARSE, _HINT = range(-24, 25, 6), 0.6  # what the nearest of these shows of a match between them
_ODD = 8.0  # median absolute returns, beyond which a return is left out


@dataclass(frozen=True, eq=False)
class BarPrint:
    """Closes of one instrument on the hours of UTC, as far as there are any.

    The price itself is not kept, so that a constant factor makes no difference.

    Attributes
    ----------
    hours
        (n_hours,) hours since 1970 at or after the last close of each, ascending.
    levels
        (n_hours,) log price there in units of 1e-5, relative to the first.

    >>> times = np.arange("2026-01-05T10", "2026-01-05T13", dtype="datetime64[h]")
    >>> found = BarPrint.of(times, np.array([100.0, 101.0, 99.0]))
    >>> found.levels.tolist(), len(found)
    ([0, 995, -1005], 3)
    """

    hours: Ints
    levels: Ints

    def __len__(self) -> int:
        return len(self.hours)

    @classmethod
    def of(cls, closed_at: Any, close: Any) -> BarPrint:
        """Of bars.

        closed_at  (n_bars,) datetime64, UTC, ascending
        close      (n_bars,) prices; others than positive ones are left out
        """
        moments = np.asarray(closed_at).astype("datetime64[us]").astype(np.int64)
        prices = np.asarray(close, dtype=np.float64)
        if moments.shape != prices.shape:
            raise DataError(f"There are {len(moments)} times and {len(prices)} closes.")
        good = np.isfinite(prices) & (prices > 0.0)
        hours, logs = -(-moments[good] // _US_AN_HOUR), np.log(prices[good])
        last = np.append(np.diff(hours) > 0, True) if len(hours) else np.zeros(0, dtype=bool)
        levels = np.rint((logs[last] - logs[last][:1]) / _UNIT)
        return cls(hours[last].astype(np.int64), levels.astype(np.int64))

    def parts(self) -> Iterator[bytes]:
        """The print as one byte string for each calendar quarter.

        Of bars that have grown only the newest part differs.
        """
        if not len(self):
            return
        months = self.hours.astype("datetime64[h]").astype("datetime64[M]").astype(np.int64)
        steps = np.diff(self.levels, prepend=self.levels[:1])
        for rows in np.split(np.arange(len(self)), np.nonzero(np.diff(months // 3))[0] + 1):
            hours = self.hours[rows]
            gaps = np.diff(hours, prepend=0)
            numbers = np.concatenate([gaps, steps[rows]]).astype("<i4")
            yield zlib.compress(numbers.view(np.uint8).reshape(-1, _PLANES).T.tobytes(), 6)

    @classmethod
    def from_parts(cls, parts: list[bytes]) -> BarPrint:
        """Inverse of `parts`."""
        hours, steps = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for part in parts:
            planes = np.frombuffer(zlib.decompress(part), dtype=np.uint8).reshape(_PLANES, -1)
            numbers = np.ascontiguousarray(planes.T).view("<i4")[:, 0].astype(np.int64)
            gaps, own = np.split(numbers, 2)
            hours.append(np.cumsum(gaps))
            steps.append(own)
        levels = np.cumsum(np.concatenate(steps))
        return cls(np.concatenate(hours), levels - levels[:1] if len(levels) else levels)

    @cached_property
    def _hourly(self) -> tuple[int, Ints, Ints]:
        """First hour, the level of every hour from there, and how many were seen by then."""
        first, last = int(self.hours[0]), int(self.hours[-1])
        seen = np.zeros(last - first + 1, dtype=np.int64)
        seen[self.hours - first] = 1
        seen = np.cumsum(seen)
        return first, self.levels[seen - 1], seen

    def returns(self, step: int, shift: int = 0) -> tuple[int, Floats, Bools]:
        """Returns over stretches of `step` hours of UTC, after a shift of the clock by `shift`.

        The number of the first stretch, the returns, and which of them have a close of their own.
        """
        first, levels, seen = self._hourly
        start = -(-(first + shift) // step)  # the first boundary that a close precedes
        at = np.arange(start * step - shift - first, len(levels), step)
        if len(at) < 2:
            return start + 1, np.zeros(0), np.zeros(0, dtype=bool)
        found = np.diff(levels[at]).astype(np.float64)
        return start + 1, found, np.diff(seen[at]) > 0


def alike(one: BarPrint, other: BarPrint) -> bool:
    """Whether two prints are of one instrument, quoted either way, on whatever clock and bars.

    Daily returns on common days correlate by 0.97 or more, or by -0.97 or less, after a shift of
    at most 26 hours; where there are fewer than ten such days, hourly returns do. Two instruments
    that move as one, such as two funds on one index, are one here.

    >>> rng = np.random.default_rng(0)
    >>> times = np.arange("2026-01-05", "2026-03-05", dtype="datetime64[h]")
    >>> close = np.exp(rng.normal(0, 0.01, len(times)).cumsum())
    >>> one, inverse = BarPrint.of(times, close), BarPrint.of(times + 5, 7.0 / close)
    >>> alike(one, inverse), alike(one, BarPrint.of(times, close[::-1]))
    (True, False)
    """
    if not len(one) or not len(other):
        return False
    most = max(_SHIFTS)
    if one.hours[0] > other.hours[-1] + most or other.hours[0] > one.hours[-1] + most:
        return False
    coarse = [_correlation(one.returns(24), other.returns(24, shift)) for shift in _COARSE]
    if max(n_days for _, n_days in coarse) >= _LEAST_DAYS:
        if max(found for found, _ in coarse) < _HINT:
            return False
        return _at_some_shift(one, other, 24, _LEAST_DAYS)
    return _at_some_shift(one, other, 1, _LEAST_HOURS)


def _at_some_shift(one: BarPrint, other: BarPrint, step: int, least: int) -> bool:
    own = one.returns(step)
    for shift in _SHIFTS:
        found, n_common = _correlation(own, other.returns(step, shift))
        if n_common >= least and found >= _ALIKE:
            return True
    return False


def _correlation(
    one: tuple[int, Floats, Bools], other: tuple[int, Floats, Bools]
) -> tuple[float, int]:
    """Absolute correlation of returns over the stretches that both have, and their number."""
    begin = max(one[0], other[0])
    end = min(one[0] + len(one[1]), other[0] + len(other[1]))
    if end <= begin:
        return 0.0, 0
    parts = [
        (values[begin - first : end - first], own[begin - first : end - first])
        for first, values, own in (one, other)
    ]
    both = parts[0][1] & parts[1][1]
    for values, _ in parts:  # a split or a bad print decides nothing
        if both.any():
            size = np.abs(values)
            both &= size <= (_ODD * np.median(size[both]) or size.max())
    n_common = int(both.sum())
    if n_common < 3:
        return 0.0, n_common
    x, y = (values[both] - values[both].mean() for values, _ in parts)
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return (abs(float(x @ y)) / scale if scale else 0.0), n_common


def to_contents(prints: Mapping[str, BarPrint]) -> tuple[str, dict[str, bytes]]:
    """Key of prints by symbol, and all that is to be kept for it, by key."""
    contents: dict[str, bytes] = {}
    lines = []
    for symbol in sorted(prints):
        keys = []
        for part in prints[symbol].parts():
            keys.append(key_of(part))
            contents[keys[-1]] = part
        lines.append(f"{symbol}\t{' '.join(keys)}")
    index = "\n".join(lines).encode()
    return key_of(index), contents | {key_of(index): index}


def part_keys(index: bytes) -> dict[str, list[str]]:
    """Keys of the parts by symbol."""
    lines = (line.partition("\t") for line in index.decode().split("\n") if line)
    return {symbol: keys.split() for symbol, _, keys in lines}


def key_of(content: bytes) -> str:
    """By which what is kept of bars is found, and checked."""
    return hashlib.sha256(content).hexdigest()[:_KEY]


def checked(contents: Mapping[str, bytes], keys: set[str], where: str) -> None:
    """`StorageError` where something is missing or not what was kept."""
    for key in sorted(keys):
        if key not in contents:
            raise StorageError(f"The ledger {where} was altered: bars {key} are missing.")
        if key_of(contents[key]) != key:
            raise StorageError(f"The ledger {where} was altered: bars {key} are not what was kept.")
