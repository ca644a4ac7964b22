"""Foreign tables and files: how they are read and guessed, and their import into a catalog."""

from ._files import ENDINGS, batches, ending_of, find_files, is_pattern, stem_of
from ._guess import Guess, guess, sentence
from ._import import LOG, Import, Outcome, run_import
from ._layout import ZEROS, Clue, Given, Layout, Reading
from ._markets import MARKETS, fit
from ._plan import Plan, plan_import, preview
from ._repairs import Repairs
from ._tables import named_table, together

__all__ = [
    "ENDINGS",
    "LOG",
    "MARKETS",
    "ZEROS",
    "Clue",
    "Given",
    "Guess",
    "Import",
    "Layout",
    "Outcome",
    "Plan",
    "Reading",
    "Repairs",
    "batches",
    "ending_of",
    "find_files",
    "fit",
    "guess",
    "is_pattern",
    "named_table",
    "plan_import",
    "preview",
    "run_import",
    "sentence",
    "stem_of",
    "together",
]
