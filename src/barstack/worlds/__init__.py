"""Worlds: simulated markets whose best possible forecast is known."""

from ._like_bars import world_like
from ._likeness import Likeness, likeness
from ._noise import NOISES, Noise
from ._regimes import RegimeTruth
from ._store import store, stored, table_of
from ._truth import Estimate, Figure, Realised, Truth
from ._world import WORLDS, Made, World, register
from .kinds import Planted

__all__ = [
    "NOISES",
    "WORLDS",
    "Estimate",
    "Figure",
    "Likeness",
    "Made",
    "Noise",
    "Planted",
    "Realised",
    "RegimeTruth",
    "Truth",
    "World",
    "likeness",
    "register",
    "store",
    "stored",
    "table_of",
    "world_like",
]
