"""Do conformal intervals keep their coverage when volatility clusters, breaks and repeats?

    python benchmarks/conformal.py [--seed N] [--worlds N] [--quick]

Worlds of 4,000 returns whose volatility at each bar is known to the world alone:

    garch      GARCH(1, 1), persistence 0.97, t-distributed shocks
    regimes    two volatilities, one 2.5 times the other, which last 200 bars on average
    seasonal   half of a day's bars are twice as volatile as the other half
    break      volatility doubles once, halfway

Outcomes are returns of 1 bar and of 12 bars, known 1 and 12 bars after the decision. The oracle
knows each outcome's distribution: its interval is the narrowest with that coverage at every bar.
Scales are those of the returns known at the decision (`scales_of`); where seasons repeat, of
returns over the usual size of their hour.
Everything is measured after the first 500 decisions.

    conformal_error   largest distance of a method's coverage from 0.9, over worlds and horizons
    tercile_spread    largest difference of coverage between thirds of the bars by true volatility,
                      mean over worlds that have thirds; of each world in the figures
    after_break       least coverage of the 60 bars after the break, mean over worlds
    width_vs_oracle   largest mean width over the oracle's, of 1 bar

Bars are those of the aggregated method. The others are figures, and so are the intervals that
MAPIE's and crepes' rule for exchangeable scores gives, which knows no volatility and no delay.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats
from _benchmark import arguments, at_least, at_most, finish

from barstack.forecasting.conformal import ConformalIntervals, intervals_of, scales_of

Floats = npt.NDArray[np.float64]
N_BARS, FIRST, COVERAGE = 4_000, 500, 0.9
KINDS = ("garch", "regimes", "seasonal", "break")
HORIZONS = (1, 12)
METHODS: dict[str, dict[str, Any]] = {
    "aggregated": {"method": "aggregated"},
    "adaptive": {"method": "adaptive"},
    "split": {"method": "split"},
    "split, no scale": {"method": "split", "halflife": None, "window": 100_000},
}
TIMES = np.datetime64("2020-01-01", "us") + np.arange(N_BARS + 20) * np.timedelta64(1, "h")


def world(kind: str, rng: np.random.Generator) -> tuple[Floats, Floats, float]:
    """Returns, their true volatility at each bar, and degrees of freedom of the shocks."""
    freedom = 6.0 if kind == "garch" else np.inf
    shocks = rng.normal(size=N_BARS)
    if np.isfinite(freedom):
        shocks = rng.standard_t(freedom, N_BARS) / np.sqrt(freedom / (freedom - 2.0))
    volatility = np.ones(N_BARS)
    if kind == "garch":
        for bar in range(1, N_BARS):
            square = 0.03 + volatility[bar - 1] ** 2 * (0.9 + 0.07 * shocks[bar - 1] ** 2)
            volatility[bar] = np.sqrt(square)
    elif kind == "regimes":
        volatility = np.where(np.cumsum(rng.random(N_BARS) < 1.0 / 200.0) % 2 == 0, 1.0, 2.5)
    elif kind == "seasonal":
        volatility = np.where(np.arange(N_BARS) % 24 < 12, 1.0, 2.0)
    else:
        volatility[N_BARS // 2 :] = 2.0
    return volatility * shocks, volatility, freedom


def of_world(kind: str, horizon: int, seed: int) -> dict[str, Floats]:
    """By method: coverage, of each tercile, after the break, width over the oracle's."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    returns, volatility, freedom = world(kind, rng)
    rows = np.arange(N_BARS - horizon + 1)
    sums = np.concatenate([[0.0], np.cumsum(returns)])
    squares = np.concatenate([[0.0], np.cumsum(volatility**2)])
    outcome = sums[rows + horizon] - sums[rows]
    true = np.sqrt(squares[rows + horizon] - squares[rows])
    quantile = scipy.stats.norm.ppf(0.5 + COVERAGE / 2)
    if np.isfinite(freedom):
        quantile = scipy.stats.t.ppf(0.5 + COVERAGE / 2, freedom)
        quantile /= np.sqrt(freedom / (freedom - 2.0))
    third = np.searchsorted(np.quantile(true[FIRST:], [1 / 3, 2 / 3]), true[FIRST:])
    broken = slice(N_BARS // 2 - FIRST, N_BARS // 2 - FIRST + 60)
    usual = np.ones(N_BARS)
    if kind == "seasonal":
        for hour in range(24):
            usual[hour::24] = np.sqrt((returns[hour:FIRST:24] ** 2).mean())
    known = np.concatenate([[np.nan], scales_of(returns / usual)])[rows]
    ahead = np.concatenate([[0.0], np.cumsum(usual**2)])
    scale = np.where(np.isnan(known), 1.0, known) * np.sqrt(ahead[rows + horizon] - ahead[rows])
    found = {}
    for name, options in METHODS.items():
        interval = intervals_of(
            ConformalIntervals(coverage=COVERAGE, **options),
            np.zeros(len(rows)),
            outcome,
            TIMES[rows],  # type: ignore[arg-type]
            TIMES[rows + horizon],  # type: ignore[arg-type]
            None if "no scale" in name else scale,
        )
        inside = (interval[:, 0] <= outcome) & (outcome <= interval[:, 1])
        width = (interval[FIRST:, 1] - interval[FIRST:, 0]).mean()
        inside = inside[FIRST:]
        found[name] = np.array(
            [
                inside.mean(),
                *(
                    inside[third == place].mean() if (third == place).any() else np.nan
                    for place in range(3)
                ),
                inside[broken].mean() if kind == "break" else np.nan,
                width / (2.0 * quantile * true[FIRST:].mean()),
            ]
        )
    return found


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--worlds", type=int, default=30, help="of each kind and horizon")
    parser.add_argument("--quick", action="store_true", help="3 worlds, and no bar to meet")
    options = parser.parse_args()
    worlds = 3 if options.quick else options.worlds
    table: dict[str, dict[str, list[float | None]]] = defaultdict(dict)
    for kind in KINDS:
        for horizon in HORIZONS:
            each = [of_world(kind, horizon, options.seed * 10_000 + n) for n in range(worlds)]
            for name in METHODS:
                with warnings.catch_warnings():  # a world may lack a third of volatility
                    warnings.simplefilter("ignore", RuntimeWarning)
                    mean = np.nanmean([one[name] for one in each], axis=0)
                table[name][f"{kind}, {horizon}"] = [
                    None if np.isnan(value) else round(float(value), 4) for value in mean
                ]
                print(f"{name:16} {kind:9} {horizon:3}", np.round(mean, 3).tolist(), flush=True)
    ours = table["aggregated"]

    def spread(row: list[float | None]) -> float:
        thirds = [value for value in row[1:4] if value is not None]
        return max(thirds) - min(thirds)

    bars = {
        "conformal_error": at_most(
            round(max(abs((row[0] or 0.0) - COVERAGE) for row in ours.values()), 4), 0.01
        ),
        "tercile_spread": at_most(
            round(float(np.mean([thirds for row in ours.values() if (thirds := spread(row))])), 4),
            0.04,
        ),
        "after_break": at_least(min(row[4] for row in ours.values() if row[4] is not None), 0.875),
        "width_vs_oracle": at_most(
            max(row[5] or 0.0 for name, row in ours.items() if name.endswith(", 1")), 1.14
        ),
    }
    figures = {
        "worlds_each": worlds,
        "coverage_terciles_break_width": table,
    }
    if options.quick:
        print(json.dumps({"benchmark": "conformal", "bars": bars, "figures": figures}))
        return
    finish("conformal", bars, figures)


if __name__ == "__main__":
    main()
