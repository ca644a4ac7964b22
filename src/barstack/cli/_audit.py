"""`barstack audit`: the hunt for leaks, by itself."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ._root import app
from ._terminal import Json, print_json, stderr, stdout


@app.command(epilog="Example: barstack audit examples/aapl_daily_direction.yaml")
def audit(
    study: Annotated[Path, typer.Argument(help="A study file, see examples/.")],
    short: Annotated[
        bool, typer.Option("--short", help="Three cuts and no fits, as before every run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Hunt for leaks in a study, from features to ensembles; exit 1 when there is one.

    Bars are cut and their future altered at the edges of folds and between them;
    whatever was known before must not change. Then all folds are fitted again with
    everything poisoned that they may not see. Where nothing answers to what is altered,
    it cannot see, and says so.
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
        told = len(leaks) - blind
        counts = [f"{told} leak{'s' if told > 1 else ''}"] * bool(told)
        counts += [f"{blind} place{'s' if blind > 1 else ''} it cannot see into"] * bool(blind)
        console.print(f"[bold red]{', and '.join(counts)}[/]\n")
        for leak in leaks:
            console.print(f"[bold]{leak.stage}[/]  {leak.column}", highlight=False)
            console.print(f"  {leak.what}", markup=False, highlight=False)
            console.print(f"  {leak.mend}\n", markup=False, highlight=False)
    else:
        what = "features, labels and folds" if short else "features, labels, folds and fits"
        stdout().print(f"No leak found in {what}.", style="green")
    if leaks:
        sys.exit(1)
