"""Foreign tables: how they are laid out, guessed and shown, never silently."""

from ._clue import Clue, Given
from ._files import ENDINGS, batches, ending_of, stem_of
from ._find import find_files, is_pattern
from ._guess import Guess, guess, sentence
from ._layout import ZEROS, Layout, Reading
from ._markets import MARKETS, fit
from ._named import named_table
from ._together import together

__all__ = [
    "ENDINGS",
    "MARKETS",
    "ZEROS",
    "Clue",
    "Given",
    "Guess",
    "Layout",
    "Reading",
    "batches",
    "ending_of",
    "find_files",
    "fit",
    "guess",
    "is_pattern",
    "named_table",
    "sentence",
    "stem_of",
    "together",
]
