"""The leak audit: planted leaks, each caught and located, and honest pipelines left alone.

    python benchmarks/audit.py [--seed N] [--clean N] [--data DIR] [--processes N]

Each mistake is planted in a small pipeline of its own, and each honest pipeline is drawn from
the same variety of bars, symbols, features, labels, splits and fits; some are odd. Blind ones
ignore what they are handed. Then the training labels that share a return step with a tested one,
of our splitters and others, all as they come. The seed draws everything; a run that was stopped
goes on where it was; --data takes a folder of intraday parquet files instead of the usual bars.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import _audit_data_leaks  # noqa: F401 (enters its mistakes)
import _audit_feature_leaks  # noqa: F401
import _audit_rare_leaks  # noqa: F401
import _audit_row_leaks  # noqa: F401
import _audit_studies  # noqa: F401
import numpy as np
from _audit_bars import Source
from _audit_blind import BLIND
from _audit_clean import clean
from _audit_data_odd import DATA_ODD
from _audit_labels import barrier_settings, honest_pairs, refused
from _audit_leaks import LEAKS
from _audit_overlap import HORIZON, OURS, most_shared
from _audit_strange import STRANGE, unseeded
from _benchmark import arguments, at_least, at_most, finish
from _kept import Kept

from barstack.core.errors import BarstackError, ConfigError
from barstack.evaluation.audit import Data, Leak, Pipeline, hunt, incoherent

CLEAN = 80
ROOMS = ("core", "bars", "features", "labels", "splits", "datasets", "models", "evaluation")


def planted(task: tuple[str, int, Path | None]) -> dict[str, Any]:
    """One mistake: whether it is caught, and where it is found."""
    name, seed, folder = task
    case = LEAKS[name](np.random.default_rng([seed, zlib.crc32(name.encode())]), Source(folder))
    begin = time.perf_counter()
    leaks = found_in(case.pipeline, case.data)
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


def found_in(pipeline: Pipeline, data: Data) -> list[Leak]:
    """What the audit finds; a refusal counts as a finding of its own."""
    leaks: list[Leak] = []
    try:
        for leak in hunt(pipeline, data):
            leaks.append(leak)
    except BarstackError as error:
        nowhere = np.datetime64("1970-01-01", "us")
        leaks.append(Leak("refused", "refused", "", nowhere, str(error), ""))
    return leaks


def honest(task: tuple[int, int, Path | None]) -> dict[str, Any]:
    """One honest pipeline: what the audit says of it, which should be nothing."""
    number, seed, folder = task
    pipeline, data, about = clean(np.random.default_rng([seed, 1_000_000 + number]), Source(folder))
    begin = time.perf_counter()
    leaks = [str(each) for each in found_in(pipeline, data)]
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    list(hunt(pipeline, data, short=True))
    return {
        "about": about,
        "leaks": leaks,
        "seconds": round(seconds, 2),
        "short_s": round(time.perf_counter() - begin, 3),
    }


def odd(task: tuple[str, int, Path | None]) -> dict[str, Any]:
    """One honest pipeline of an odd kind."""
    name, seed, folder = task
    pipeline, data = (DATA_ODD | STRANGE)[name](
        np.random.default_rng([seed, zlib.crc32(name.encode())]), Source(folder)
    )
    return {"about": name, "leaks": [str(each) for each in found_in(pipeline, data)]}


def barriers(task: tuple[int, int, Path | None]) -> dict[str, Any]:
    """One setting of barriers with default features, in short."""
    about, leaks = refused(barrier_settings(task[2])[task[0]])
    return {"about": about, "leaks": leaks}


def label_and_file(task: tuple[int, int, Path | None]) -> dict[str, Any]:
    """One label on one file with default features, in short."""
    about, leaks = refused(honest_pairs(task[2])[task[0]])
    return {"about": about, "leaks": leaks}


def unsighted(task: tuple[str, int, Path | None]) -> dict[str, Any]:
    """One pipeline that ignores what it is handed: whether that is said."""
    name, seed, folder = task
    pipeline, data = BLIND[name](
        np.random.default_rng([seed, zlib.crc32(name.encode())]), Source(folder)
    )
    found = found_in(pipeline, data)
    return {
        "name": name,
        "told": any(each.blind for each in found),
        "what": str(found[0]) if found else "clean",
    }


def refused_as_unseeded(seed: int, folder: Path | None) -> bool:
    """Whether a pipeline with unseeded noise is called that, and not a leak."""
    pipeline, data = unseeded(np.random.default_rng(seed), Source(folder))
    try:
        list(hunt(pipeline, data))
    except ConfigError as error:
        return "not deterministic" in str(error)
    return False


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
    kept = Kept(f"audit-{options.seed}-{options.data or 'shared'}".replace("/", "-"), ROOMS)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:

        def rows(work: Callable[[Any], dict[str, Any]], names: Iterable[Any]) -> list[Any]:
            """One row of each, those of a run that was stopped included."""
            wanted = [[work.__name__, name] for name in names]
            left = [key for key in wanted if key not in kept]
            tasks = [(name, options.seed, options.data) for _, name in left]
            for key, row in zip(left, pool.imap(work, tasks), strict=True):
                kept[key] = row
                if row.get("located") is False or row.get("leaks") or row.get("told") is False:
                    print(f"look at {key}: {row}", file=sys.stderr, flush=True)
            return [kept[key] for key in wanted]

        leaks = rows(planted, LEAKS)
        print(table(leaks), flush=True)
        hidden = rows(unsighted, BLIND)
        strange = rows(odd, DATA_ODD | STRANGE)
        spared = rows(honest, range(options.clean))
        settings = rows(barriers, range(len(barrier_settings(options.data))))
        pairs = rows(label_and_file, range(len(honest_pairs(options.data))))
    alarms = [row for row in (*spared, *strange) if row["leaks"]]
    for row in hidden:
        print(f"{'seen as blind' if row['told'] else 'CALLED CLEAN'}: {row['name']}")
    for row in alarms:
        print(f"false alarm: {row['about']}: {row['leaks'][0]}")
    for kind, tried in (("barriers", settings), ("label and file", pairs)):
        wrongly = [row for row in tried if row["leaks"]]
        print(f"{kind}: {len(wrongly)} of {len(tried)} refused")
        for row in wrongly:
            print(f"refused: {row['about']}: {row['leaks'][0]}")
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
        f"\n{len(leaks)} planted leaks, {len(missed)} missed; {len(spared) + len(strange)} honest "
        f"pipelines, {len(strange)} of them odd, "
        f"{len(alarms)} called leaking; {simulated} simulated sets of figures, {wrong} called "
        f"incoherent; {time.perf_counter() - begin:.0f} s"
    )
    finish(
        "audit",
        {
            "leaks_missed": at_most(len(missed), 0),
            "leaks_planted": at_least(len(leaks), 100),
            "false_alarms": at_most(len(alarms), 0),
            "honest_pipelines": at_least(len(spared) + len(strange), options.clean + 30),
            "barrier_settings_refused": at_most(sum(bool(row["leaks"]) for row in settings), 0),
            "honest_pairs_refused": at_most(sum(bool(row["leaks"]) for row in pairs), 0),
            "blind_called_clean": at_most(sum(not row["told"] for row in hidden), 0),
            "unseeded_called_leaking": at_most(
                int(not refused_as_unseeded(options.seed, options.data)), 0
            ),
            "coherent_called_incoherent": at_most(wrong, 0),
            "overlap_default": at_most(
                max(most for name, most in shared.items() if name.startswith(OURS)), 0
            ),
        },
        {
            "missed": missed,
            "most_shared_labels": shared,
            "leaks": leaks,
            "audit_s_median": float(np.median([row["seconds"] for row in spared])),
            "short_audit_s_median": float(np.median([row["short_s"] for row in spared])),
            "honest": json.loads(json.dumps([row["about"] for row in (*spared, *strange)])),
            "blind": hidden,
            "barrier_settings": len(settings),
            "honest_pairs": len(pairs),
        },
    )


if __name__ == "__main__":
    main()
