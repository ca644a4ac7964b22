"""`barstack ensemble`: members of a finished run combined anew, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barstack.core.errors import ConfigError

from ._complete import run_folders
from ._root import Json, app
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.evaluation import CombinedScore, Gain
    from barstack.experiments import Recombination, Recombined


@app.command(
    epilog="Example: barstack ensemble runs/3f2a... --drop lstm --method nnls --method median"
    "\n\nExample: barstack ensemble runs/3f2a... --add runs/91bc...:catboost"
    "\n\nExample: barstack ensemble runs/3f2a... --method 'nnls={\"weight_spread\": 0.2}'"
)
def ensemble(
    run: Annotated[
        Path, typer.Argument(help="The folder of a finished run.", autocompletion=run_folders)
    ],
    add: Annotated[
        list[str] | None,
        typer.Option(metavar="<name>", help="An ensemble of the run, or RUN:NAME of another run."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="<name>", help="A member to leave out.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name[=json]>",
            help="How to combine, by default as the judged ensemble; settings as JSON.",
        ),
    ] = None,
    folder: Annotated[
        Path,
        typer.Option(help="Where relative paths in the study start, for methods that read bars."),
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Combine a run's members in other ways, from stored forecasts; no model is fitted.

    Shows the run's ensembles and the new ones, each against equal weights and the best
    member chosen on earlier rows. Members of another run need the same bars, label and
    split. Each new combination is a trial: verdicts on these symbols count it from then
    on. Without options the run's own ensembles are shown, and nothing is counted.
    """
    from barstack.experiments import Engine, Study, method_of, recombine  # noqa: PLC0415

    methods = dict(method_of(each) for each in method or [])
    if len(methods) < len(method or []):
        raise ConfigError("A method is named twice. Give each once.")
    engine = None
    if folder != Path():
        engine = Engine(Study.from_yaml(run / "study.yaml"), run.resolve().parent, folder)
    found = recombine(run, methods, add=add or [], drop=drop or [], engine=engine)
    if as_json:
        print_json({"run": str(run)} | found.to_json())
        return
    _show(found)


def _show(found: Recombination) -> None:
    from barstack.core.horizon import Horizon  # noqa: PLC0415

    from ._tables import folded, right, table  # noqa: PLC0415

    console = stdout()
    for place, first in enumerate(found.entries[0].scores):
        shown = table(
            folded(f"{Horizon.parse(first.horizon).in_words} ahead"),
            *map(right, ("loss", "right %", "IC", "equal %", "best %", "s")),
        )
        for each in found.entries:
            score = each.scores[place]
            seconds = "" if each.seconds is None else f"{each.seconds:.1f}"
            style = "" if each.seconds is None else "bold"
            shown.add_row(each.name, *_cells(score), seconds, style=style)
        console.print(shown)
        console.print(f"{first.n_decisions:,} shared decisions; the loss is the {first.loss}.\n")
    console.print(
        "equal  loss below that of equal weights, in %, ± one standard error\n"
        "best   the same against the best member chosen on earlier rows\n"
        "*      distinguished from 0, all that was tried on this run counted\n"
    )
    for each in found.entries:
        if each.seconds is not None or len(found.entries) == 1:
            for gain in _gains(each):
                console.print(gain.sentence)
    console.print(_counted(found))


def _cells(score: CombinedScore) -> tuple[str, ...]:
    from ._show import gain_cell, plus_minus  # noqa: PLC0415

    return (
        f"{score.value:.3g}",
        plus_minus(score.directional_accuracy, None, 100, 1),
        plus_minus(score.ic, None, 1, 3),
        *map(gain_cell, reversed(score.gains)),
    )


def _gains(each: Recombined) -> list[Gain]:
    return [gain for score in each.scores for gain in score.gains]


def _counted(found: Recombination) -> str:
    if not found.added:
        return f"No new trial; verdicts on these symbols count {found.counted}."
    return (
        f"{found.added} new trial{'s' if found.added > 1 else ''}, as each combination is one at "
        f"each horizon: verdicts on these symbols count {found.counted} from now on."
    )
