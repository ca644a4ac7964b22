"""Tests of many trials against arch and phacker: the same answers, how fast, and how often wrong.

    python benchmarks/significance.py [--seed N] [--worlds N] [--quick]

Speed: 1,620 series of 2,500 returns, alike in groups, one of them good. PBO with 16 blocks, SPA,
StepM and the model confidence set (max), 1,000 repetitions with blocks of 10 on both sides, by the
libraries and by barstack in turn, each in one process; compiled code is warm on both sides.
Romano-Wolf p-values of every trial come with ours and are in the time.

Errors: 49 worthless strategies and one of per-period Sharpe ratio 0.2 over 500 periods, independent
and with correlation 0.6, normal and t-distributed (4 degrees of freedom). Romano-Wolf at 5 %, with
the error of a thousand resamplings on top (`careful`); beside it the deflated Sharpe ratio at 95 %
alone.

Looks: 1,000 null streams (normal, t with 3 degrees of freedom, GARCH) of 1,000 outcomes, with
evidence looked at after every one, and the same with an edge.

    selection_tests_s       processor seconds of all four tests
    selection_vs_libraries  the libraries' time over ours
    counts_unequal          largest difference, in resamplings of 1,000, of a p-value of SPA or the
                            confidence set from the libraries', for the same resamplings. arch does
                            not studentise SPA, so ours is held against it without. For independent
                            ones the gaps are among the figures, in standard errors of two binomial
                            shares: between the libraries and ours, and between three of ours. They
                            exceed what single shares would do, since the order in which models
                            leave the confidence set changes with the resamplings too
    pbo_gap                 difference of the two probabilities of overfitting
    fwer                    share of families with a worthless strategy called good (worst cell of
                            normal returns)
    power                   share of independent families whose good strategy is found
    eprocess_false_alarm    share of null streams that ever raise an alarm (worst kind)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from _benchmark import arguments, at_least, at_most, finish
from _kept import Kept

from barstack.evaluation.significance import (
    careful,
    confidence_set,
    counts_of,
    deflated_sharpe,
    log_e_path,
    overfitting,
    resample,
    romano_wolf,
    spa,
    step_m,
)

Floats = npt.NDArray[np.float64]
N_TIMES, N_TRIALS, REPETITIONS, BLOCK = 2_500, 1_620, 1_000, 10
PERIODS, STRATEGIES, SHARPE, LEVEL = 500, 50, 0.2, 0.05
CELLS = [(correlation, tails) for correlation in (0.0, 0.6) for tails in ("normal", "t4")]
BATCH = 25


def series(seed: int, n_times: int = N_TIMES, n_trials: int = N_TRIALS) -> Floats:
    """Returns of trials in 20 groups, alike within a group; the first is good."""
    rng = np.random.default_rng([seed, 1])
    common = rng.normal(size=(n_times, 20))[:, np.arange(n_trials) % 20]
    found = 0.6 * common + 0.8 * rng.normal(size=(n_times, n_trials))
    found[:, 0] += 0.12
    return found


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time, which others on the machine do not change, and what is made."""
    began = time.process_time()
    value = work()
    return time.process_time() - began, value


def ours(returns: Floats, seed: int) -> dict[str, Any]:
    resampled = resample(returns, repetitions=REPETITIONS, block=BLOCK, seed=seed)
    return {
        "pbo": overfitting(returns, blocks=16).probability,
        "spa": spa(resampled, studentize=False).consistent,
        "spa_studentised": spa(resampled).consistent,
        "step_m": step_m(resampled, LEVEL, studentize=False).tolist(),
        "romano_wolf": romano_wolf(resampled),
        "mcs": confidence_set(resampled.flipped()),
    }


def libraries(returns: Floats, seed: int) -> dict[str, Any]:
    import phacker.cscv  # noqa: PLC0415
    from arch.bootstrap import MCS, SPA, StepM  # noqa: PLC0415

    options: dict[str, Any] = {"block_size": BLOCK, "reps": REPETITIONS, "seed": seed}
    benchmark = np.zeros(len(returns))
    superior, stepwise = SPA(benchmark, -returns, **options), StepM(benchmark, -returns, **options)
    confident = MCS(-returns, 0.05, method="max", **options)
    for each in (superior, stepwise, confident):
        each.compute()
    return {
        "pbo": float(phacker.cscv.cscv(returns, 16)[0]),
        "spa": float(superior.pvalues["consistent"]),
        "step_m": list(stepwise.superior_models),
        "mcs": confident.pvalues.Pvalue.sort_index().to_numpy(),
    }


