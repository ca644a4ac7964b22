"""Training labels that share a return step with a tested label, at a horizon of twelve bars.

Every splitter of ours with its default settings, on all symbols together and on each alone, beside
scikit-learn's TimeSeriesSplit and skfolio's CombinatorialPurgedCV with theirs, which cut one table
of rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from _audit_bars import Source, load
from skfolio.model_selection import CombinatorialPurgedCV
from sklearn.model_selection import TimeSeriesSplit

from barstack.core.arrays import Rows
from barstack.features import named_set
from barstack.labels import LABELS, LabelTable
from barstack.splits import SPLITTERS, memory_bars
from barstack.testing import shared_steps

HORIZON = 12
SYMBOLS = 4
OURS = "barstack "
Folds = Iterable[tuple[Rows, Rows]]


def most_shared(source: Source, seed: int) -> dict[str, list[int]]:
    """For each splitter and fold, how many training labels share a step with a tested one."""
    folder, calendar = source.intraday[0]
    files = np.random.default_rng(seed).permutation(sorted(folder.glob("*.parquet")))[:SYMBOLS]
    panel = {bars.symbol: bars for bars in (load(file, calendar) for file in sorted(files))}
    label = LABELS.parse({"label": "return", "horizons": [HORIZON]})
    together = label.compute(panel)
    alone = [label.compute(bars) for bars in panel.values()]
    features = named_set("fast25", next(iter(panel.values())).length_us)
    memory = memory_bars(features, panel)
    found = {
        f"{OURS}{name}": [
            n for table in (together, *alone) for n in overlaps(table, ours(name, table, memory))
        ]
        for name in SPLITTERS.names()
    }
    for splitter in (TimeSeriesSplit(), CombinatorialPurgedCV()):
        name = f"{type(splitter).__module__.partition('.')[0]} {type(splitter).__name__}"
        found[name] = [n for table in alone for n in overlaps(table, theirs(splitter, table))]
    return found


def overlaps(table: LabelTable, folds: Folds) -> list[int]:
    """For each fold, training labels that share a step with a tested one."""
    known_at = table.all_known_at
    return [shared_steps(table.decisions, known_at, train, test) for train, test in folds]


def ours(name: str, table: LabelTable, memory: int) -> Folds:
    folds = SPLITTERS.parse(name).split(table.decisions, table.all_known_at, memory_bars=memory)
    return [(fold.train, fold.test) for fold in folds]


def theirs(splitter: Any, table: LabelTable) -> Folds:
    """Of the rows whose label is known, as people drop the others."""
    rows = np.flatnonzero(~np.isnat(table.all_known_at))
    for train, test in splitter.split(np.zeros((len(rows), 1))):
        tested = np.concatenate(test) if isinstance(test, list) else test
        yield rows[train], rows[tested]
