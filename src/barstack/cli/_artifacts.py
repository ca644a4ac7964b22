"""Look at artifacts: which there are, and what each is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._root import app
from ._terminal import Json, print_json, stdout

artifacts = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Which trained ensembles there are, and what each is.",
    epilog="Example: barstack artifacts list runs",
)
app.add_typer(artifacts, name="artifacts")

Folder = Annotated[Path, typer.Argument(help="Of runs or artifacts.")]


@artifacts.command(name="list", epilog="Example: barstack artifacts list runs --json")
def list_(folder: Folder = Path("runs"), as_json: Json = False) -> None:
    """Every artifact in a folder, once its bytes are checked; what is damaged with its error."""
    from barstack.serving import Models  # noqa: PLC0415 (numpy is slow to import)

    found = Models(folder).list_available_models()
    if as_json:
        print_json({"artifacts": found})
        return
    from rich.table import Table  # noqa: PLC0415

    names = ("model", "tickers", "task", "horizons", "members", "trained_through")
    table = Table(*names)
    for each in found:
        if "error" in each:
            table.add_row(each["model"], each["error"])
        else:
            cells = (each[name] for name in names)
            table.add_row(*(", ".join(c) if isinstance(c, list) else str(c) for c in cells))
    stdout().print(table)


@artifacts.command(epilog="Example: barstack artifacts info SPY runs")
def info(
    ticker: Annotated[str, typer.Argument(help="A symbol that it was trained on.")],
    folder: Folder = Path("runs"),
    as_json: Json = False,
) -> None:
    """All that is known of the model that answers for a ticker: the one trained the latest."""
    from barstack.serving import Models  # noqa: PLC0415

    found = Models(folder).get_model_info(ticker)
    if as_json:
        print_json(found)
        return
    console = stdout()
    for name in ("model", "folder", "task", "horizons", "members", "trained_through"):
        value = found[name]
        console.print(f"{name:16}", ", ".join(value) if isinstance(value, list) else value)
    console.print(f"{'features':16}", len(found["columns"]))
    console.print(f"{'lookback_bars':16}", found["lookback_bars"])
    if found["verdict"]:
        console.print(f"{'edge':16}", found["verdict"]["edge"])
