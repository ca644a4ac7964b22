"""`barstack ledger`: everything that was tried, and whether the record of it is whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from barstack.core.errors import ConfigError

from ._root import Json, app
from ._terminal import print_json, stdout

Runs = Annotated[Path, typer.Option(help="Folder of runs.")]

ledger = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog="Example: barstack ledger --symbols SPY, then: barstack ledger verify",
)
app.add_typer(ledger, name="ledger")


@ledger.callback()
def list_(
    context: typer.Context,
    symbols: Annotated[
        str | None,
        typer.Option(help="Only on these, such as SPY,QQQ, by whatever name they were tried."),
    ] = None,
    limit: Annotated[int, typer.Option(help="The newest so many rows.", min=1)] = 20,
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Everything that was tried, in this folder of runs and all others of this user."""
    if context.invoked_subcommand is not None:
        return
    from barstack.experiments import anchors_of, in_words  # noqa: PLC0415
    from barstack.tracking import open_store, trials_on  # noqa: PLC0415

    store = open_store(runs)
    found = store.trials()
    if symbols is not None:
        wanted = [each.strip() for each in symbols.split(",") if each.strip()]
        counted = {(each.id, each.data) for each in trials_on(store, wanted)}
        found = [each for each in found if (each.id, each.data) in counted]
    anchors, shown = anchors_of(store), found[-limit:]
    if as_json:
        print_json(
            {
                "trials": len(found),
                "ledgers": [asdict(each) for each in anchors],
                "rows": [asdict(each) for each in shown],
            }
        )
        return
    console = stdout()
    if not found:
        console.print("Nothing was tried yet. A run or a sweep enters what it tries.")
        return
    from ._tables import folded, right, table  # noqa: PLC0415

    rows = table("recorded, UTC", folded("what"), "horizon", folded("symbols"), right("last bar"))
    for each in shown:
        rows.add_row(
            each.recorded_at[:16].replace("T", " "),
            each.name if each.kind == "trial" else f"{each.kind}: {each.name}",
            each.horizon,
            ", ".join(each.symbols),
            each.last_at[:10],
        )
    console.print(rows)
    if len(shown) < len(found):
        console.print(f"The newest {len(shown)} of {len(found):,}; --limit shows more.")
    for anchor in anchors:
        console.print(f"ledger of {in_words(anchor)}", soft_wrap=True)


@ledger.command(epilog="Example: barstack ledger verify --runs runs")
def verify(
    against: Annotated[
        list[Path] | None,
        typer.Argument(help="A verdict.json, or the folder of a run, that somebody kept."),
    ] = None,
    head: Annotated[
        str, typer.Option(help="A head that the ledger had, as a report states it.")
    ] = "",
    runs: Runs = Path("runs"),
    as_json: Json = False,
) -> None:
    """Find out whether rows were edited, removed, reordered or cut off; exit 1 where they were.

    A ledger that was cut or replaced by an older copy is whole in itself: it is compared with the
    heads that the verdicts of all runs in the folder hold, and with those given.
    """
    from barstack.experiments import in_words, verify_ledger  # noqa: PLC0415

    if not runs.is_dir():
        raise ConfigError(f"There is no folder of runs {runs}. Name it with --runs.")
    found = verify_ledger(runs, head=head, verdicts=against or ())
    if as_json:
        print_json(found.to_json())
        raise typer.Exit(1 if found.altered else 0)
    console = stdout()
    for each in found.ledgers:
        console.print(f"ledger of {in_words(each)}", soft_wrap=True)
    for sentence in found.altered:
        console.print(f"Altered: {sentence}")
    for sentence in found.remarks:
        console.print(f"Note: {sentence}")
    if found.altered:
        console.print("Restore the ledger from a copy: its count is needed for an honest verdict.")
        raise typer.Exit(1)
    console.print(
        f"Whole: the chain of hashes holds. Heads of before compared: {found.verdicts:,}."
    )
