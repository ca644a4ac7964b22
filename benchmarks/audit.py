"""The leak audit: planted leaks, each caught and located, and honest pipelines left alone.

    python benchmarks/audit.py [--seed N] [--clean N] [--data DIR] [--processes N]

Each mistake is planted in a small pipeline of its own, and each honest pipeline is drawn from
the same variety of bars, symbols, features, labels, splits and fits. Then the training labels
that share a return step with a tested one, of our splitters and others, all as they come; and what
every run says of 96 asymmetric barriers and of 234 pairs of a label and a file. The seed draws
everything; --data takes a folder of intraday parquet files instead of the usual bars.
"""

from __future__ import annotations

import json
import multiprocessing
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import _audit_data_leaks  # noqa: F401 (enters its mistakes)
import _audit_feature_leaks  # noqa: F401 (enters its mistakes)
import _audit_row_leaks  # noqa: F401
import numpy as np
from _audit_bars import Source
from _audit_clean import clean
from _audit_data_odd import DATA_ODD
from _audit_labels import barrier_settings, honest_pairs, refused
from _audit_leaks import LEAKS
from _audit_overlap import HORIZON, OURS, most_shared
from _benchmark import arguments, at_least, at_most, finish

from barstack.evaluation.audit import Data, Pipeline, hunt, incoherent

CLEAN = 100


def planted(task: tuple[str, int, Path | None]) -> dict[str, Any]:
    """One mistake: whether it is caught, and where it is found."""
    name, seed, folder = task
    case = LEAKS[name](np.random.default_rng([seed, zlib.crc32(name.encode())]), Source(folder))
    begin = time.perf_counter()
    leaks = list(hunt(case.pipeline, case.data))
    found = [each for each in leaks if each.stage == case.stage]
    if case.column is not None:
        found = [each for each in found if each.column == case.column]
    return {
        "name": name,
        "caught": bool(leaks),
        "located": bool(found),
        "stage": found[0].stage if found else f"not {case.stage}",
        "column": found[0].column if found else str(case.column),
        "first": str(found[0].at)[:16] if found else "",
        "what": str(found[0]) if found else "",
        "symbols": list(case.data.panel),
        "elsewhere": sorted({f"{each.stage}/{each.column}" for each in leaks if each not in found}),
        "seconds": round(time.perf_counter() - begin, 2),
    }


def honest(task: tuple[int, int, Path | None]) -> dict[str, Any]:
    """One honest pipeline: what the audit says of it, which should be nothing."""
    number, seed, folder = task
    pipeline, data, about = clean(np.random.default_rng([seed, 1_000_000 + number]), Source(folder))
    return audited(pipeline, data, about)


def odd_data(task: tuple[str, int, Path | None]) -> dict[str, Any]:
    """The same of one with odd labels, columns or bars."""
    name, seed, folder = task
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return audited(*DATA_ODD[name](rng, Source(folder)), name)


def audited(pipeline: Pipeline, data: Data, about: str) -> dict[str, Any]:
    """What the audit says, in full, and how long it takes."""
    begin = time.perf_counter()
    leaks = [str(each) for each in hunt(pipeline, data)]
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    list(hunt(pipeline, data, short=True))
    return {
        "about": about,
        "leaks": leaks,
        "seconds": round(seconds, 2),
        "short_s": round(time.perf_counter() - begin, 3),
    }


def coherent_alarms(rng: np.random.Generator, n: int = 2000) -> tuple[int, int]:
    """Figures of simulated forecasts called incoherent, and how many were simulated.

    Correlations from none to strong; normal and Student t noise, forecasts and returns of one
    volatility that changes, bets on the forecast.
    """
    alarms = 0
    for trial in range(n):
        size = int(rng.choice([100, 400, 2000, 10_000]))
        rho = float(rng.choice([0.0, 0.02, 0.1, 0.3, 0.6]))
        tails = (np.inf, 3.0, 4.0)[trial % 3]
        draws = rng.normal(size=(2, size)) if np.isinf(tails) else rng.standard_t(tails, (2, size))
        forecast, noise = draws / draws.std(axis=1, keepdims=True)
        if trial % 2:  # volatility that both share
            forecast, noise = (
                each * np.exp(0.5 * np.sin(np.arange(size) / 20)) for each in (forecast, noise)
            )
        returns = rho * forecast + np.sqrt(1.0 - rho**2) * noise
        said = rho * forecast + 1e-12 * rng.normal(size=size)
        profit = np.clip(said / (said.std() + 1e-15), -3, 3) * returns
        alarms += bool(
            incoherent(
                r2=float(1.0 - np.mean((returns - said) ** 2) / returns.var()),
                ic=float(np.corrcoef(said, returns)[0, 1]),
                directional_accuracy=float(np.mean((said > 0) == (returns > 0))),
                sharpe=float(profit.mean() / profit.std() * np.sqrt(252)),
                periods_per_year=252,
                n=size,
            )
        )
    return alarms, n


