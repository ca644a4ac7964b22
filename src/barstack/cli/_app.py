"""Commands. Each is a function call with options named like its arguments."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ArtifactError, ConfigError, DataError, StorageError

from ._root import app
from ._terminal import Json, print_json, stderr, stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barstack.bars import Bars, Series, SeriesTable
    from barstack.experiments import Run

_MORE = {
    "features": "Formulas by group: barstack features list.",
    "models": "Sizes: barstack models list. Settings: barstack models show NAME.",
    "splits": "Settings: barstack splits list.",
}
Runs = Annotated[Path, typer.Option(help="Folder that receives a folder for each run.")]


@app.command(epilog="Example: barstack demo --json | jq .verdict.sentence")
def demo(runs: Runs = Path("runs"), as_json: Json = False) -> None:
    """The main job on bundled real bars: learn, judge, report, and forecast the newest bar."""
    run = _run(Path(__file__).with_name("demo.yaml"), runs, as_json)
    from barstack.forecasting import load  # noqa: PLC0415

    predictor = load(run.folder)
    newest = next(iter(predictor.forecasts(run.bars).values()))
    answer = run.to_json() | {"newest": _newest(newest)}
    if as_json:
        print_json(answer)
        return
    from ._show import forecast_lines  # noqa: PLC0415

    console = stdout()
    console.print("\n[bold]The newest bar, from the saved artifact[/]")
    for line in forecast_lines(newest):
        console.print(f"  {line}", highlight=False)
    if run.verdict.edge != "supported":
        console.print("  With no edge proven, these are the model's best guess, not advice.")


@app.command(epilog="Example: barstack run examples/spy_aapl_nvda_30min.yaml")
def run(
    study: Annotated[Path, typer.Argument(help="A study file, see examples/.")],
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Run a study: bars, features, labels, members, ensemble, verdict, report, artifact.

    What an earlier run has made and nothing changed is reused.
    """
    done = _run(study, runs, as_json)
    if as_json:
        print_json(done.to_json())


