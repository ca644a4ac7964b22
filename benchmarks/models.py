"""Models: how fast they learn, and that what makes them fast costs nothing.

    .venv/bin/python benchmarks/models.py                     all parts, some three hours
    .venv/bin/python benchmarks/models.py --part linear
    .venv/bin/python benchmarks/models.py --part neural --only lstm,tcn --bars 3000 --epochs 4
    .venv/bin/python benchmarks/models.py --part learning --seeds 20

Part `neural` trains every architecture on exact windows and, where its network is causal, on
chunks: model-epochs a second of both, and the loss of both on later rows, over a few symbols of
../shared/data and two worlds. Beside it stand six configurations in a pool of processes, trained as
by default, against one model at a time on exact windows with the better of one and two threads.

Part `learning` trains every model on worlds where it is known what can be learned, twenty times.

Part `linear` fits ridge and elastic net on the folds of combinatorial purged cross-validation, all
at once and one at a time: seconds of both, and by how much their coefficients differ.

Part `row` times one live forecast of a five-member stack, compiled and by its members' own predict.

Part `sizes` fits each model on two sizes of table, and forecasts single rows.

Part `mutants` loads thousands of spoilt artifacts in watched processes.

Parts `neural`, `learning`, `sizes` and `mutants` take long; stopped, they go on where they were.
"""

from __future__ import annotations

from _benchmark import arguments, finish, keep
from _models_learning import learning
from _models_linear import linear
from _models_mutants import mutants
from _models_neural import neural
from _models_row import row
from _models_sizes import sizes

PARTS = {
    "neural": neural,
    "learning": learning,
    "sizes": sizes,
    "linear": linear,
    "row": row,
    "mutants": mutants,
}


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--part", choices=["all", *PARTS], default="all")
    parser.add_argument("--only", default="", help="names of models, with commas")
    parser.add_argument("--bars", type=int, default=4000, help="bars of each symbol or world")
    parser.add_argument("--repeats", type=int, default=3, help="of what is timed by the clock")
    parser.add_argument("--epochs", type=int, default=5, help="most epochs on exact windows")
    parser.add_argument("--seeds", type=int, default=20, help="of part learning")
    parser.add_argument("--mutants", type=int, default=6_000, help="artifacts to spoil")
    options = parser.parse_args()
    if options.part != "all":
        bars, figures = PARTS[options.part](options)
        finish(f"models_{options.part}", bars, figures)
    held: dict[str, dict[str, float]] = {}
    for name, part in PARTS.items():
        bars, figures = part(options)
        keep(f"models_{name}", bars, figures)
        held |= bars
    finish("models", held, {"parts": {name: f"models_{name}.json" for name in PARTS}})


if __name__ == "__main__":
    main()
