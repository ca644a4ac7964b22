"""Training labels that share a return step with a tested label, at a horizon of twelve bars.

    .venv/bin/python benchmarks/overlap.py
    .venv/bin/python benchmarks/overlap.py --data DIR

Every splitter of ours with its default settings, on all symbols together and on each alone, beside
scikit-learn's TimeSeriesSplit and skfolio's CombinatorialPurgedCV with theirs, which cut one table
of rows. `--data` takes a folder of parquet files in place of ../shared/data/us_equities_5m.
Nothing is drawn by chance; `--seed` chooses which symbols are taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

import numpy as np
from _benchmark import HERE, arguments, at_least, at_most, finish
from skfolio.model_selection import CombinatorialPurgedCV
from sklearn.model_selection import TimeSeriesSplit

from barstack.bars import PROVIDERS, Bars
from barstack.core.decisions import Rows
from barstack.features import named_set
from barstack.labels import LABELS, LabelTable
from barstack.splits import SPLITTERS, memory_bars
from barstack.testing import shared_steps

HORIZON = 12
SYMBOLS = 4
SHARED = HERE.parent.parent / "shared" / "data" / "us_equities_5m"
Folds = Iterable[tuple[Rows, Rows]]


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


def main() -> None:
    parser = arguments((__doc__ or "").splitlines()[0])
    parser.add_argument("--calendar", default="XNYS")
    options = parser.parse_args()
    folder = options.data or SHARED
    names = sorted(file.stem for file in folder.glob("*.parquet"))
    chosen = np.random.default_rng(options.seed).permutation(names)[:SYMBOLS]
    source = {"provider": "files", "path": str(folder.resolve()), "symbols": sorted(chosen)}
    panel = PROVIDERS.parse(source | {"calendar": options.calendar}).load()
    label = LABELS.parse({"label": "return", "horizons": [HORIZON]})
    tables = {symbol: label.compute(bars) for symbol, bars in panel.items()}
    features = named_set("fast25", next(iter(panel.values())).length_us)
    memory = memory_bars(features, panel)

    found = {
        f"barstack {name}": [
            *overlaps(together := label.compute(panel), ours(name, together, memory)),
            *(n for table in tables.values() for n in overlaps(table, ours(name, table, memory))),
        ]
        for name in SPLITTERS.names()
    }
    found |= {
        name: [n for table in tables.values() for n in overlaps(table, theirs(splitter, table))]
        for name, splitter in (
            ("scikit-learn TimeSeriesSplit", TimeSeriesSplit()),
            ("skfolio CombinatorialPurgedCV", CombinatorialPurgedCV()),
        )
    }
    _report(panel, memory, found)


def _report(panel: Mapping[str, Bars], memory: int, found: Mapping[str, list[int]]) -> None:
    bars = sum(len(each) for each in panel.values())
    print(f"{', '.join(panel)}: {bars:,} bars. Horizon {HORIZON} bars, features of {memory} bars.")
    print(f"{'splitter':<32}{'folds':>6}{'most':>6}{'median':>8}")
    for name, counts in found.items():
        print(f"{name:<32}{len(counts):>6}{max(counts):>6}{median(counts):>8g}")
    own = max(max(counts) for name, counts in found.items() if name.startswith("barstack"))
    finish(
        "overlap",
        {
            "overlap_default": at_most(own, 0),
            "splitters": at_least(sum(name.startswith("barstack") for name in found), 4),
        },
        {
            "horizon_bars": HORIZON,
            "memory_bars": memory,
            "symbols": list(panel),
            "most_shared_in_a_fold": {name: max(counts) for name, counts in found.items()},
            "folds": {name: len(counts) for name, counts in found.items()},
        },
    )


if __name__ == "__main__":
    main()
