"""What runs and artifacts have found: `predict`, `leaderboard` and `compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ArtifactError, ConfigError, DataError, did_you_mean

from ._complete import run_folders
from ._root import Json, app
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from barstack.bars import Bars, Series, SeriesTable
    from barstack.evaluation import Comparison


@app.command(epilog="Example: barstack predict runs/3f2a... bars/SPY.parquet")
def predict(
    artifact: Annotated[
        Path,
        typer.Argument(help="An artifact, or the folder of a run.", autocompletion=run_folders),
    ],
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
        stdout().print(line)


def _sides(label: Mapping[str, Any] | None, panel: Mapping[str, Bars]) -> dict[str, int]:
    """The side at each symbol's newest bar, where a rule takes sides (meta-labelling)."""
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
    run: Annotated[Path, typer.Argument(help="The folder of a run.", autocompletion=run_folders)],
    horizon: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    as_json: Json = False,
) -> None:
    """Scores of everything a run tried, with standard errors, and its verdict."""
    from barstack.experiments import judged_now  # noqa: PLC0415

    from ._show import gains_table, leaderboard_table, show_verdict  # noqa: PLC0415

    found = judged_now(run)
    horizon = None if horizon is None else found.evaluation.horizon_called(horizon)
    if as_json:
        content = found.to_json()
        shown = {name: content[name] for name in ("verdict", "audits", "contradictions")}
        for name in ("scores", "confusions", "gains"):
            shown[name] = [each for each in content[name] if horizon in (None, each["horizon"])]
        print_json(shown)
        return
    stdout().print(leaderboard_table(found.evaluation, found.verdict.trials, horizon))
    if (gains := gains_table(found.evaluation, horizon)) is not None:
        stdout().print(gains)
    show_verdict(found.verdict, stdout())


@app.command(epilog="Example: barstack compare runs/3f2a... runs/91bc... --html compare.html")
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs; one or several.", autocompletion=run_folders),
    ],
    horizon: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    html: Annotated[Path | None, typer.Option(help="A page to write.")] = None,
    as_json: Json = False,
) -> None:
    """Members and ensembles side by side on their shared decisions: the best at each horizon.

    The distance of each from the best has a standard error of its own: forecasters with
    similar errors are distinguished sooner.
    """
    from barstack.experiments import compare_runs, named_runs  # noqa: PLC0415

    found, named = compare_runs(runs), named_runs(runs)
    if horizon is not None:
        known = [each.horizon for each in found]
        if horizon not in known:
            raise ConfigError(
                f"These runs share no horizon {horizon!r}. {did_you_mean(horizon, known)}"
            )
        found = [each for each in found if each.horizon == horizon]
    if html is not None:
        from barstack.reports import render_comparison, write_page  # noqa: PLC0415

        write_page(render_comparison(found, named), html)
    if as_json:
        page = {} if html is None else {"page": str(html)}
        print_json({"comparisons": [each.to_json() for each in found]} | page)
        return
    _show_comparisons(found, named)
    if html is not None:
        stdout().print(f"Wrote {html}")


def _show_comparisons(found: list[Comparison], named: dict[str, str]) -> None:

    from barstack.core.horizon import Horizon  # noqa: PLC0415

    from ._show import plus_minus  # noqa: PLC0415
    from ._tables import folded, right, table  # noqa: PLC0415

    console = stdout()
    if len(named) > 1:
        for label, run in named.items():
            console.print(f"({label})  {run}")
        console.print()
    for each in found:
        heading = folded(f"{Horizon.parse(each.horizon).in_words} ahead")
        shown = table(heading, *map(right, ("right %", "IC", "behind")))
        for place, entry in enumerate(each.entries):
            shown.add_row(
                entry.name,
                plus_minus(entry.directional_accuracy, entry.directional_accuracy_se, 100, 1),
                plus_minus(entry.ic, entry.ic_se, 1, 3),
                plus_minus(entry.behind, entry.behind_se, 1, 3) if place else "",
                style="dim" if entry.distinguished else "",
            )
        console.print(shown)
        when = f"{each.n_decisions:,} shared decisions, {each.first_at[:10]} to {each.last_at[:10]}"
        console.print(f"{each.sentence}\n{when}.\n")
    console.print(
        "behind  how far the IC lies below the best one's; dim where that is significant\n"
        "The best of many is best in part by luck: barstack leaderboard accounts for that.",
    )
