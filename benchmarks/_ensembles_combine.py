"""All ways to combine over 1,620 members of 2,500 decisions: seconds and memory.

Made-up forecasts, as a sweep of many configurations leaves them: members in families that err
alike, some good, most poor. Every method is fitted walk-forward over five folds and scored, in a
process of its own whose largest memory counts, the interpreter and its libraries included. Seconds
are those that it computed for, on all threads together, so that other work on the machine does not
count; by the clock and alone it takes no longer.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from _benchmark import at_most
from _ensembles_methods import combined, methods, scores
from _ensembles_tables import show

from barstack.core.decisions import Decisions
from barstack.core.forecast import REGIMES, Target, Task
from barstack.core.times import DecidedAt, KnownAt, TrainedThrough
from barstack.ensembles import Stacked

MEMBERS, DECISIONS, FOLDS, FAMILIES = 1_620, 2_500, 5, 12
SIGNAL = 0.1  # correlation of the best member with what comes
VOTES = ("hard_vote", "soft_vote")  # of classes only


def combine(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    fresh = multiprocessing.get_context("spawn")
    members = options.most or MEMBERS
    with ProcessPoolExecutor(1, fresh) as pool:
        figures = pool.submit(measured, members, options.seed).result()
    rows = [
        (name, f"{each['seconds']:.2f}", f"{each['loss']:.4f}", f"{each['ic']:.3f}")
        for name, each in figures["methods"].items()
    ]
    show(f"{members:,} members", ("method", "s", "loss", "IC"), rows)
    bars = {
        "combine_1620_s": at_most(figures["seconds"], 60.0),
        "combine_1620_gib": at_most(figures["most_gib"], 2.0),
    }
    return bars, figures


def measured(members: int, seed: int) -> dict[str, Any]:
    """Seconds by method and in all, and the most memory that this process has held."""
    found: dict[str, Any] = {}
    begun, cpu = time.perf_counter(), time.process_time()
    for task in ("return", "direction"):
        every = methods(task)
        chosen = every if task == "return" else {n: e for n, e in every.items() if n in VOTES}
        stacked = made_up(task, members, seed)
        rows = np.flatnonzero(stacked.fold > 0)  # type: ignore[operator]
        for name, ensemble in chosen.items():
            began = time.process_time()
            values, _ = combined(ensemble, stacked, seed)
            loss, ic, _ = scores(values, stacked, rows)
            seconds = time.process_time() - began
            found[name] = {"seconds": round(seconds, 2), "loss": round(loss, 5), "ic": round(ic, 4)}
            print(f"{name:24} {seconds:8.2f} s", file=sys.stderr, flush=True)
    used = time.process_time() - cpu
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "seconds": round(used, 2),
        "by_the_clock_s": round(time.perf_counter() - begun, 2),
        "most_gib": round(most, 3),
        "members": members,
        "decisions": DECISIONS,
        "folds": FOLDS,
        "methods": dict(sorted(found.items(), key=lambda item: -float(item[1]["seconds"]))),
    }


def made_up(task: Task, members: int, seed: int) -> Stacked:
    """Members in families: a common error of the family, an own one, and some of the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=DECISIONS)
    family = rng.integers(FAMILIES, size=members)
    shared = rng.normal(size=(DECISIONS, FAMILIES))
    skill = SIGNAL * rng.uniform(-0.2, 1.0, members)
    signal = skill * truth[:, None] + 0.8 * shared[:, family]
    signal += 0.6 * rng.normal(size=(DECISIONS, members))
    returns = 0.01 * truth[:, None]
    if task == "return":
        forecasts, y = 0.001 * signal, returns
    else:
        forecasts, y = 1.0 / (1.0 + np.exp(-0.2 * signal)), (returns > 0.0).astype(float)
    hour = np.timedelta64(3_600_000_000, "us")
    begins = np.datetime64("2024-01-01T00:00", "us")
    decided_at = DecidedAt(begins + hour * np.arange(DECISIONS))
    return Stacked(
        tuple(f"m{number:04d}" for number in range(members)),
        Decisions(("MADE",), np.zeros(DECISIONS, np.int32), decided_at),
        Target(task, ("1h",)),
        forecasts[:, :, None, None],
        TrainedThrough(np.full(DECISIONS, begins)),
        np.arange(DECISIONS) * FOLDS // DECISIONS,
        y,
        KnownAt(decided_at[:, None] + hour),
        returns,
        context={
            "features": rng.normal(size=(DECISIONS, 20)),
            "regimes": rng.dirichlet(np.full(len(REGIMES), 0.3), DECISIONS),
        },
    )
