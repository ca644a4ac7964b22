"""`barstack tune`: settings of a study's members, searched and locked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.text import printable

from ._complete import studies
from ._root import Json, app
from ._terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from rich.console import Console

    from barstack.experiments import MemberTuned, Tried, TunePlan, TuneResult

_LINE_S = 10.0  # between lines of progress where there is no terminal
_SHOWN = 4  # settings by their importance


@app.command(epilog="Example: barstack tune study.yaml --trials 100 --member lightgbm")
def tune(
    study: Annotated[
        Path, typer.Argument(help="A study file, see examples/.", autocompletion=studies)
    ],
    trials: Annotated[
        int | None, typer.Option(min=2, help="For each member; by default 50, or as the study has.")
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option(metavar="<name>", help="Only this one; may be given again."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Tuned study to write; by default STUDY_tuned.yaml.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be searched; run nothing.")
    ] = False,
    max_workers: Annotated[
        int | None, typer.Option(help="Processes at once; by default one for each core.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, ray or serial.")] = "local",
    time_budget: Annotated[
        str | None, typer.Option(help="Begin nothing that is expected to end later: 10m, 2h.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of runs; results are kept in it.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """Search for better settings of a study's members, and write the tuned study.

    Settings are judged out of fold on the study's first folds, by Optuna's TPE with successive
    halving, and the best of them on the folds held back. Every trial counts in verdicts. A search
    that was stopped in any way goes on with the same command.
    """
    from barstack._api import tune as tune_study  # noqa: PLC0415
    from barstack.experiments import Study, plan_tuning  # noqa: PLC0415

    members = member or []
    if dry_run:
        spec = Study.from_yaml(study)
        plan = plan_tuning(spec, folder=study.parent, trials=trials, members=members)
        if as_json:
            print_json(plan.to_json())
        else:
            _show_plan(plan, stdout())
        return
    with _shown(stderr()) as watch:
        found = tune_study(
            study,
            trials=trials,
            members=members,
            to=to,
            workers=max_workers,
            engine=engine,
            time_budget=time_budget,
            runs=runs,
            watch=watch,
        )
    from barstack.reports import write_tuning_report  # noqa: PLC0415

    files = write_tuning_report(found, runs / f"tune-{found.id[:8]}")
    if as_json:
        print_json(found.to_json() | {"files": [str(each) for each in files]})
    else:
        _show(found, files[0], stdout())


def _shown(console: Console) -> Any:
    """What hears of the trials: a bar on a terminal, a line now and then elsewhere."""
    from barstack.experiments import TuneWatch  # noqa: PLC0415

    from ._progress import bars_on  # noqa: PLC0415

    class ShownTrials(TuneWatch):
        def __enter__(self) -> ShownTrials:
            return self

        def __exit__(self, *_: object) -> None:
            if self._bars is not None:
                self._bars.stop()

        def __init__(self) -> None:
            self._bars = bars_on(console) if console.is_terminal else None
            self._task: Any = None
            self._total = self._ended = 0
            self._best: dict[str, float] = {}
            self._printed = time.monotonic()

        def began(self, total: int) -> None:
            self._total = total
            if self._bars is not None:
                self._bars.start()
                self._task = self._bars.add_task("trials", total=total)

        def ended(self, trial: Tried) -> None:
            self._ended += 1
            if trial.status == "completed" and trial.loss is not None:
                before = self._best.get(trial.member, trial.loss)
                self._best[trial.member] = min(before, trial.loss)
            best = ", ".join(f"{name} {loss:.4f}" for name, loss in self._best.items())
            if self._bars is not None:
                about = printable(f"trials  {best}"[:60])
                self._bars.update(self._task, advance=1, description=about)
            elif time.monotonic() - self._printed > _LINE_S:
                self._printed = time.monotonic()
                line = f"  {self._ended:,} of {self._total:,} trials; best loss so far: {best}"
                console.print(printable(line), soft_wrap=True)

        def note(self, text: str) -> None:
            console.print(f"  {printable(text)}", style="yellow", soft_wrap=True)

    return ShownTrials()


def _show_plan(plan: TunePlan, console: Console) -> None:
    from ._tables import folded, table  # noqa: PLC0415

    shown = table("member", "setting", folded("searched"))
    for name, space in plan.spaces.items():
        for place, (setting, values) in enumerate(space.items()):
            shown.add_row("" if place else name, setting, _in_words(values))
    console.print(shown)
    count = plan.tuning.trials
    console.print(
        f"{count:,} trials of each, {count * len(plan.spaces):,} in all; every one counts in "
        "verdicts on these symbols."
    )
    if plan.left_alone:
        console.print(f"Left as they are: {', '.join(plan.left_alone)}.")


def _in_words(values: Any) -> str:
    if isinstance(values, dict) and {"low", "high"} <= set(values):
        log = ", by its logarithm" if values.get("log") else ""
        step = f", in steps of {values['step']:g}" if values.get("step") else ""
        return f"{values['low']:g} to {values['high']:g}{step}{log}"
    return ", ".join(map(str, values))


def _show(found: TuneResult, report: Path, console: Console) -> None:
    from ._tables import folded, right, table  # noqa: PLC0415

    shown = table("member", folded("best settings"), *map(right, ("before", "loss", "held back")))
    for each in found.members:
        shown.add_row(*_cells(each))
    console.print(shown)
    console.print(
        f"Losses are shares of the naive loss on the first {found.folds} of {found.all_folds} "
        "folds, where the best of many is best in part by luck.",
        soft_wrap=True,
    )
    for each in found.members:
        console.print(printable(each.sentence), soft_wrap=True)
        if each.importance:
            listed = ", ".join(
                f"{name} {share:.0%}" for name, share in list(each.importance.items())[:_SHOWN]
            )
            console.print(f"  What mattered: {listed}", soft_wrap=True)
    console.print(f"Verdicts on these symbols count {found.counted:,} trials from now on.")
    console.print(f"Wrote {report}.", soft_wrap=True)
    if found.file is not None:
        console.print(f"Wrote {found.file}. Next: barstack run {found.file}", soft_wrap=True)


def _cells(each: MemberTuned) -> tuple[str, ...]:
    from barstack.experiments import settings_in_words  # noqa: PLC0415

    held = "–" if each.held_back is None else f"{100 * each.held_back.gain:+.2f} %"
    best = settings_in_words(each.best.settings) if each.improved else "its own"
    return each.member, best, f"{each.before.loss:.4f}", f"{each.best.loss:.4f}", held
