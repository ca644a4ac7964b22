"""What is done with a study: `demo`, `run`, `audit`, `export` and `schema`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._complete import studies
from ._root import Json, app
from ._terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from barstack.core.forecast import Forecast
    from barstack.experiments import Run

Runs = Annotated[Path, typer.Option(help="Folder that receives a folder for each run.")]
StudyFile = Annotated[
    Path, typer.Argument(help="A study file, see examples/.", autocompletion=studies)
]


@app.command(epilog="Example: barstack demo --json | jq .verdict.sentence")
def demo(runs: Runs = Path("runs"), as_json: Json = False) -> None:
    """The whole chain on bundled real bars: learn, judge, report, and forecast the newest bar."""
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
    console.print("\nThe newest bar, from the saved artifact", style="bold")
    for line in forecast_lines(newest):
        console.print(f"  {line}")
    if run.verdict.edge != "supported":
        console.print("  With no edge proven, these are the model's best guess, not advice.")


@app.command(epilog="Example: barstack run examples/spy_aapl_nvda_30min.yaml")
def run(
    study: StudyFile,
    runs: Runs = Path("runs"),
    each_symbol: Annotated[
        bool, typer.Option("--each-symbol", help="A run and an artifact for each symbol.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a study: bars, features, labels, members, ensemble, verdict, report, artifact.

    Steps of earlier runs are reused where nothing that they depend on has changed.
    With --each-symbol a symbol that fails stops no other, and training_summary.csv
    in the folder of runs has every score; exit 1 when one failed.
    """
    if each_symbol:
        _run_each_symbol(study, runs, as_json)
        return
    done = _run(study, runs, as_json)
    if as_json:
        print_json(done.to_json())


def _run(study: Path, runs: Path, as_json: bool) -> Run:
    from barstack._api import run as run_study_file  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415
    from ._show import show_run  # noqa: PLC0415

    done = run_study_file(study, runs=runs, progress=ShownProgress(stderr()))
    if not as_json:
        show_run(done, stdout())
    return done


def _run_each_symbol(file: Path, runs: Path, as_json: bool) -> None:
    from barstack import reports  # noqa: F401, PLC0415 (registers the view that writes reports)
    from barstack.experiments import Study, run_each_symbol  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    spec = Study.from_yaml(file)
    found = run_each_symbol(spec, folder=file.parent, runs=runs, progress=ShownProgress(stderr()))
    answers = {
        symbol: {"run": run.id, "edge": run.verdict.edge, "sentence": run.verdict.sentence}
        for symbol, run in found.runs.items()
    }
    if as_json:
        print_json({"symbols": answers, "errors": found.errors, "summary": str(found.summary)})
    else:
        console = stdout()
        for symbol, answer in answers.items():
            console.print(f"{symbol}  {answer['run']}  {answer['sentence']}", markup=False)
        for symbol, error in found.errors.items():
            console.print(f"{symbol}  {error}", markup=False, style="red")
        console.print(f"Every score: {found.summary}", markup=False)
    if found.errors:
        raise typer.Exit(1)


def _newest(forecast: Forecast) -> list[dict[str, Any]]:
    columns = forecast.columns()
    return [
        {
            name: (value[row].item() if value.dtype.kind == "f" else str(value[row]))
            for name, value in columns.items()
        }
        for row in range(len(forecast))
    ]


@app.command(epilog="Example: barstack audit examples/aapl_daily_direction.yaml")
def audit(
    study: StudyFile,
    short: Annotated[
        bool, typer.Option("--short", help="Three cuts and no fits, as before each run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Search a study for leaks, from features to ensembles; exit 1 when there is one.

    Bars are cut and their future altered at the edges of folds and between them;
    whatever was known before must not change. Then all folds are fitted again with
    everything poisoned that they may not see. Where nothing responds to the alterations,
    the audit cannot see, and reports that.
    """
    from barstack.experiments import Study, audited  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    spec = Study.from_yaml(study)
    leaks, record = audited(
        spec, folder=study.parent, short=short, progress=ShownProgress(stderr())
    )
    if as_json:
        print_json({"leaks": [leak.to_json() for leak in leaks], "audit": asdict(record)})
    elif leaks:
        console = stdout()
        blind = sum(leak.blind for leak in leaks)
        found = len(leaks) - blind
        counts = [f"{found} leak{'s' if found > 1 else ''}"] * bool(found)
        counts += [f"{blind} place{'s' if blind > 1 else ''} it cannot see into"] * bool(blind)
        console.print(f"{', and '.join(counts)}\n", style="bold red")
        for leak in leaks:
            console.print(leak.stage, style="bold", end="")
            console.print(f"  {leak.column}\n  {leak.what}\n  {leak.mend}\n")
    else:
        what = "features, labels and folds" if short else "features, labels, folds and fits"
        stdout().print(f"No leak found in {what}.", style="green")
    if leaks:
        raise typer.Exit(1)


@app.command(epilog="Example: barstack export study.yaml --out sets --scaled")
def export(
    study: StudyFile,
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier export is replaced.")],
    scaled: Annotated[
        bool, typer.Option("--scaled", help="Features as models see them; by default as computed.")
    ] = False,
    runs: Annotated[Path, typer.Option(help="Steps of runs here are reused.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """Write train, validation and test rows of a study as parquet files.

    Features, labels and weights; rows whose labels overlap the next part are in
    none. A split of several folds gives a folder for each. Nothing is fitted but
    the scaler, on training rows.
    """
    from barstack.datasets import check_free, export_folds  # noqa: PLC0415 (numpy is slow to import)
    from barstack.experiments import Engine, Study  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    spec = Study.from_yaml(study)
    check_free(out)  # before minutes of computing
    progress = ShownProgress(stderr())
    engine = Engine(spec, runs, study.parent, progress)
    spec = engine.study
    folds, features, labels = (engine.value(each) for each in ("split", "features", "labels"))
    content = export_folds(
        out,
        folds,
        lambda number: spec.dataset(features, labels.of(number).table),
        splitter=spec.split,
        scaled=scaled,
        progress=progress,
        about={"study": spec.content(), "study_id": spec.id, "bars_sha256": engine.key("bars")},
        # With the numbers that it learned from the fold's training rows, such as barriers.
        about_fold=lambda number: {"label": dict(labels.of(number).content)},
    )
    written = content.get("folds") or [{"folder": "."} | content["parts"]]
    if as_json:
        print_json({"folder": str(out), "scaled": scaled, "folds": written})
        return
    from ._tables import right, table  # noqa: PLC0415

    parts = ("train", "validation", "test")
    shown = table("folder", *map(right, (*parts, "left out")))
    for each in written:
        counts = [each[name]["rows"] for name in parts] + [each["left_out"]]
        shown.add_row(each["folder"], *(f"{count:,}" for count in counts))
    stdout().print(shown)
    stdout().print(f"Written to {out}.", soft_wrap=True)


@app.command(epilog="Example: barstack schema > study.schema.json, then point your editor at it.")
def schema() -> None:
    """The JSON Schema of study files."""
    from barstack.experiments import Study  # noqa: PLC0415

    print_json(Study.model_json_schema())
