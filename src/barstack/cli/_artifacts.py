"""Look at artifacts: which there are, and what each is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ._root import group
from ._terminal import Json, print_json, stdout

artifacts = group(
    "artifacts",
    "Which trained ensembles there are, and what each is.",
    "barstack artifacts list runs",
)

Folder = Annotated[Path, typer.Argument(help="Of runs or artifacts.")]


@artifacts.command(name="list", epilog="Example: barstack artifacts list runs --json")
def list_(folder: Folder = Path("runs"), as_json: Json = False) -> None:
    """Every artifact in a folder, once its bytes are checked; what is damaged with its error."""
    from barstack.forecasting import Models  # noqa: PLC0415 (numpy is slow to import)

    found = Models(folder).list_available_models()
    if as_json:
        print_json({"artifacts": found})
        return
    console = stdout()
    if not found:
        console.print(
            f"No artifact lies in {folder}. barstack run STUDY writes one into a run.",
            markup=False,
        )
        return
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model", no_wrap=True)  # it is what other commands ask for
    for name in ("tickers", "bar", "task", "horizons", "members"):
        table.add_column(name, overflow="fold")
    table.add_column("trained through", no_wrap=True)
    whole = [each for each in found if "error" not in each]
    for each in whole:
        facts = [escape(_cell(each[str(column.header)])) for column in table.columns[:-1]]
        table.add_row(*facts, each["trained_through"][:16].replace("T", " "))
    if whole:
        console.print(table)
    for each in found:
        if "error" in each:
            console.print("[bold red]damaged[/]  ", end="")
            console.print(
                f"{each['model']}: {each['error']}", markup=False, highlight=False, soft_wrap=True
            )


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


@artifacts.command(epilog="Example: barstack artifacts info SPY runs")
def info(
    ticker: Annotated[str, typer.Argument(help="A symbol that it was trained on.")],
    folder: Folder = Path("runs"),
    bar: Annotated[
        str | None, typer.Option(help="Length of its bars, such as 1h, where there are several.")
    ] = None,
    as_json: Json = False,
) -> None:
    """All that is known of the model that answers for a ticker: the one trained the latest."""
    from barstack.forecasting import Models  # noqa: PLC0415

    found = Models(folder).get_model_info(ticker, bar=bar)
    if as_json:
        print_json(found)
        return
    console = stdout()
    for name in ("model", "folder", "bar", "task", "horizons", "members", "trained_through"):
        console.print(f"{name:16}", _cell(found[name]), markup=False, soft_wrap=True)
    console.print(f"{'features':16}", len(found["columns"]))
    console.print(f"{'lookback_bars':16}", found["lookback_bars"])
    console.print(f"{'history_bars':16}", found["history_bars"])
    if found["verdict"]:
        console.print(f"{'edge':16}", found["verdict"]["edge"])
