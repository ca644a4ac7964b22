"""As much of a file as it takes to guess how to read it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ._files import batches
from ._layout import Layout

# Years of minutes for one symbol. What is read later must still agree with what was guessed.
_SAMPLE_BYTES = 24 << 20
_SAMPLE_ROWS = 400_000


def sample(file: Path, layout: Layout) -> pl.DataFrame:
    """The table, or its beginning where it is long."""
    return next(batches(file, layout, block_bytes=_SAMPLE_BYTES, block_rows=_SAMPLE_ROWS))
