"""`barstack audit`: the hunt for leaks, by itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ._root import app
from ._terminal import Json, print_json, stderr, stdout


@app.command(epilog="Example: barstack audit examples/aapl_daily_direction.yaml")
def audit(
    study: Annotated[Path, typer.Argument(help="A study file, see examples/.")],
    as_json: Json = False,
) -> None:
    """Hunt for leaks in a study's features, labels and folds; exit 1 when there is one.

    Bars are cut and their future altered at a dozen moments; whatever was known
    before must not change.
    """
    from barstack.experiments import Study  # noqa: PLC0415
    from barstack.experiments import audit as hunt  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    spec = Study.from_yaml(study)
    leaks = hunt(spec, folder=study.parent, progress=ShownProgress(stderr()))
    if as_json:
        rows = [
            {
                "stage": leak.stage,
                "column": leak.column,
                "symbol": leak.symbol,
                "at": str(leak.at),
                "what": leak.what,
                "mend": leak.mend,
            }
            for leak in leaks
        ]
        print_json({"leaks": rows})
    elif leaks:
        console = stdout()
        console.print(f"[bold red]{len(leaks)} leak{'s' if len(leaks) > 1 else ''}[/]\n")
        for leak in leaks:
            console.print(f"[bold]{leak.stage}[/]  {leak.column}", highlight=False)
            console.print(f"  {leak.what}", markup=False, highlight=False)
            console.print(f"  {leak.mend}\n", markup=False, highlight=False)
    else:
        stdout().print("No leak found in features, labels and folds.", style="green")
    if leaks:
        sys.exit(1)
