"""The one question that every run asks, answered without SQLAlchemy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ._ledger_file import NAME, open_to_read


def file_has_run(where: str | Path, run_id: str) -> bool | None:
    """Whether a folder's database knows a run; None where there is no such table or file."""
    if isinstance(where, str) and "://" in where:
        return None
    file = Path(where) / NAME
    if not file.is_file():
        return False
    try:
        with closing(open_to_read(file)) as database:
            query = "SELECT 1 FROM ensembles WHERE run_id = ? LIMIT 1"
            return database.execute(query, (run_id,)).fetchone() is not None
    except sqlite3.Error:
        return None  # which the slower way explains
