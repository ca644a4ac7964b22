"""The command line, and groups in it, that modules of this room add their commands to."""

from __future__ import annotations

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing help takes rich a sixth of a second to import
    help="Learns ensembles from market bars and says honestly whether they predict anything.",
    epilog="Start with: barstack demo. Then write a study and: barstack run study.yaml",
)


def group(name: str, about: str, example: str) -> typer.Typer:
    """Commands that are called as `barstack NAME COMMAND`."""
    made = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help=about, epilog=f"Example: {example}"
    )
    app.add_typer(made, name=name)
    return made
