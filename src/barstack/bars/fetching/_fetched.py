"""What a fetch did, symbol by symbol."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from barstack.core.times import iso

from ._patience import Tries
from ._stretches import Stretch


@dataclass
class FetchedSymbol:
    """What was asked for one symbol and what arrived.

    asked       stretches that were missing, microseconds UTC; empty when nothing was
    pages       answers stored
    new, same, revised  bars that were not there, were there already, were replaced
    disordered  pages whose rows came out of order and were sorted
    repeats     rows that said again what another row of the page had said, dropped
    tries       requests, retries and seconds waited
    error       why it could not be finished, in a sentence; None when it was
    """

    asked: list[Stretch] = field(default_factory=list)
    pages: int = 0
    new: int = 0
    same: int = 0
    revised: int = 0
    disordered: int = 0
    repeats: int = 0
    tries: Tries = field(default_factory=Tries)
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        plain: dict[str, Any] = asdict(self)
        counts: dict[str, Any] = plain.pop("tries")
        plain["asked"] = [[_iso(begin), _iso(end)] for begin, end in self.asked]
        return plain | counts


@dataclass
class Fetched:
    """What `fetch` did, for each symbol in the order asked; kept in collection `collection`."""

    collection: str
    symbols: dict[str, FetchedSymbol]

    @property
    def errors(self) -> dict[str, str]:
        """Sentences of the symbols that could not be finished."""
        return {name: each.error for name, each in self.symbols.items() if each.error}

    @property
    def new(self) -> int:
        """Bars that were not there before, of all symbols."""
        return sum(each.new for each in self.symbols.values())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        symbols = {name: each.to_json() for name, each in self.symbols.items()}
        return {"collection": self.collection, "symbols": symbols}


def _iso(time_us: int) -> str:
    return iso(np.datetime64(time_us, "us"))
