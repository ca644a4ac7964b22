"""A sweep whose workers and parents are killed a hundred times: the table is that of a calm one.

`kills_differ` counts rows of the final table, times aside, that are not as in an undisturbed sweep,
and forecasts that are not the same to the byte. `kills_lost` counts trials and completed
experiments that are missing from the ledger and from the tracking database.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from _benchmark import HERE, arguments, at_least, at_most, finish

from barstack.experiments import Sweep
from barstack.testing import walk
from barstack.tracking import ExperimentTracker, SqliteStore

sys.path.insert(0, str(HERE.parent))
from tests.conftest import table_of
from tests.experiments.sweep_kills import Sweeping, figures, kill_at_random

PENALTIES, HORIZONS, SLOW_S = 60, (1, 4), 0.15


def write_sweep(folder: Path) -> Path:
    """A sweep of 120 experiments on a few hundred bars."""
    (folder / "bars").mkdir()
    table: pl.DataFrame = table_of(walk(400))
    table.write_parquet(folder / "bars" / "WALK.parquet")
    sweep = Sweep(
        study={
            "bars": {"provider": "files", "path": "bars"},
            "features": ["rsi", "body"],
            "split": {"split": "walk_forward", "folds": 2},
        },
        grid={
            "model": ["ridge"],
            "horizon": list(HORIZONS),
            "model.penalty": list(range(1, PENALTIES + 1)),
        },
    )
    file = folder / "sweep.yaml"
    file.write_text(sweep.to_yaml())
    return file


def forecasts(runs: Path) -> dict[str, bytes]:
    """Of every experiment, by key."""
    return {file.name: file.read_bytes() for file in (runs / ".store/forecasts").glob("*.parquet")}


def main() -> None:
    """Kill, start again, compare; several sweeps where one ends before its share of kills."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--kills", type=int, default=100)
    options = parser.parse_args()
    draw, began = random.Random(options.seed), time.monotonic()
    count, differ, lost, sweeps = {"worker": 0, "parent": 0}, 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        calm = Path(name) / "calm"
        calm.mkdir()
        sweeping = Sweeping(calm, write_sweep(calm), "--json")
        code, out, err = sweeping.ended()
        assert code == 0, err
        expected, expected_bytes = figures(out), forecasts(sweeping.runs)
        while sum(count.values()) < options.kills:
            folder = Path(name) / f"killed{sweeps}"
            folder.mkdir()
            left = options.kills - sum(count.values())
            seed = draw.randrange(10**6)
            rows, killed = kill_at_random(folder, write_sweep(folder), left, seed, SLOW_S)
            for what in count:
                count[what] += killed[what]
            differ += sum(a != b for a, b in zip(rows, expected, strict=True))
            found = forecasts(folder / "runs")
            differ += sum(found.get(key) != content for key, content in expected_bytes.items())
            store = SqliteStore(folder / "runs")
            store.verify()
            lost += len(expected) - len(store.trials())
            statuses = list(ExperimentTracker(folder / "runs").statuses().values())
            lost += len(expected) - statuses.count("completed")
            sweeps += 1
            print(f"{count} in {sweeps} sweep(s), {differ} differ, {lost} lost", flush=True)
    bars = {
        "kills": at_least(sum(count.values()), options.kills),
        "kills_differ": at_most(differ, 0),
        "kills_lost": at_most(lost, 0),
    }
    finish("sweep_kills", bars, {**count, "sweeps": sweeps, "s": time.monotonic() - began})


if __name__ == "__main__":
    main()
