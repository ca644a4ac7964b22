"""A model for each ticker, begun from the most alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats, Ints
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed
from barstack.datasets import Samples

from .._arrays import damaged, require
from .._model import EVERY_TASK, register
from ..training._calls import fit, update
from ._by_ticker import ByTicker, TickerRows, Tickers

_FILE = "alike.json"
_FEWEST = 20  # days in common, below which a correlation of them says nothing
_DAY, _HOUR = "datetime64[D]", "datetime64[h]"


class Profile(NamedTuple):
    """What one ticker's labels at the nearest horizon look like.

    days     (n_days,) UTC days, counted from 1970
    daily    (n_days,) mean label of each
    by_hour  (24,) mean size of labels decided in each hour of the UTC day, 0 where none was
    """

    days: Ints
    daily: Floats
    by_hour: Floats

    @classmethod
    def of(cls, samples: Samples, target: Target) -> Profile:
        """Of a ticker's own samples."""
        assert samples.decisions is not None  # which rows of tickers have
        decided = samples.decisions.decided_at[samples.rows]
        # Classes as signs: down, nothing, up.
        middle = {"direction": 0.5, "three_class": 1.0}.get(target.task, 0.0)
        labels = samples.y[:, 0] - middle
        days, at = np.unique(decided.astype(_DAY).astype(np.int64), return_inverse=True)
        hour = decided.astype(_HOUR).astype(np.int64) % 24
        return cls(days, _mean(labels, at, len(days)), _mean(np.abs(labels), hour, 24))


def likeness(one: Profile, other: Profile) -> float:
    """From -1 to 1: the mean of two correlations, of daily labels and of volatility by the hour.

    The first is over days that both have, and left out if these are fewer than 20; the second
    over hours that both have, and left out where either's size of labels is the same in all of
    them. 0 where neither can be computed.

    >>> days = np.arange(40)
    >>> up, flat = np.sin(days), np.ones(24)
    >>> likeness(Profile(days, up, flat), Profile(days, 3.0 * up, flat))
    1.0
    >>> likeness(Profile(days, up, flat), Profile(days + 40, up, flat))
    0.0
    >>> few = Profile(days[:9], up[:9], np.arange(24.0))
    >>> likeness(few, few)
    1.0
    """
    _, first, second = np.intersect1d(one.days, other.days, return_indices=True)
    daily = _correlation(one.daily[first], other.daily[second]) if len(first) >= _FEWEST else None
    hours = (one.by_hour > 0.0) & (other.by_hour > 0.0)
    by_hour = _correlation(one.by_hour[hours], other.by_hour[hours])
    found = [each for each in (daily, by_hour) if each is not None]
    return sum(found) / len(found) if found else 0.0


def _correlation(one: Floats, other: Floats) -> float | None:
    if len(one) < 3 or np.ptp(one) == 0.0 or np.ptp(other) == 0.0:
        return None
    return round(float(np.corrcoef(one, other)[0, 1]), 12)  # so that rounding breaks no tie


def _mean(values: Floats, group: Ints, count: int) -> Floats:
    size = np.bincount(group, minlength=count)
    total = np.bincount(group, values, minlength=count)
    return np.asarray(np.divide(total, size, out=np.zeros(count), where=size > 0))


@dataclass(frozen=True, eq=False)
class Alike:
    """Every ticker's profile, and from which other it was begun, if from any."""

    profiles: Mapping[str, Profile]
    begun_from: Mapping[str, str | None]

    def table(self) -> tuple[tuple[str, ...], Floats]:
        """The tickers, and (n_tickers, n_tickers) how alike any two of them are."""
        symbols = tuple(self.profiles)
        every = self.profiles.values()
        return symbols, np.array([[likeness(one, other) for other in every] for one in every])


@register("transfer", family="wrappers", tasks=EVERY_TASK)
class Transfer(ByTicker):
    """A fit for each ticker that learns on from the most alike among those with more rows.

    Tickers are alike whose labels rise and fall on the same days and are large at the same hours,
    in training rows alone. `learned.shared.table()` of a fitted model says how much. One that is
    like none of the others is trained alone: what holds of a stranger has to be unlearned first.

    >>> Transfer(of="lightgbm", least_likeness=0.7).of.registered_as
    ('model', 'lightgbm')
    """

    least_likeness: float = Field(
        0.5, ge=-1, le=1, description="likeness, -1 to 1, below which a ticker is fitted alone"
    )

    @model_validator(mode="after")
    def _learns_on(self) -> Self:
        if not self.of.updates:
            raise self.of.cannot_update()
        return self

    def fit_tickers(
        self,
        rows: Mapping[str, TickerRows],
        target: Target,
        seed: int,
        known: Tickers,
        **options: Any,
    ) -> Tickers:
        own = dict(known.own)
        profiles = dict(known.shared.profiles) if known.shared else {}
        begun_from = dict(known.shared.begun_from) if known.shared else {}
        for symbol in sorted(rows, key=lambda each: (-len(rows[each].train), each)):
            each, profile = rows[symbol], Profile.of(rows[symbol].train, target)
            own_seed = derive_seed(seed, symbol)
            alike = {other: likeness(profile, its) for other, its in profiles.items()}
            alike = {other: how for other, how in alike.items() if how >= self.least_likeness}
            nearest = max(alike, key=alike.__getitem__, default=None)
            learned = (
                fit(self.of, each.train, each.stop, target, own_seed, **options)
                if nearest is None
                else update(self.of, own[nearest].learned, each.train, each.stop, target, own_seed)
            )
            own[symbol], profiles[symbol] = each.ticker(learned), profile
            begun_from[symbol] = nearest
        return Tickers(own, Alike(profiles, begun_from))

    def save_shared(self, shared: Alike, folder: Path) -> None:
        each = {
            symbol: {
                "begun_from": shared.begun_from[symbol],
                **{name: values.tolist() for name, values in profile._asdict().items()},
            }
            for symbol, profile in shared.profiles.items()
        }
        (folder / _FILE).write_text(json.dumps(each, indent=1))

    def load_shared(self, folder: Path, target: Target) -> Alike:
        file = folder / _FILE
        try:
            read = json.loads(file.read_text())
            profiles = {
                str(symbol): Profile(
                    np.array(each["days"], np.int64),
                    np.array(each["daily"], float),
                    np.array(each["by_hour"], float),
                )
                for symbol, each in read.items()
            }
            begun_from = {str(symbol): each["begun_from"] for symbol, each in read.items()}
        except (OSError, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise damaged(file, repr(error)[:200]) from None
        for days, daily, by_hour in profiles.values():
            fits = days.shape == daily.shape and days.ndim == 1 and by_hour.shape == (24,)
            fits = fits and bool(np.isfinite(daily).all() and np.isfinite(by_hour).all())
            require(file, fits, "a ticker's profile is not whole")
        return Alike(profiles, begun_from)
