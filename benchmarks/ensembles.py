"""Ensembles: what each way to combine is worth, and what it costs.

    .venv/bin/python benchmarks/ensembles.py                      all parts
    .venv/bin/python benchmarks/ensembles.py --part real
    .venv/bin/python benchmarks/ensembles.py --part leak --most 40

Part `real` scores every ensemble beside equal weights and the best member chosen earlier, on twelve
symbols at each of three frequencies. Part `worlds` does so where the best forecast is known. Part
`leak` holds each method's out-of-fold score against later rows that nothing has touched, in worlds
where nothing can be forecast. Part `regimes` has markets that switch between states. Part `combine`
times all of them on 1,620 members. Part `autogluon` compares with AutoGluon Tabular.

Forecasts of members are made once and kept, so that scoring another ensemble takes seconds; all
parts, stopped, go on where they were. `--most` cuts a part down to so many series or worlds, to try
it; results of that are not kept under results/. `--part summary` puts the latest results of all
parts together. Members count only if the code of today has made
them, unless BARSTACK_OLDER_MEMBERS=1 says that those of older code will do.
"""

from __future__ import annotations

import json
from typing import Any

from _benchmark import HERE, arguments, finish, keep
from _ensembles_autogluon import autogluon
from _ensembles_combine import combine
from _ensembles_leak import leak
from _ensembles_methods import DEFAULT
from _ensembles_real import real
from _ensembles_regimes import regimes
from _ensembles_worlds import worlds

PARTS = {
    "real": real,
    "worlds": worlds,
    "leak": leak,
    "regimes": regimes,
    "combine": combine,
    "autogluon": autogluon,
}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--part", choices=["all", "summary", *PARTS], default="all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=0, help="series or worlds, to try a part")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds a fold, of autogluon")
    options = parser.parse_args()
    if options.part == "summary":
        finish("ensembles", *summary())
    if options.part != "all":
        bars, figures = PARTS[options.part](options)
        if options.most:
            print(json.dumps({"bars": bars, "figures": figures}))
            return
        finish(f"ensembles_{options.part}", bars, figures)
    for name, part in PARTS.items():
        keep(f"ensembles_{name}", *part(options))
    finish("ensembles", *summary())


def summary() -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars of all parts that lie under results/, and what there is to say of them in short."""
    bars: dict[str, dict[str, float]] = {}
    figures: dict[str, Any] = {"parts": {}, "default": DEFAULT}
    for name in PARTS:
        file = HERE / "results" / f"ensembles_{name}.json"
        if not file.is_file():
            figures["parts"][name] = "not run"
            continue
        result = json.loads(file.read_text())
        bars |= result["bars"]
        figures["parts"][name] = {"file": file.name, "commit": result["commit"]}
        own = result["figures"]
        for task, each in {name: own, **own}.items():
            if isinstance(each, dict) and "most_trustworthy" in each:
                where = name if task == name else f"{name}, {task}"
                figures[where] = {
                    key: value
                    for key, value in each.items()
                    if key.startswith("default_beats") or key in ("most_trustworthy", "capture")
                }
    return bars, figures


if __name__ == "__main__":
    main()