@app.command(epilog="Example: barstack predict runs/3f2a... bars/SPY.parquet")
def predict(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or the folder of a run.")],
    bars: Annotated[Path, typer.Argument(help="A file of bars, with enough before the newest.")],
    symbol: Annotated[str | None, typer.Option(help="By default the file's name.")] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(metavar="<name=file>", help="A series the study used; once for each."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Forecast the newest bar of each symbol; with --json, every bar newer than the training."""
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.forecasting import load  # noqa: PLC0415

    if not bars.exists():
        raise DataError(f"{bars} is neither a file nor a folder. Give one of bars.")
    predictor = load(artifact)
    source: dict[str, Any] = {"provider": "files", "path": str(bars.resolve())}
    if symbol is not None and bars.is_dir():
        source["symbols"] = [symbol]
    reading = predictor.trained.bars.settings()
    panel = PROVIDERS.parse(source | reading).load()
    if symbol is not None and symbol not in panel:  # a file of another name
        (each,) = panel.values()
        panel = {symbol: replace(each, symbol=symbol)}
    tables = _series(predictor.trained.features.series, series or [])
    frame = predictor.predict(panel, series=tables)
    if as_json:
        moments = frame["decided_at"].map(lambda moment: moment.isoformat())
        rows = frame.assign(decided_at=moments, verdict=predictor.verdict)
        print_json({"forecasts": rows.to_dict(orient="records")})
        return
    from ._show import forecast_lines  # noqa: PLC0415

    newest = next(iter(predictor.forecasts(panel, series=tables).values()))
    sides = _sides(predictor.provenance.label, panel)
    for line in forecast_lines(newest, sides, predictor.verdict):
        stdout().print(line, markup=False, highlight=False)


def _sides(label: Mapping[str, Any] | None, panel: Mapping[str, Bars]) -> dict[str, int]:
    """The side at each symbol's newest bar, where the forecast is for or against a rule."""
    from barstack.labels import LABELS  # noqa: PLC0415

    if label is None:
        return {}
    try:
        rule = LABELS.parse(label)
    except ConfigError as error:
        raise ArtifactError(
            f"The label of this artifact needs what is not here: {error} Install the package it "
            "comes from, or use --json, which needs no label."
        ) from None
    taken = {symbol: rule.newest_side(bars) for symbol, bars in panel.items()}
    return {symbol: side for symbol, side in taken.items() if side is not None}


def _series(specs: Mapping[str, Series], given: list[str]) -> dict[str, SeriesTable]:
    """The files that `--series` names, read as the study read its own."""
    from barstack.bars import SeriesFile  # noqa: PLC0415
    from barstack.core.errors import did_you_mean  # noqa: PLC0415

    tables = {}
    for each in given:
        name, equals, file = each.partition("=")
        if not equals or name not in specs or name in tables:
            raise ConfigError(
                f"Cannot use --series {each}. Write NAME=FILE, once for each series. "
                f"{did_you_mean(name, specs)}"
            )
        tables[name] = SeriesFile(path=file, **specs[name].content()).load(".", name)
    return tables


@app.command(epilog="Example: barstack leaderboard runs/3f2a... --horizon 4h")
def leaderboard(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    horizon: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Scores of everything a run tried, with standard errors, and its verdict."""
    from barstack.experiments import Judged  # noqa: PLC0415

    from ._show import leaderboard_table, show_verdict  # noqa: PLC0415

    file = run / "evaluation.json"
    if not file.is_file():
        raise ConfigError(f"{run} is not the folder of a run: it has no evaluation.json.")
    try:
        found = Judged.from_json(json.loads(file.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{file} is damaged: {error!r}. Run the study again; finished steps are reused."
        ) from error
    horizon = None if horizon is None else found.evaluation.horizon_called(horizon)
    if as_json:
        content = found.to_json()
        told = {name: content[name] for name in ("verdict", "audits", "contradictions")}
        for name in ("scores", "confusions"):
            told[name] = [each for each in content[name] if horizon in (None, each["horizon"])]
        print_json(told)
        return
    stdout().print(leaderboard_table(found.evaluation, found.verdict.trials, horizon))
    show_verdict(found.verdict, stdout())


@app.command(name="list", epilog="Example: barstack list models")
def list_(
    kind: Annotated[
        str,
        typer.Argument(
            help="features, models, labels, splits, scalers, ensembles, providers or checks."
        ),
    ],
    as_json: Json = False,
) -> None:
    """What study files can name, plugins included."""
    rows = _registered(kind)
    if as_json:
        print_json({kind: rows})
        return
    from rich.table import Table  # noqa: PLC0415

    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    stdout().print(table)
    if kind in _MORE:
        stdout().print(_MORE[kind], highlight=False)


@app.command(epilog="Example: barstack schema > study.schema.json, then point your editor at it.")
def schema() -> None:
    """The JSON Schema of study files."""
    from barstack.experiments import Study  # noqa: PLC0415

    print_json(Study.model_json_schema())


def _run(study: Path, runs: Path, as_json: bool) -> Run:
    from barstack._api import run as run_study_file  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415
    from ._show import show_run  # noqa: PLC0415

    done = run_study_file(study, runs=runs, progress=ShownProgress(stderr()))
    if not as_json:
        show_run(done, stdout())
    return done


def _registered(kind: str) -> list[dict[str, Any]]:
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.core.errors import did_you_mean  # noqa: PLC0415
    from barstack.datasets import SCALERS  # noqa: PLC0415
    from barstack.ensembles import ENSEMBLES  # noqa: PLC0415
    from barstack.features import FEATURES  # noqa: PLC0415
    from barstack.labels import LABELS  # noqa: PLC0415
    from barstack.models import MODELS  # noqa: PLC0415
    from barstack.splits import SPLITTERS  # noqa: PLC0415

    if kind == "features":
        return [
            {
                "name": name,
                "group": FEATURES.get(name).group,
                "parameters": ", ".join(f"{k}={v}" for k, v in FEATURES.get(name).params.items()),
                "unit": FEATURES.get(name).unit,
                "about": FEATURES.get(name).about.split("\n\n")[0].replace("\n", " "),
            }
            for name in FEATURES.names()
        ]
    if kind == "checks":
        from barstack.bars.checks import CHECKS, STRUCTURAL  # noqa: PLC0415

        named = [CHECKS.get(name) for name in CHECKS.names()]
        always = [(name, "always refuses", about) for name, about in STRUCTURAL.items()]
        listed = [(each.name, f"{each.level}s", each.about) for each in named] + always
        return [
            {"name": name, "by default": level, "about": about} for name, level, about in listed
        ]
    registries: dict[str, Any] = {
        "models": MODELS,
        "labels": LABELS,
        "splits": SPLITTERS,
        "scalers": SCALERS,
        "ensembles": ENSEMBLES,
        "providers": PROVIDERS,
    }
    if kind not in registries:
        kinds = [*registries, "checks", "features"]
        raise ConfigError(f"Nothing is listed as {kind!r}. {did_you_mean(kind, kinds)}")
    registry = registries[kind]
    rows = []
    for name in registry.names():
        spec = registry.get(name)
        facts = {"tasks": ", ".join(spec.tasks)} if kind == "models" else {}
        about = (spec.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        rows.append({"name": name, **facts, "about": " ".join(about.split())})
    return rows


def _newest(forecast: Any) -> list[dict[str, Any]]:
    columns = forecast.columns()
    return [
        {
            name: (value[row].item() if value.dtype.kind == "f" else str(value[row]))
            for name, value in columns.items()
        }
        for row in range(len(forecast))
    ]
