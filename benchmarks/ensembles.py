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
it; results of that are not kept under results/. Members count only if the code of today has made
them, unless BARSTACK_OLDER_MEMBERS=1 says that those of older code will do.
"""

from __future__ import annotations

import json
from typing import Any

from _benchmark import arguments, finish, keep
from _ensembles_autogluon import autogluon
from _ensembles_combine import combine
from _ensembles_leak import leak
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
    parser.add_argument("--part", choices=["all", *PARTS], default="all")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most", type=int, default=0, help="series or worlds, to try a part")
    parser.add_argument("--budget", type=float, default=30.0, help="seconds a fold, of autogluon")
    options = parser.parse_args()
    if options.most:
        bars, figures = PARTS[options.part](options)
        print(json.dumps({"bars": bars, "figures": figures}))
        return
    if options.part != "all":
        bars, figures = PARTS[options.part](options)
        finish(f"ensembles_{options.part}", bars, figures)
    held: dict[str, dict[str, float]] = {}
    own: dict[str, Any] = {}
    for name, part in PARTS.items():
        bars, own[name] = part(options)
        keep(f"ensembles_{name}", bars, own[name])
        held |= bars
    finish("ensembles", held, {"parts": {name: f"ensembles_{name}.json" for name in PARTS}})


if __name__ == "__main__":
    main()
