"""`barstack sweep`: many experiments from one file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.text import printable

from ._root import Json, app
from ._terminal import print_json, stderr, stdout

if TYPE_CHECKING:
    from rich.console import Console

    from barstack.experiments import ExperimentResult, Sweep, SweepEstimate, SweepResult

_LINE_S = 10.0  # between lines of progress where there is no terminal
_SHOWN = 10


@app.command(epilog="Example: barstack sweep examples/first_sweep.yaml")
def sweep(
    file: Annotated[Path, typer.Argument(help="A sweep file, see examples/first_sweep.yaml.")],
    limit: Annotated[int | None, typer.Option(help="Only the first N experiments.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count, and estimate time and disk; run nothing.")
    ] = False,
    max_workers: Annotated[
        int | None, typer.Option(help="Processes at once; by default one for each core.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, ray or serial.")] = "local",
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name>",
            help="The best ten again with these too: multi_timeframe, or a feature set.",
        ),
    ] = None,
    time_budget: Annotated[
        str | None, typer.Option(help="Begin nothing that is expected to end later: 10m, 2h.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of runs; results are kept in it.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """Run many experiments: models x horizons x histories x settings, from one file.

    Each is one model at one horizon, judged out of fold, and a trial in the ledger. What is
    stored is reused, so that a sweep that was stopped in any way goes on with the same
    command. An experiment that fails stops no other; exit 1 when one failed.
    """
    from barstack.experiments import estimate_sweep, run_sweep  # noqa: PLC0415

    spec = _read(file, features or [])
    if dry_run:
        found = estimate_sweep(
            spec, folder=file.parent, runs=runs, limit=limit, workers=max_workers
        )
        if as_json:
            print_json(found.to_json())
        else:
            _show_estimate(found, stdout())
            if (phase := spec.feature_phase) is not None:
                stdout().print(
                    f"Then the best {phase.best:,} again with each of {', '.join(phase.add)}."
                )
        return
    with _shown(stderr()) as watch:
        done = run_sweep(
            spec,
            folder=file.parent,
            runs=runs,
            limit=limit,
            workers=max_workers,
            engine=engine,
            time_budget=time_budget,
            watch=watch,
        )
    if as_json:
        print_json(done.to_json())
    else:
        _show_result(done, stdout())
    if done.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: barstack report examples/first_sweep.yaml")
def report(
    file: Annotated[Path, typer.Argument(help="The file of a sweep that was run.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; by default runs/sweep-ID.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of runs that the sweep was run in.")] = Path(
        "runs"
    ),
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<name>",
            help="The best ten again with these too: multi_timeframe, or a feature set.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """What a sweep has found: which model, horizon, settings, history; does combining help?

    Answers come with an effect, an interval and a p-value corrected for everything compared, or
    say that no difference was found. Written as HTML and Markdown, with tables as CSV. Nothing
    is fitted; experiments that have not completed are left out.
    """
    from barstack.experiments import sweep_findings  # noqa: PLC0415
    from barstack.reports import write_sweep_report  # noqa: PLC0415

    spec = _read(file, features or [])
    found = sweep_findings(spec, folder=file.parent, runs=runs)
    out = out or runs / f"sweep-{spec.id[:8]}"
    files = write_sweep_report(found, out)
    if as_json:
        print_json(found.to_json() | {"files": [str(each) for each in files]})
        return
    console = stdout()
    luck = found.answers.luck
    console.print(
        f"Best of {luck.trials:,}: right in {100 * luck.best:.1f} % of moves; by luck alone "
        f"{100 * luck.expected_best:.1f} % is expected.",
        soft_wrap=True,
    )
    console.print(printable(found.gate.sentence), soft_wrap=True)
    for each in found.answers.answers:
        path = f" ({each.path})" if each.key == "settings" and each.path else ""
        console.print(f"\n{each.question}{path}", style="bold")
        console.print(printable(each.sentence), soft_wrap=True)
    console.print(f"\nWrote {files[0]}, {files[1].name} and {len(files) - 2} pictures and tables.")


def _read(file: Path, features: list[str]) -> Sweep:
    """The sweep of a file; that something is done shows on a terminal, as many take seconds."""
    from barstack.experiments import Sweep  # noqa: PLC0415

    console = stderr()
    if not console.is_terminal:
        return Sweep.from_yaml(file).with_features(*features)
    with console.status(f"  Checking every experiment of {printable(file.name)}"):
        return Sweep.from_yaml(file).with_features(*features)


def _shown(console: Console) -> Any:
    """What hears of the experiments: a bar on a terminal, a line now and then elsewhere."""
    from barstack.experiments import Watch  # noqa: PLC0415

    class Shown(Watch):
        def __enter__(self) -> Shown:
            return self

        def __exit__(self, *_: object) -> None:
            if self._bars is not None:
                self._bars.stop()

        def __init__(self) -> None:
            self._bars = _bars_on(console) if console.is_terminal else None
            self._task: Any = None
            self._total = self._ended = self._failed = 0
            self._errors: set[str] = set()
            self._began = self._printed = time.monotonic()

        def began(self, what: str, total: int) -> None:
            self._total, self._ended = total, 0
            self._began = self._printed = time.monotonic()
            if self._bars is not None:
                if self._task is not None:
                    self._bars.remove_task(self._task)
                self._bars.start()
                self._task = self._bars.add_task(what, total=total, failed=self._failed)
            else:
                console.print(f"  {what}: {total:,}")

        def prepared(self) -> None:
            if self._bars is not None:
                self._bars.advance(self._task)

        def ended(self, result: ExperimentResult) -> None:
            self._ended += 1
            if result.status == "failed":
                self._failed += 1
                if result.error not in self._errors and len(self._errors) < _SHOWN:
                    self._errors.add(result.error)  # one that many have is shown once
                    sentence = f"  {result.experiment.name}: {printable(result.error)}"
                    console.print(sentence, style="red", soft_wrap=True)
            if self._bars is not None:
                self._bars.update(self._task, advance=1, failed=self._failed)
            elif time.monotonic() - self._printed > _LINE_S:
                self._printed = time.monotonic()
                rate = self._ended / (self._printed - self._began)
                left = (self._total - self._ended) / rate
                console.print(
                    f"  {self._ended:,} of {self._total:,}, {rate:.1f} a second, "
                    f"{_duration(left)} left, {self._failed:,} failed"
                )

        def note(self, text: str) -> None:
            console.print(f"  {printable(text)}", style="yellow", soft_wrap=True)

    return Shown()


def _bars_on(console: Console) -> Any:
    from rich import progress  # noqa: PLC0415 (only terminals need it)
    from rich.text import Text  # noqa: PLC0415

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            rate = task.finished_speed or task.speed or 0.0
            failed = task.fields["failed"]
            shown = f"{rate:.1f}/s" if rate >= 0.1 else f"{60 * rate:.1f}/min"
            return Text(shown + (f"  {failed:,} failed" if failed else ""))

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description:<11}"),
        progress.BarColumn(bar_width=28),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        console=console,
        transient=True,
        speed_estimate_period=120.0,
    )


def _show_estimate(found: SweepEstimate, console: Console) -> None:
    models = ", ".join(f"{name} {count:,}" for name, count in found.models.items())
    console.print(f"{found.experiments:,} experiments: {models}", soft_wrap=True)
    if found.stored:
        console.print(f"{found.stored:,} of them have a result already.")
    console.print(
        f"{found.groups:,} sets of bars, features, labels and folds, each made and audited once."
    )
    console.print(
        f"About {_duration(found.seconds)} with {found.workers} at once, and "
        f"{found.bytes / 1e6:,.0f} MB in the folder of runs."
    )
    if found.measured:
        console.print(
            f"Time of {', '.join(found.measured)} as measured so far, of others as estimated.",
            soft_wrap=True,
        )
    console.print("First:")
    for name in found.first:
        console.print(f"  {name}")


def _show_result(done: SweepResult, console: Console) -> None:
    from ._tables import folded, right, table  # noqa: PLC0415

    rows = [each.row() for each in done.completed]
    rows.sort(key=lambda row: -(row["ic"] if row["ic"] is not None else -2.0))
    shown = table(folded("experiment"), *map(right, ("accuracy", "ic", "r2", "seconds")))
    for row in rows[:_SHOWN]:
        figures = (row["directional_accuracy"], row["ic"], row.get("r2"))
        cells = ("" if value is None else f"{value:.3f}" for value in figures)
        shown.add_row(row["name"], *cells, f"{row['seconds']:.1f}")
    if rows:
        console.print(shown)
        console.print(
            f"The best of {len(rows):,} look better than they are: each is a trial in the ledger, "
            "for which a verdict corrects.",
            soft_wrap=True,
        )
    made = sum(row["how"] == "made" for row in rows)
    parts = [f"{len(rows):,} completed ({made:,} now)"]
    parts += [f"{len(done.failed):,} failed"] * bool(done.failed)
    parts += [f"{len(done.left):,} left for the next call"] * bool(done.left)
    console.print(f"{', '.join(parts)}, in {_duration(done.seconds)}.")


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
