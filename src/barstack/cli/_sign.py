"""Sign artifacts, and see who signed one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._root import app
from ._terminal import Json, print_json, stdout

Artifact = Annotated[Path, typer.Argument(help="Folder of an artifact, or of its run.")]


@app.command(name="new-key", epilog="Example: barstack new-key team.pem")
def new_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; FILE.pub is public.")],
    as_json: Json = False,
) -> None:
    """Make a key to sign artifacts with: the private one stays secret, the public one goes out."""
    from barstack.forecasting import new_key as make  # noqa: PLC0415 (numpy is slow to import)

    public = make(file)
    if as_json:
        print_json({"private": str(file), "public": str(public)})
        return
    stdout().print(
        f"{file} signs, and stays secret. {public} verifies: give it to whoever loads artifacts.",
        markup=False,
        soft_wrap=True,
    )


@app.command(epilog="Example: barstack sign runs/3f2a --key team.pem")
def sign(
    artifact: Artifact,
    key: Annotated[Path, typer.Option(help="Private key, from barstack new-key.")],
    as_json: Json = False,
) -> None:
    """Sign an artifact, so that others can see that it is yours."""
    from barstack.forecasting import sign as sign_it  # noqa: PLC0415

    file = sign_it(_artifact(artifact), key)
    if as_json:
        print_json({"artifact": str(file.parent), "signature": str(file)})
        return
    stdout().print(f"{file.parent} is signed.", markup=False, soft_wrap=True)


@app.command(epilog="Example: barstack verify runs/3f2a --key team.pem.pub")
def verify(
    artifact: Artifact,
    key: Annotated[Path, typer.Option(help="Public key of whoever should have signed it.")],
    as_json: Json = False,
) -> None:
    """See whether the owner of a key signed an artifact as it is now; exit code 1 where not."""
    from barstack.forecasting import verify as verify_it  # noqa: PLC0415

    folder = _artifact(artifact)
    manifest = verify_it(folder, key)
    if as_json:
        print_json({"artifact": str(folder), "signed": True, "files": len(manifest.files)})
        return
    stdout().print(
        f"{folder} is as the owner of {key} signed it: {len(manifest.files)} files.",
        markup=False,
        soft_wrap=True,
    )


def _artifact(folder: Path) -> Path:
    from barstack.core.errors import ConfigError  # noqa: PLC0415

    found = folder / "artifact" if (folder / "artifact").is_dir() else folder
    if not found.is_dir():
        raise ConfigError(f"There is no artifact {folder}. Give the folder of a run or artifact.")
    return found