def gap(one: Any, other: Any) -> float:
    """Largest difference of p-values in standard errors of two independent bootstraps."""
    one, other = np.atleast_1d(one), np.atleast_1d(other)
    middle = np.clip((one + other) / 2, 1 / REPETITIONS, 1 - 1 / REPETITIONS)
    return float((np.abs(one - other) / np.sqrt(2 * middle * (1 - middle) / REPETITIONS)).max())


def unequal(returns: Floats, seed: int, other: dict[str, Any]) -> float:
    """Largest difference of the libraries' exceedances from ours for the resamplings they drew."""
    from arch.bootstrap import StationaryBootstrap  # noqa: PLC0415

    draws = StationaryBootstrap(BLOCK, np.arange(len(returns)), seed=seed).bootstrap(REPETITIONS)
    counts = counts_of(np.array([each[0][0] for each in draws]))
    resampled = resample(returns, block=BLOCK, counts=counts)
    mcs = confidence_set(resampled.flipped())
    over = np.where(mcs == 1.0, REPETITIONS, mcs * (REPETITIONS + 1) - 1)
    best = spa(resampled, studentize=False).consistent * (REPETITIONS + 1) - 1
    theirs = REPETITIONS * np.array(other["mcs"])
    worst = max(np.abs(over - theirs).max(), abs(best - REPETITIONS * other["spa"]))
    return round(float(worst), 6)


def family(correlation: float, tails: str, seed: int) -> list[bool]:
    """Found, a false one, the same of the deflated Sharpe ratio, a false one without a good one."""
    rng = np.random.default_rng([seed, 2])

    def draw(*shape: int) -> Floats:
        return rng.normal(size=shape) if tails == "normal" else rng.standard_t(4, shape) / 2**0.5

    returns = np.sqrt(1 - correlation) * draw(PERIODS, STRATEGIES)
    returns += np.sqrt(correlation) * draw(PERIODS, 1)
    returns[:, 0] += SHARPE
    resampled = resample(returns, seed=seed)
    p_values = careful(romano_wolf(resampled), REPETITIONS)
    others = romano_wolf(
        replace(
            resampled,
            mean=resampled.mean[1:],
            se=resampled.se[1:],
            deviations=resampled.deviations[:, 1:],
            ratios=resampled.ratios[:, 1:],
        )
    )
    alone = careful(others, REPETITIONS)
    sharpe = returns.mean(axis=0) / returns.std(axis=0)
    best = int(sharpe.argmax())
    sure = deflated_sharpe(returns[:, best], STRATEGIES, float(sharpe.std())) > 1 - LEVEL
    return [
        bool(p_values[0] <= LEVEL),
        bool(p_values[1:].min() <= LEVEL),
        sure and best == 0,
        sure and best != 0,
        bool(alone.min() <= LEVEL),
    ]


def families(seed: int, worlds: int) -> dict[str, list[float]]:
    """By cell, shares of families; kept in parts, so that a run that was stopped goes on."""
    kept = Kept("significance", ("evaluation/significance",))
    found = {}
    for correlation, tails in CELLS:
        parts = []
        for first in range(0, worlds, BATCH):
            key = [correlation, tails, seed, first]
            if key not in kept:
                seeds = range(seed * 1_000_000 + first, seed * 1_000_000 + first + BATCH)
                kept[key] = np.sum(
                    [family(correlation, tails, each) for each in seeds], axis=0
                ).tolist()
            parts.append(kept[key])
        shares = np.sum(parts, axis=0) / (BATCH * len(parts))
        found[f"correlation {correlation:g}, {tails}"] = [round(float(each), 4) for each in shares]
        print(f"correlation {correlation:g}, {tails}:", shares.round(3).tolist(), flush=True)
    return found


