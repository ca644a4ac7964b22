"""`barstack simulate`: what a run's forecasts would have earned, order by order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._complete import run_folders
from ._root import Json, app
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from barstack.evaluation.tearsheet import Tearsheet
    from barstack.simulation import Simulation

_EXAMPLE = "docs/simulation.md for one"


@app.command(
    epilog="Example: barstack simulate runs/3f2a... --html tearsheet.html"
    "\n\nExample: barstack simulate runs/3f2a... --plan simulation.yaml --trades trades.csv"
)
def simulate(
    run: Annotated[Path, typer.Argument(help="The folder of a run.", autocompletion=run_folders)],
    plan: Annotated[
        Path | None,
        typer.Option(help="A file with a strategy and settings of fills, costs and limits."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="A member or ensemble, by default the judged one.")
    ] = None,
    horizon: Annotated[str | None, typer.Option(help="By default the one of the verdict.")] = None,
    folder: Annotated[Path, typer.Option(help="Where relative paths in the study start.")] = Path(),
    html: Annotated[Path | None, typer.Option(help="The tearsheet as a page to write.")] = None,
    trades: Annotated[
        Path | None, typer.Option(help="A CSV file of all round trips to write.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Trade a run's forecasts through orders, fills, costs and limits; show the tearsheet.

    Every forecast was made before the bars it is traded on. By default each decision is
    held until its label is known, orders fill at the next open, and the study's cost_bps
    is the commission; a plan says otherwise.
    """
    from barstack.core.yaml import read_yaml_file  # noqa: PLC0415
    from barstack.evaluation.tearsheet import tearsheet  # noqa: PLC0415
    from barstack.experiments import simulate_run, simulation_plan  # noqa: PLC0415

    content = {} if plan is None else read_yaml_file(plan, "simulation", _EXAMPLE)
    strategy, settings = simulation_plan(content)
    done = simulate_run(
        run, name=name, horizon=horizon, strategy=strategy, settings=settings, folder=folder
    )
    found = tearsheet(done, title=f"Simulation of run {run.resolve().name[:8]}")
    written = {}
    if html is not None:
        from barstack.reports import render_tearsheet, write_page  # noqa: PLC0415

        write_page(render_tearsheet(found, done), html)
        written["page"] = str(html)
    if trades is not None:
        from barstack.core.files import new_file  # noqa: PLC0415

        with new_file(trades) as scratch:
            done.frame("trades").to_csv(scratch, index=False)
        written["trades_file"] = str(trades)
    if as_json:
        print_json(found.to_json() | written)
        return
    _show(found, done)
    for file in written.values():
        stdout().print(f"Wrote {file}")


def _show(found: Tearsheet, done: Simulation) -> None:
    console = stdout()
    console.print(f"{found.title}: {found.sentence}.\n")
    console.print(_beside(found))
    own = found.trades
    if own["number"]:
        win, factor = own["win_rate"] or 0.0, own["profit_factor"]
        shown = "no losses" if factor is None else f"profit factor {factor:.2f}"
        console.print(
            f"{own['number']:,.0f} round trips, {100 * win:.1f} % won, {shown}, mean net result "
            f"{own['expectancy']:,.2f}"
        )
    costs = found.costs
    even = costs["break_even"]
    lasting = "" if even is None else f"; nothing is left at {even:.2f} times the costs"
    console.print(f"Costs {costs['paid']:,.2f} on {costs['turnover']:,.0f} traded{lasting}")
    for note in done.notes:
        console.print(note)


def _beside(found: Tearsheet) -> Table:
    from ._tables import right, table  # noqa: PLC0415

    shown = table("", *map(right, ("total %", "a year %", "Sharpe", "drawdown %", "costs")))
    for row in found.beside:
        sharpe = "–" if row["sharpe"] is None else f"{row['sharpe']:.2f}"
        shown.add_row(
            str(row["name"]),
            f"{100 * row['total']:+.1f}",
            f"{100 * row['annual']:+.1f}",
            sharpe,
            f"{100 * row['drawdown']:.1f}",
            f"{row['costs']:,.0f}",
        )
    return shown
