"""Worlds: markets made up so that the best possible forecast is known."""

from ._figures import Known
from ._likeness import Likeness, likeness
from ._noise import NOISES, Noise
from ._planted import Planted
from ._store import store, stored, table_of
from ._truth import Figure, Realised, Truth
from ._world import WORLDS, Made, World, register

__all__ = [
    "NOISES",
    "WORLDS",
    "Figure",
    "Known",
    "Likeness",
    "Made",
    "Noise",
    "Planted",
    "Realised",
    "Truth",
    "World",
    "likeness",
    "register",
    "store",
    "stored",
    "table_of",
]