def streams(seed: int, count: int, steps: int) -> dict[str, list[float]]:
    """By kind: share that alarms without an edge, and with Sharpe ratios of 0.05, 0.1 and 0.2."""
    rng = np.random.default_rng([seed, 3])
    shocks = rng.normal(size=(count, steps))
    variance, clustered = np.ones(count), np.empty((count, steps))
    for step in range(steps):
        clustered[:, step] = np.sqrt(variance) * shocks[:, step]
        variance = 0.05 + 0.15 * clustered[:, step] ** 2 + 0.8 * variance
    kinds = {
        "normal": rng.normal(size=(count, steps)),
        "t3": rng.standard_t(3, size=(count, steps)) / 3**0.5,
        "garch": clustered,
    }
    found = {}
    for name, noise in kinds.items():
        paths = (log_e_path(noise + edge, bound=5.0, scale=1.0) for edge in (0.0, 0.05, 0.1, 0.2))
        found[name] = [float((path.max(axis=1) >= -np.log(LEVEL)).mean()) for path in paths]
        print(f"streams, {name}:", found[name], flush=True)
    return found


def speeds(returns: Floats, seed: int) -> tuple[float, dict[str, Any], float, dict[str, Any]]:
    """Seconds and results of both sides, in one process; kept, as the libraries take minutes."""
    kept, key = Kept("significance", ("evaluation/significance",)), ["speed", *returns.shape, seed]
    if key not in kept:
        ours(returns[:200, :5], 0)
        libraries(returns[:200, :5], 0)
        own = timed(lambda: ours(returns, seed))
        other = timed(lambda: libraries(returns, seed + 1))
        kept[key] = [own[0], _plain(own[1]), other[0], _plain(other[1])]
    found = kept[key]
    return found[0], found[1], found[2], found[3]


def _plain(results: dict[str, Any]) -> dict[str, Any]:
    return {
        name: np.asarray(value).tolist() if np.ndim(value) else value
        for name, value in results.items()
    }


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=1_000, help="families of each kind")
    parser.add_argument("--quick", action="store_true", help="small sizes, and no bar to meet")
    options = parser.parse_args()
    worlds = BATCH if options.quick else options.worlds
    returns = series(options.seed, *((500, 100) if options.quick else (N_TIMES, N_TRIALS)))
    speed = speeds(returns, options.seed)
    own_s, own, other_s, other = speed
    print(f"four tests: {own_s:.2f} s, by libraries {other_s:.2f} s", flush=True)
    shares = families(options.seed, worlds)
    alarms = streams(options.seed, 1_000, 300 if options.quick else 1_000)
    again = [ours(returns, options.seed + number)["mcs"] for number in (1, 2, 3)]
    normal = [each for name, each in shares.items() if "normal" in name]
    bars = {
        "selection_tests_s": at_most(round(own_s, 2), 5),
        "selection_vs_libraries": at_least(round(other_s / own_s, 1), 6),
        "counts_unequal": at_most(unequal(returns, options.seed + 1, other), 0),
        "pbo_gap": at_most(abs(own["pbo"] - other["pbo"]), 1e-9),
        "fwer": at_most(max(max(each[1], each[4]) for each in normal), 0.05),
        "power": at_least(shares["correlation 0, normal"][0], 0.9),
        "eprocess_false_alarm": at_most(max(each[0] for each in alarms.values()), 0.05),
    }
    figures: dict[str, Any] = {
        "libraries_s": round(other_s, 2),
        "gap_to_libraries": round(gap(own["mcs"], other["mcs"]), 2),
        "gaps_among_ours": [round(gap(own["mcs"], each), 2) for each in again],
        "spa": [own["spa"], other["spa"], own["spa_studentised"]],
        "step_m": [own["step_m"], other["step_m"]],
        "romano_wolf_of_the_good_one": own["romano_wolf"][0],
        "pbo": [own["pbo"], other["pbo"]],
        "families": worlds,
        "found_false_deflated_deflated_false_false_without_a_good_one": shares,
        "alarms_of_none_and_sharpe_005_01_02": alarms,
    }
    if options.quick:
        print(json.dumps({"benchmark": "significance", "bars": bars, "figures": figures}))
        return
    finish("significance", bars, figures)


if __name__ == "__main__":
    main()
