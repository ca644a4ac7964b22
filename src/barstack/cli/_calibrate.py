"""`barstack calibrate`: how often a study finds a signal, and is fooled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._root import Json, app
from ._study import Runs, StudyFile
from ._terminal import print_json, report, stderr, stdout


@app.command(epilog="Example: barstack calibrate study.yaml --worlds 50 --r2 0.01")
def calibrate(
    study: StudyFile,
    worlds: Annotated[
        int, typer.Option(help="Without a signal, and as many with it; each is a whole run.")
    ] = 100,
    r2: Annotated[
        float, typer.Option(help="Share of squared returns that the planted signal explains.")
    ] = 0.01,
    seed: Annotated[int, typer.Option(help="Of the first world.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes; by default as many as cores.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, serial or ray.")] = "local",
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Run a study on worlds like its own bars, half of them with a signal of known strength.

    Worlds have the bars' times, sizes of moves and volumes, and directions drawn by lot. Stopped
    in any way, the same command goes on.
    """
    from barstack.experiments import calibrate as calibrated  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    found = calibrated(
        study,
        worlds=worlds,
        r2=r2,
        seed=seed,
        runs=runs,
        workers=workers,
        engine=engine,
        progress=ShownProgress(stderr()),
    )
    if as_json:
        print_json(found.to_json())
        return
    stdout().print(found.sentence)
    for each in found.errors[:3]:
        report("failed", each)
    if len(found.errors) > 3:
        report("failed", f"and {len(found.errors) - 3} more worlds")
