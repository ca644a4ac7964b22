"""Foreign tables and files: how they are read and guessed, and their import into a catalog."""

from ._files import batches, find_files, is_text, opened
from ._guess import Guess, guess, sentence
from ._guess_columns import guess_prices, guess_symbol_column, guess_volume, plain
from ._guess_times import guess_time, how_written
from ._import import LOG, Import, ImportOutcome, run_import
from ._layout import ZEROS, Clue, Layout, Reading
from ._markets import MARKETS, fit_hours
from ._plan import Plan, plan_import, preview
from ._repairs import Repairs
from ._tables import joined, named_table, parse_numbers, parse_times, together

__all__ = [
    "LOG",
    "MARKETS",
    "ZEROS",
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
    "guess_time",
    "guess_volume",
    "how_written",
    "is_text",
    "joined",
    "named_table",
    "opened",
    "parse_numbers",
    "parse_times",
    "plain",
    "plan_import",
    "preview",
    "run_import",
    "sentence",
    "together",
]
