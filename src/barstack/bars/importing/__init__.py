"""Foreign tables and files: how they are read and guessed, and their import into a catalog."""

from ._files import batches, find_files
from ._guess import Guess, guess, sentence
from ._guess_columns import guess_prices, guess_symbol_column, guess_volume
from ._import import LOG, Import, ImportOutcome, run_import
from ._layout import Clue, Layout, Reading
from ._markets import MARKETS, fit_hours
from ._plan import Plan, plan_import, preview
from ._repairs import Repairs
from ._tables import named_table, together

__all__ = [
    "LOG",
    "MARKETS",
    "Clue",
    "Guess",
    "Import",
    "ImportOutcome",
    "Layout",
    "Plan",
    "Reading",
    "Repairs",
    "batches",
    "find_files",
    "fit_hours",
    "guess",
    "guess_prices",
    "guess_symbol_column",
    "guess_volume",
    "named_table",
    "plan_import",
    "preview",
    "run_import",
    "sentence",
    "together",
]
