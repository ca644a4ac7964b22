"""`barstack compare`: forecasters of one run or several, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barstack.core.errors import ConfigError, did_you_mean

from ._root import app
from ._terminal import Json, print_json, stdout

if TYPE_CHECKING:
    from barstack.evaluation import Comparison


@app.command(epilog="Example: barstack compare runs/3f2a... runs/91bc... --html compare.html")
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs; one or several.")],
    horizon: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    html: Annotated[Path | None, typer.Option(help="A page to write.")] = None,
    as_json: Json = False,
) -> None:
    """Members and ensembles side by side on the decisions they share: the best at each horizon.

    How far each lies behind the best has a standard error of its own, as forecasters
    that err alike are told apart sooner.
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
    _show(found, named)
    if html is not None:
        stdout().print(f"Wrote {html}", highlight=False)


def _show(found: list[Comparison], named: dict[str, str]) -> None:
    from rich.table import Table  # noqa: PLC0415

    from barstack.core.horizon import Horizon  # noqa: PLC0415

    from ._show import plus_minus  # noqa: PLC0415

    console = stdout()
    if len(named) > 1:
        for label, run in named.items():
            console.print(f"({label})  {run}", markup=False, highlight=False)
        console.print()
    for each in found:
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        table.add_column(f"{Horizon.parse(each.horizon).in_words} ahead", overflow="fold")
        for heading in ("right %", "IC", "behind"):
            table.add_column(heading, justify="right", no_wrap=True)
        for place, entry in enumerate(each.entries):
            table.add_row(
                entry.name,
                plus_minus(entry.directional_accuracy, entry.directional_accuracy_se, 100, 1),
                plus_minus(entry.ic, entry.ic_se, 1, 3),
                plus_minus(entry.behind, entry.behind_se, 1, 3) if place else "",
                style="dim" if entry.told_apart else "",
            )
        console.print(table)
        when = f"{each.n_decisions:,} shared decisions, {each.first_at[:10]} to {each.last_at[:10]}"
        console.print(f"{each.sentence}\n{when}.\n", highlight=False)
    console.print(
        "behind  how far the IC lies below the best one's; dim where clearly so\n"
        "The best of many is best in part by luck: barstack leaderboard counts that.",
        highlight=False,
    )
