"""Random numbers: a stream of its own for every symbol and ingredient of a world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barstack.core.seeds import derive_seed


@dataclass(frozen=True)
class Streams:
    """Streams of one symbol; drawing more from one, or adding a symbol, leaves the others alone.

    >>> streams = Streams(7, "W0001")
    >>> int(streams("noise").integers(1000)) == int(streams("noise").integers(1000))
    True
    """

    seed: int
    symbol: str

    def __call__(self, ingredient: str) -> np.random.Generator:
        # Two derived seeds, as one of 31 bits would repeat among the streams of many worlds.
        words = [derive_seed(self.seed, self.symbol, ingredient, part) for part in (0, 1)]
        return np.random.Generator(np.random.PCG64(words))

    def market(self, ingredient: str) -> np.random.Generator:
        """The stream that all symbols of the world share."""
        return Streams(self.seed, "")(ingredient)
