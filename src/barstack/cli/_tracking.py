"""`barstack tracking`: what the tracking database holds, and trials made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError

from ._root import Json, group
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from rich.table import Column

    from barstack.tracking import ExperimentTracker

tracking = group(
    "tracking",
    "Experiments of all runs and sweeps: statistics, leaderboard, export, past trials.",
    "barstack tracking stats",
)

Where = Annotated[
    str | None,
    typer.Option(
        "--runs",
        help="Folder of runs, or a database URL; by default $BARSTACK_TRACKING, then runs.",
    ),
]
Sweep = Annotated[str | None, typer.Option(help="Only experiments of this one.")]


@tracking.command(epilog="Example: barstack tracking stats --json")
def stats(runs: Where = None, sweep: Sweep = None, as_json: Json = False) -> None:
    """How many experiments were tracked, how they ended, and the best of them."""
    found = _tracker(runs).get_statistics(sweep)
    if as_json:
        print_json(_plain(found))
        return
    from ._tables import facts_table  # noqa: PLC0415

    best = found["best"]
    accuracy = found["mean_directional_accuracy"]
    failures = [f"{each['count']:,} x {each['error']}" for each in found["failures"]]
    stdout().print(
        facts_table(
            [
                ("experiments", f"{found['total']:,}"),
                ("completed", f"{found['completed']:,}"),
                ("failed", f"{found['failed']:,}"),
                *([("pruned", f"{found['pruned']:,}")] if found["pruned"] else []),
                ("running", f"{found['running']:,}"),
                ("models", ", ".join(found["models"])),
                ("horizons", ", ".join(found["horizons"])),
                ("mean accuracy", "" if accuracy is None else f"{accuracy:.2%}"),
                ("training", f"{found['training_seconds']:,.1f} s"),
                ("highest IC", "" if best is None else _named(best)),
                ("failures", "\n".join(failures)),
                ("ensembles", f"{found['ensembles']:,}"),
                ("predictions", f"{found['predictions']:,}"),
            ]
        )
    )


@tracking.command(name="best", epilog="Example: barstack tracking best --by directional_accuracy")
def best_(
    regime: Annotated[
        str | None, typer.Option(help="Models that did best in it, such as crash.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Rows.", min=1)] = 10,
    by: Annotated[
        str, typer.Option(help="ic, directional_accuracy, r2, rmse, mse or mae; without a regime.")
    ] = "ic",
    horizon: Annotated[str | None, typer.Option(help="Only this one; without a regime.")] = None,
    runs: Where = None,
    sweep: Sweep = None,
    as_json: Json = False,
) -> None:
    """The best experiments, or the models that did best in one regime of the market."""
    tracker = _tracker(runs)
    columns: tuple[str, ...]
    if regime is not None:
        rows = tracker.best_models_per_regime(regime, limit)
        columns = ("model_name", "role", "n_decisions", "directional_accuracy", "ic")
    else:
        rows = tracker.leaderboard(limit, by=by, horizon=horizon, sweep_id=sweep)
        columns = ("model_name", "horizon_name", "symbol", "directional_accuracy", "ic", "rmse")
    _show(rows, columns, as_json, "No such experiments are tracked yet. Run a study or a sweep.")
    if not as_json and rows:
        stdout().print(
            "The best of many is best in part by luck: barstack leaderboard RUN accounts for that."
        )


@tracking.command(epilog="Example: barstack tracking summary --days 30")
def summary(
    days: Annotated[int, typer.Option(help="Recorded within so many days.", min=0)] = 30,
    runs: Where = None,
    as_json: Json = False,
) -> None:
    """How predictions of ensembles turned out."""
    rows = _tracker(runs).ensemble_performance_summary(days)
    columns = (
        *("name", "horizon_name", "symbol", "n_predictions"),
        *("directional_accuracy", "mean_return", "gain"),
    )
    _show(rows, columns, as_json, f"No predictions were recorded within {days} days.")


@tracking.command(epilog="Example: barstack tracking export experiments.csv")
def export(
    file: Annotated[Path | None, typer.Argument(help="The CSV file to write.")] = None,
    mlflow: Annotated[
        str | None, typer.Option(help="Log to this MLflow tracking URI as well or instead.")
    ] = None,
    runs: Where = None,
    sweep: Sweep = None,
    as_json: Json = False,
) -> None:
    """Write all experiments as CSV, or log them to MLflow."""
    from barstack.core.errors import ConfigError  # noqa: PLC0415

    if file is None and mlflow is None:
        raise ConfigError("Nothing to write to. Give a CSV file, or --mlflow URI.")
    tracker, done = _tracker(runs), dict[str, Any]()
    if file is not None:
        done |= {"file": str(file), "experiments": tracker.export_to_csv(file, sweep)}
    if mlflow is not None:
        from barstack.tracking.to_mlflow import log_to_mlflow  # noqa: PLC0415

        done |= {"mlflow": mlflow, "logged": log_to_mlflow(tracker, mlflow, sweep_id=sweep)}
    if as_json:
        print_json(done)
        return
    if file is not None:
        stdout().print(f"Wrote {done['experiments']:,} experiments to {file}")
    if mlflow is not None:
        stdout().print(f"Logged {done['logged']:,} experiments that MLflow did not have")


@tracking.command(epilog="Example: barstack tracking migrate")
def migrate(
    to: Annotated[str | None, typer.Option(help="A version; by default the newest.")] = None,
    runs: Where = None,
    as_json: Json = False,
) -> None:
    """Bring the tables to a version, up or down. Every row is kept.

    The first write does this by itself; here it can be done ahead, by a user with more rights.
    """
    before, after = _tracker(runs, must_exist=False).migrate(to)
    if as_json:
        print_json({"before": before, "after": after})
        return
    stdout().print(f"Tables were of version {before or 'none'} and are of version {after}")


@tracking.command(name="import", epilog="Example: barstack tracking import study.db --symbols SPY")
def import_(
    source: Annotated[
        list[Path],
        typer.Argument(help="Optuna's SQLite file, MLflow's SQLite file or folder, or a .fthypt."),
    ],
    symbols: Annotated[
        str | None, typer.Option(help="What all were judged on, such as SPY,QQQ.")
    ] = None,
    horizon: Annotated[str, typer.Option(help="How far ahead they forecast, such as 60min.")] = "",
    runs: Where = None,
    as_json: Json = False,
) -> None:
    """Enter trials made with Optuna, MLflow or freqtrade, so that verdicts count them."""
    from barstack.tracking import open_store  # noqa: PLC0415
    from barstack.tracking.past import enter_past, read_past  # noqa: PLC0415

    given = tuple(each.strip() for each in (symbols or "").split(",") if each.strip())
    tracker = _tracker(runs, must_exist=False)
    store = open_store(tracker.where)
    reports: list[dict[str, Any]] = []
    for path in source:
        found = enter_past(read_past(path), store, tracker, symbols=given, horizon=horizon)
        reports.append(
            {
                "source": str(path),
                "read": found.read,
                "new": found.new,
                "symbols": list(found.symbols),
                "groups": list(found.groups),
            }
        )
    if as_json:
        print_json({"imported": reports})
        return
    for each in reports:
        if not each["read"]:
            stdout().print(f"{each['source']} holds no finished trial; nothing was entered.")
            continue
        stdout().print(
            f"{each['source']}: {each['read']:,} trials on {', '.join(each['symbols'])}, "
            f"{each['new']:,} of them new. Verdicts on these symbols count them."
        )


def _tracker(runs: str | None, *, must_exist: bool = True) -> ExperimentTracker:
    """To read from: a misspelt folder is no empty database. What writes may create it."""
    from barstack.tracking import ExperimentTracker  # noqa: PLC0415

    found = ExperimentTracker(runs)
    where = str(found.where)
    if must_exist and "://" not in where and not Path(where).is_dir():
        raise ConfigError(f"There is no folder of runs {where}. Name it with --runs.")
    return found


def _named(row: Mapping[str, Any]) -> str:
    return f"{row['ic']:.4f}, {row['model_name']} at {row['horizon_name']}"


def _show(
    rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool, nothing: str
) -> None:
    if as_json:
        print_json({"rows": [_plain(row) for row in rows]})
        return
    if not rows:
        stdout().print(nothing)
        return
    from ._tables import table  # noqa: PLC0415

    shown = table(*(_column(name, isinstance(rows[0][name], str)) for name in columns))
    for row in rows:
        shown.add_row(*(_cell(name, row[name]) for name in columns))
    stdout().print(shown)


_HEADS = {
    "model_name": "model",
    "horizon_name": "horizon",
    "n_decisions": "decisions",
    "n_predictions": "predictions",
    "n_known": "known",
    "directional_accuracy": "right %",
    "mean_return": "mean, bps",
    "ic": "IC",
    "score": "IC",
    "gain": "gain",
}


def _column(name: str, is_text: bool) -> Column | str:
    from ._tables import folded, right  # noqa: PLC0415

    head = _HEADS.get(name, name)
    if name in ("model_name", "name"):
        return folded(head)
    return head if is_text else right(head)


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "directional_accuracy":
        return f"{100 * value:.1f}"
    if name == "mean_return":
        return f"{1e4 * value:.2f}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(value: Any) -> Any:
    """Rows as JSON takes them."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value
