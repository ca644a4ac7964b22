"""`barstack judge` on histories with known truth, and on exports that real tools made.

    python benchmarks/judge.py [--each 10] [--seed 0]

Histories of forecasts, positions, trades and accounts, skilled, lucky, leaking, overfitted,
wrongly stamped and worthless, `--each` of every sort; then what vectorbt and backtesting.py
export, made by these tools in their own environment. What chance explains: a twentieth of the
lucky and the worthless is called supported, and a skilled one may have an unlucky history. A
minute, and some for the environment on first use.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import NormalDist
from typing import Any

from _benchmark import arguments, at_least, at_most, finish
from _judge_histories import KINDS, TRUTHS, histories
from _judge_tools import exports

import barstack as bs


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--each", type=int, default=10, help="histories of every sort")
    options = parser.parse_args()
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    supported: dict[str, list[bool]] = defaultdict(list)
    for made in histories(options.seed, options.each):
        judged = bs.judge(made.frame, made.bars, **made.options)
        signs: set[str] = {each.name for each in judged.suspicions}
        right[made.truth][made.kind].append(made.right(judged.edge, signs))
        supported[made.truth].append(judged.edge == "supported")
    shares: dict[str, Any] = {}
    for truth in TRUTHS:
        own = {kind: right[truth][kind] for kind in KINDS if right[truth][kind]}
        shares[truth] = {kind: f"{sum(each)} of {len(each)}" for kind, each in own.items()}
        print(truth, shares[truth], flush=True)
    found, failure = exports(options.seed)
    if failure:
        print(failure, flush=True)
    faulty = [each for t in ("leaking", "overfit", "misstamped") for k in right[t].values()
              for each in k]  # fmt: skip
    luck = supported["lucky"] + supported["worthless"]
    skilled = supported["skilled"]
    total = [each for kinds in right.values() for own in kinds.values() for each in own]
    bars = {
        "histories": at_least(len(total), 30),
        "faults_missed": at_most(len(faulty) - sum(faulty), _by_chance(len(faulty), 0.02)),
        "luck_supported": at_most(sum(luck), _by_chance(len(luck), 0.05)),
        "skill_missed": at_most(len(skilled) - sum(skilled), _by_chance(len(skilled), 0.05)),
        "exports_unread": at_most(sum(not each["right"] for each in found.values()), 0),
        "exports": at_least(len(found), 6),
    }
    figures = {
        "right": f"{sum(total)} of {len(total)}",
        "by_truth_and_kind": shares,
        "faults_called_supported": sum(
            sum(supported[each]) for each in ("leaking", "overfit", "misstamped")
        ),
        "exports": found,
        "exports_failure": failure,
        "seed": options.seed,
    }
    finish("judge", bars, figures)


def _by_chance(count: int, rate: float) -> int:
    """The most that so rare an event happens in 97.5 % of cases, rounded up."""
    reach = NormalDist().inv_cdf(0.975)
    return int(count * rate + reach * (count * rate * (1.0 - rate)) ** 0.5) + 1


if __name__ == "__main__":
    main()