def table(rows: list[dict[str, Any]]) -> str:
    """Aligned: leak, caught, stage, column, first timestamp."""
    columns = ("name", "caught", "stage", "column", "first")
    cells = [
        ("leak", "caught", "stage", "column", "first decision"),
        *(
            (row["name"], "yes" if row["located"] else "NO", *(row[key] for key in columns[2:]))
            for row in rows
        ),
    ]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--clean", type=int, default=CLEAN, help="honest pipelines")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    warnings.simplefilter("ignore", RuntimeWarning)  # of empty means in planted mistakes
    begin = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        leaks = list(pool.imap(planted, [(name, options.seed, options.data) for name in LEAKS]))
        print(table(leaks), flush=True)
        tasks = [(number, options.seed, options.data) for number in range(options.clean)]
        spared = list(pool.imap(honest, tasks))
        names = [(name, options.seed, options.data) for name in DATA_ODD]
        spared += list(pool.imap(odd_data, names))
        settings = list(pool.imap(refused, barrier_settings(options.data)))
        pairs = list(pool.imap(refused, honest_pairs(options.data)))
    alarms = [row for row in spared if row["leaks"]]
    for row in alarms:
        print(f"false alarm: {row['about']}: {row['leaks'][0]}")
    for kind, tried in (("barriers", settings), ("label and file", pairs)):
        wrongly = [(about, found) for about, found in tried if found]
        print(f"{kind}: {len(wrongly)} of {len(tried)} refused")
        for about, found in wrongly:
            print(f"refused: {about}: {found[0]}")
    shared = {
        name: max(counts)
        for name, counts in most_shared(Source(options.data), options.seed).items()
    }
    print(f"\n{'splitter at its defaults':<36}shared labels at {HORIZON} bars, most of any fold")
    for name, most in shared.items():
        print(f"{name:<36}{most}")
    missed = [row["name"] for row in leaks if not row["located"]]
    wrong, simulated = coherent_alarms(np.random.default_rng(options.seed))
    print(
        f"\n{len(leaks)} planted leaks, {len(missed)} missed; {len(spared)} honest pipelines, "
        f"{len(alarms)} called leaking; {simulated} simulated sets of figures, {wrong} called "
        f"incoherent; {time.perf_counter() - begin:.0f} s"
    )
    finish(
        "audit",
        {
            "leaks_missed": at_most(len(missed), 0),
            "leaks_planted": at_least(len(leaks), 30),
            "false_alarms": at_most(len(alarms), 0),
            "honest_pipelines": at_least(len(spared), min(options.clean, CLEAN)),
            "barrier_settings_refused": at_most(sum(bool(found) for _, found in settings), 0),
            "honest_pairs_refused": at_most(sum(bool(found) for _, found in pairs), 0),
            "coherent_called_incoherent": at_most(wrong, 0),
            "overlap_default": at_most(
                max(most for name, most in shared.items() if name.startswith(OURS)), 0
            ),
        },
        {
            "missed": missed,
            "barrier_settings": len(settings),
            "honest_pairs": len(pairs),
            "most_shared_labels": shared,
            "leaks": leaks,
            "audit_s_median": float(np.median([row["seconds"] for row in spared])),
            "short_audit_s_median": float(np.median([row["short_s"] for row in spared])),
            "honest": json.loads(json.dumps([row["about"] for row in spared])),
        },
    )


if __name__ == "__main__":
    main()
