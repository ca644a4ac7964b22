"""The catalog at size, at hand, and killed.

    python benchmarks/bars.py [--seed N] [--data DIR] [--only PART]

50 million bars of a world go in and come out point-in-time in bounded memory. The last 500 bars of
one symbol of a thousand are read. Processes that import and fetch are killed 200 times. pandas and
DuckDB do the same work on the same machine in the same run. `--data` is a folder of parquet bars
for the kills.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _benchmark import arguments, at_most, finish

sys.path.append(str(Path(__file__).parents[1]))  # the kills are those of the tests


def scale(folder: Path, seed: int) -> dict[str, Any]:
    """Figures of 50 million bars."""
    import _bars_scale as of  # noqa: PLC0415 (each part imports what it needs)

    folder.mkdir()
    figures: dict[str, Any] = {"bars": of.SYMBOLS * of.BARS, "symbols": of.SYMBOLS}
    steps: dict[str, tuple[Any, ...]] = {
        "import": (of.bring_in, folder, seed),
        "others_import": (of.others_bring_in, folder, seed),
        "read": (of.read_bars, folder),
        "scan": (of.scan, folder),
        "pandas": (of.scan_pandas, folder),
        "duckdb": (of.scan_duckdb, folder),
    }
    for name, step in steps.items():
        figures[name] = of.measured(*step)
        print(f"{name}: {figures[name]}", flush=True)
    figures["disk_gib"] = round(of.on_disk_gib(folder / of.NAME), 2)
    same = {(figures[name]["rows"], round(figures[name]["volume"])) for name in list(steps)[2:]}
    assert len(same) == 1, f"they read different rows: {same}"
    return figures


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--only", choices=["scale", "newest", "kills"], help="one part alone")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    bars: dict[str, dict[str, float]] = {}
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if options.only in (None, "scale"):
            figures["scale"] = found = scale(folder / "scale", options.seed)
            peak = max(found[step]["peak_gib"] for step in ("import", "read", "scan"))
            bars["peak_gib_50m"] = at_most(peak, 4)
            shutil.rmtree(folder / "scale")
        if options.only in (None, "newest"):
            from _bars_newest import newest  # noqa: PLC0415

            figures["newest_500_of_1000_symbols"] = found = newest(folder / "new", options.seed)
            bars["last500_ms"] = at_most(found["ours_ms"], 10)
            print(f"newest: {found}", flush=True)
            shutil.rmtree(folder / "new")
        if options.only in (None, "kills"):
            from _bars_kills import kill_all  # noqa: PLC0415

            outcomes = kill_all(folder / "kills", options.data, options.seed)
            figures["kills"] = {name: each.figures() for name, each in outcomes.items()}
            bars["lost_after_kills"] = at_most(sum(o.damage.total for o in outcomes.values()), 0)
            for name, outcome in outcomes.items():
                print(f"kills during {name}: {outcome.figures()}")
                print(*outcome.damage.notes, sep="\n")
    figures["benchmark_s"] = round(time.perf_counter() - begun)
    if options.only is None:
        finish("bars", bars, figures)
    print(bars)  # a part alone is no result to keep


if __name__ == "__main__":
    main()
