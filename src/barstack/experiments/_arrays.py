"""Tables of decisions as folders of plain arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from barstack.core.decisions import Decisions
from barstack.core.times import DecidedAt


def save_arrays(folder: Path, decisions: Decisions, **arrays: Any) -> None:
    """Write arrays of the same decisions into a folder."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    np.save(folder / "symbol_code.npy", decisions.symbol_code, allow_pickle=False)
    np.save(folder / "decided_at.npy", decisions.decided_at, allow_pickle=False)
    (folder / "symbols.json").write_text(json.dumps(decisions.symbols))


def load_arrays(folder: Path) -> tuple[Decisions, dict[str, Any]]:
    """Read what `save_arrays` wrote."""
    arrays = {file.stem: np.load(file, allow_pickle=False) for file in folder.glob("*.npy")}
    symbols = tuple(json.loads((folder / "symbols.json").read_text()))
    decided_at = DecidedAt(arrays.pop("decided_at"))
    return Decisions(symbols, arrays.pop("symbol_code"), decided_at), arrays
