"""The verdict on real bars of 60 minutes: SPY, AAPL, NVDA, EURUSD and BTC, whatever it is.

    python benchmarks/real_verdicts.py [--seed N] [--data DIR] [--page docs/real-verdicts.md]

For each symbol one small study, written down before it was run: four members and three ensembles at
two horizons, on the features `fast25`, five walk-forward folds, and costs of 1 bps for each unit
traded (0.2 for EURUSD, 5 for BTC). `--data` is a folder with the folders that are named below. The
page holds the tables and the sentences; there is no bar to meet, and no figure here is a promise.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from _benchmark import arguments, finish

import barstack as bs
from barstack.evaluation import adjusted_p_value, often

# By symbol: folder of bars, calendar, what one unit costs, and settings of the provider.
SOURCES: dict[str, tuple[str, str, float, dict[str, Any]]] = {
    "SPY": ("us_equities_1h_long", "XNYS", 1.0, {}),
    "AAPL": ("us_equities_1h_long", "XNYS", 1.0, {}),
    "NVDA": ("us_equities_5m", "XNYS", 1.0, {"resample": "1h"}),
    "EURUSD": ("fx_1h_long", "FX", 0.2, {}),
    "BTCUSD": ("crypto_1h_2017", "24/7", 5.0, {}),
}
MEMBERS = ["ridge", "elastic_net", "lightgbm", "hist_gradient_boosting"]
ENSEMBLES = ["inverse_variance", "nnls", "average"]
HORIZONS = ["1h", "4h"]


def study_of(symbol: str, data: Path, seed: int) -> bs.Study:
    """The study of one symbol."""
    folder, calendar, cost_bps, settings = SOURCES[symbol]
    bars = {"provider": "files", "path": str(data / folder), "symbols": [symbol]}
    return bs.Study(
        title=f"{symbol}, 60 minutes",
        bars={**bars, "calendar": calendar, **settings},
        features="fast25",
        label={"label": "return", "horizons": HORIZONS},
        split={"split": "walk_forward", "folds": 5},
        members=MEMBERS,
        ensembles=ENSEMBLES,
        cost_bps=cost_bps,
        seed=seed,
    )


def figures_of(run: bs.Run) -> dict[str, Any]:
    """What the page shows of a run."""
    verdict, found = run.verdict, run.evaluation
    best = next(each for each in verdict.evidence if each.horizon == verdict.horizon)
    return {
        "edge": verdict.edge,
        "sentence": verdict.sentence,
        "words": verdict.words,
        "first": found.first_at,
        "last": found.last_at,
        "decisions": found.n_decisions,
        "horizon": verdict.horizon,
        "trials": verdict.trials,
        "ic": best.ic,
        "ic_se": best.ic_se,
        "net_edge_bps": best.net_edge_bps,
        "net_edge_bps_se": best.net_edge_bps_se,
        "cost_bps": verdict.cost_bps,
        "p": best.p_value,
        "p_all_trials": best.p_adjusted,
    }


def page_of(found: dict[str, dict[str, Any]]) -> str:
    """The page of the documentation."""
    lines = [
        "# Verdicts on real bars",
        "",
        "One small study for each of five instruments at 60 minutes, written down before it was",
        f"run: four members ({', '.join(MEMBERS)}), three ensembles, two horizons,",
        "the features `fast25`, five walk-forward folds. Made by `benchmarks/real_verdicts.py`,",
        "and shown whatever it says. None of this says anything about other years.",
        "",
        "| instrument | decisions out of fold | edge | horizon | IC | net edge, bps a bar "
        "| cost, bps | p | p, all trials |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for symbol, each in found.items():
        lines.append(
            f"| {symbol} | {each['decisions']:,}, {each['first'][:10]} to {each['last'][:10]} | "
            f"{each['edge']} | {each['horizon']} | {_pm(each['ic'], each['ic_se'], 3)} | "
            f"{_pm(each['net_edge_bps'], each['net_edge_bps_se'], 2)} | {each['cost_bps']:g} | "
            f"{each['p']:.3f} | {each['p_all_trials']:.3f} |"
        )
    best = min(found, key=lambda symbol: found[symbol]["p"])
    trials = sum(each["trials"] for each in found.values())
    luck = often(adjusted_p_value(found[best]["p"], trials))
    lines += [
        "",
        "Each verdict counts what was tried on its own instrument. Whoever picks the best of these",
        f"{len(found)} after looking, {best}, must count the trials of all: with {trials} things",
        f"tried, luck alone does as well {luck}.",
    ]
    for symbol, each in found.items():
        lines += ["", f"## {symbol}", "", each["sentence"], ""]
        lines += [f"- {sentence}" for sentence in each["words"]]
    return "\n".join(lines) + "\n"


def _pm(value: float | None, error: float | None, digits: int) -> str:
    if value is None:
        return "–"
    text = f"{value:.{digits}f}" if error is None else f"{value:.{digits}f} ± {error:.{digits}f}"
    return text.replace("-", "−")


def main() -> None:
    """Run the studies, and write the page where one is named."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--page", type=Path, help="the page to write")
    parser.add_argument("--runs", type=Path, help="folder of runs, in which a second call goes on")
    given = parser.parse_args()
    data = given.data or Path(__file__).parents[1] / ".." / "shared" / "data"
    runs = given.runs or Path(tempfile.mkdtemp())
    os.environ["BARSTACK_LEDGER"] = str(runs / "user")
    found = {}
    for symbol in SOURCES:
        run = bs.run(study_of(symbol, data.resolve(), given.seed), runs=runs)
        found[symbol] = figures_of(run)
        print(f"{symbol}: {run.verdict.edge}. {run.verdict.sentence}", flush=True)
        if given.page:
            given.page.write_text(page_of(found))
    finish("real_verdicts", {}, found)


if __name__ == "__main__":
    main()
