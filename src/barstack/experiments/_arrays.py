"""Tables of decisions as folders of plain arrays.

Large arrays are mapped into memory rather than read: processes that load the same ones share them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.arrays import Array
from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt

_MAPPED_BYTES = 2**20  # below, a map costs more than a copy


def save_arrays(folder: Path, decisions: Decisions, **arrays: Any) -> None:
    """Write arrays of the same decisions into a folder."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    np.save(folder / "symbol_code.npy", decisions.symbol_code, allow_pickle=False)
    np.save(folder / "decided_at.npy", decisions.decided_at, allow_pickle=False)
    (folder / "symbols.json").write_text(json.dumps(decisions.symbols))


def load_arrays(folder: Path) -> tuple[Decisions, dict[str, Any]]:
    """Read what `save_arrays` wrote."""
    arrays = {file.stem: load_array(file) for file in folder.glob("*.npy")}
    symbols = tuple(json.loads((folder / "symbols.json").read_text()))
    decided_at = DecidedAt(arrays.pop("decided_at"))
    return Decisions(symbols, arrays.pop("symbol_code"), decided_at), arrays


def load_array(file: Path) -> Array:
    """An array from a file, mapped where it is large.

    A process that writes into it gets its own copy of what it changes: neither the file nor another
    process sees that. The file must not be written again, as those of results never are.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "values.npy"
    >>> np.save(file, np.zeros(200_000))
    >>> found = load_array(file)
    >>> found[0] = 1.0
    >>> load_array(file)[0]
    np.float64(0.0)
    """
    large = file.stat().st_size >= _MAPPED_BYTES
    # Not "r": compiled code takes only arrays that it may write to.
    found: Array = np.load(file, mmap_mode="c" if large else None, allow_pickle=False)
    return np.asarray(found)
