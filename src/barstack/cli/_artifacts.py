"""Artifacts: which there are, what each is, and who signed it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from barstack.core.errors import ConfigError

from ._complete import run_folders
from ._root import Json, app, group
from ._terminal import print_json, report, stdout

artifacts = group(
    "artifacts",
    "Which trained ensembles there are, and what each is.",
    "barstack artifacts list runs",
)

Folder = Annotated[Path, typer.Argument(help="Of runs or artifacts.")]


@artifacts.command(name="list", epilog="Example: barstack artifacts list runs --json")
def list_(folder: Folder = Path("runs"), as_json: Json = False) -> None:
    """Every artifact in a folder, its bytes verified; damaged ones with their error."""
    from barstack.forecasting import Models  # noqa: PLC0415 (numpy is slow to import)

    found = Models(folder).list_available_models()
    if as_json:
        print_json({"artifacts": found})
        return
    console = stdout()
    if not found:
        console.print(
            f"No artifact lies in {folder}. barstack run STUDY writes one into a run.",
        )
        return
    from ._tables import folded, table  # noqa: PLC0415

    names = ("tickers", "bar", "task", "horizons", "members")
    shown = table("model", *map(folded, names), "trained through")
    for each in found:
        if "error" not in each:
            moment = each["trained_through"][:16].replace("T", " ")
            shown.add_row(each["model"], *(_cell(each[name]) for name in names), moment)
    if shown.row_count:
        console.print(shown)
    for each in found:
        if "error" in each:
            report("damaged", f"{each['model']}: {each['error']}")


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
    """Facts on the model that serves a ticker: the most recently trained one."""
    from barstack.forecasting import Models  # noqa: PLC0415

    found = Models(folder).get_model_info(ticker, bar=bar)
    if as_json:
        print_json(found)
        return
    console = stdout()
    for name in ("model", "folder", "bar", "task", "horizons", "members", "trained_through"):
        console.print(f"{name:16}", _cell(found[name]), soft_wrap=True)
    console.print(f"{'features':16}", len(found["columns"]))
    console.print(f"{'lookback_bars':16}", found["lookback_bars"])
    console.print(f"{'history_bars':16}", found["history_bars"])
    if found["verdict"]:
        console.print(f"{'edge':16}", found["verdict"]["edge"])


Artifact = Annotated[
    Path, typer.Argument(help="Folder of an artifact, or of its run.", autocompletion=run_folders)
]


@app.command(name="new-key", epilog="Example: barstack new-key team.pem")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; FILE.pub is public.")],
    as_json: Json = False,
) -> None:
    """Make a key pair to sign artifacts with: keep the private key secret, share the public one."""
    from barstack.forecasting import new_key as make  # noqa: PLC0415 (numpy is slow to import)

    public = make(file)
    if as_json:
        print_json({"private": str(file), "public": str(public)})
        return
    stdout().print(
        f"{file} signs: keep it secret. {public} verifies: give it to whoever loads artifacts.",
        soft_wrap=True,
    )


@app.command(epilog="Example: barstack sign runs/3f2a --key team.pem")
def sign(
    artifact: Artifact,
    key: Annotated[Path, typer.Option(help="Private key, from barstack new-key.")],
    as_json: Json = False,
) -> None:
    """Sign an artifact, so that others can verify that it is yours."""
    from barstack.forecasting import sign as sign_it  # noqa: PLC0415

    file = sign_it(_artifact(artifact), key)
    if as_json:
        print_json({"artifact": str(file.parent), "signature": str(file)})
        return
    stdout().print(f"{file.parent} is signed.", soft_wrap=True)


@app.command(epilog="Example: barstack verify runs/3f2a --key team.pem.pub")
def verify(
    artifact: Artifact,
    key: Annotated[Path, typer.Option(help="Public key of whoever should have signed it.")],
    as_json: Json = False,
) -> None:
    """Verify that the owner of a key signed an artifact as it is now; exit code 1 where not."""
    from barstack.forecasting import verify as verify_it  # noqa: PLC0415

    folder = _artifact(artifact)
    manifest = verify_it(folder, key)
    if as_json:
        print_json({"artifact": str(folder), "signed": True, "files": len(manifest.files)})
        return
    stdout().print(
        f"{folder} is as the owner of {key} signed it: {len(manifest.files)} files.",
        soft_wrap=True,
    )


def _artifact(folder: Path) -> Path:
    found = folder / "artifact" if (folder / "artifact").is_dir() else folder
    if not found.is_dir():
        raise ConfigError(f"There is no artifact {folder}. Give the folder of a run or artifact.")
    return found
