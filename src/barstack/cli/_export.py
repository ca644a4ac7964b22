"""`barstack export`: a study's rows as parquet files, for other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._root import app
from ._terminal import Json, print_json, stderr, stdout

if TYPE_CHECKING:
    from rich.table import Table

_PARTS = ("train", "validation", "test")


@app.command(epilog="Example: barstack export study.yaml --out sets --scaled")
def export(
    study: Annotated[Path, typer.Argument(help="A study file, see examples/.")],
    out: Annotated[Path, typer.Option(help="Folder to write; an earlier export gives way.")],
    scaled: Annotated[
        bool, typer.Option("--scaled", help="Features as models see them; else as computed.")
    ] = False,
    runs: Annotated[Path, typer.Option(help="Finished steps of runs here are reused.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """Write train, validation and test rows of a study as parquet files.

    Features, labels and weights; rows whose labels overlap the next part are in
    none. A split of several folds gives a folder for each. Nothing is fitted but
    the scaler, on training rows.
    """
    from barstack.datasets import check_free, export_folds  # noqa: PLC0415 (numpy is slow to import)
    from barstack.experiments import Study, Workplace, chain_of  # noqa: PLC0415

    from ._progress import ShownProgress  # noqa: PLC0415

    spec = Study.from_yaml(study)
    check_free(out)  # before minutes of computing
    progress = ShownProgress(stderr())
    workplace = Workplace(runs / ".store", study.parent, progress)
    chain = chain_of(spec, workplace)
    folds, features, labels = (chain.value(each) for each in ("split", "features", "labels"))
    content = export_folds(
        out,
        folds,
        lambda number: spec.dataset(features, labels.of(number).table),
        splitter=spec.split,
        scaled=scaled,
        progress=progress,
        about={"study": spec.content(), "study_id": spec.id, "bars_sha256": chain.key("bars")},
        # With the numbers that it learned from the fold's training rows, such as barriers.
        about_fold=lambda number: {"label": labels.of(number).label.content()},
    )
    written = content.get("folds") or [{"folder": "."} | content["parts"]]
    if as_json:
        print_json({"folder": str(out), "scaled": scaled, "folds": written})
        return
    stdout().print(_table(written))
    stdout().print(f"Written to {out}.", highlight=False, soft_wrap=True)


def _table(written: list[dict[str, Any]]) -> Table:
    """Rows in each file of each folder."""
    from rich.table import Table  # noqa: PLC0415

    table = Table("folder")
    for heading in (*_PARTS, "left out"):
        table.add_column(heading, justify="right")
    for each in written:
        counts = [each[name]["rows"] for name in _PARTS] + [each["left_out"]]
        table.add_row(each["folder"], *(f"{count:,}" for count in counts))
    return table
