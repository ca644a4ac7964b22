"""`barstack holdout`: open the sealed bars of a study, once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._complete import run_folders
from ._root import Json, group
from ._terminal import print_json, stdout

holdout = group(
    "holdout",
    "The sealed last stretch of a study's bars.",
    "barstack holdout open runs/3f2a...",
)


@holdout.command(name="open", epilog="Example: barstack holdout open runs/3f2a...")
def open_(
    run: Annotated[Path, typer.Argument(help="The folder of a run.", autocompletion=run_folders)],
    folder: Annotated[Path, typer.Option(help="Where relative paths in the study start.")] = Path(
        "."
    ),
    as_json: Json = False,
) -> None:
    """Judge a run by the bars that its study has sealed, once; exit 1 unless that supports it.

    The ledger records who opened them and when. Opening the same bars for another run is another
    look at them, and is counted.
    """
    from barstack.experiments import open_holdout  # noqa: PLC0415

    found = open_holdout(run, folder=folder)
    if as_json:
        print_json(found.to_json())
    else:
        console = stdout()
        if found.hypothesis:
            console.print(f"Pre-registered: {found.hypothesis}")
        console.print(found.sentence)
        console.print(
            f"{found.n_decisions:,} decisions, {found.first_at} to {found.last_at}; opened "
            f"{found.opened_at[:16].replace('T', ' ')} UTC by {found.opened_by}."
        )
    raise typer.Exit(0 if found.edge == "supported" else 1)
