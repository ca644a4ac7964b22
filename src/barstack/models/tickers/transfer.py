"""A model for each ticker, begun from the most alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from barstack.core.arrays import Floats
from barstack.core.forecast import Target
from barstack.core.seeds import derive_seed

from .._arrays import damaged, require
from .._calls import fit, update
from .._model import EVERY_TASK, register
from ._alike import Profile, likeness
from ._by_ticker import ByTicker, Rows, Tickers

_FILE = "alike.json"


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


@register("transfer", family="tickers", tasks=EVERY_TASK)
class Transfer(ByTicker):
    """A fit for each ticker that learns on from the most alike among those with more rows.

    Tickers are alike whose labels rise and fall on the same days and are large at the same hours,
    in training rows alone. `learned.shared.table()` of a fitted model says how much. One that is
    like none of the others is trained alone: what holds of a stranger has to be unlearned first.
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
        self, rows: Mapping[str, Rows], target: Target, seed: int, known: Tickers
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
                fit(self.of, each.train, each.stop, target, own_seed)
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
