"""The command line, its groups of commands, and what several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from barstack.core.errors import ConfigError

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Catalogs = Annotated[Path | None, typer.Option(help="The catalog, if not $BARSTACK_CATALOG.")]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing help takes rich a sixth of a second to import
    epilog="Start with: barstack demo. For your own bars: barstack init BARS",
)


def _print_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # noqa: PLC0415 (a fifth of a start, seldom needed)

        typer.echo(f"barstack {version('barstack')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Learns ensembles from market bars and says honestly whether they predict anything."""


def group(name: str, about: str, example: str) -> typer.Typer:
    """Commands that are called as `barstack NAME COMMAND`."""
    made = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help=about, epilog=f"Example: {example}"
    )
    app.add_typer(made, name=name)
    return made


def settings_of(given: list[str], option: str, example: str) -> dict[str, Any]:
    """Settings given as NAME=VALUE, the value as in a study file.

    Raises `ConfigError` for what is no NAME=VALUE or no YAML.

    >>> settings_of(["start=2018-01-01", "symbols=[A, ON]"], "--with", "memory=0.5")
    {'start': '2018-01-01', 'symbols': ['A', 'ON']}
    """
    import yaml  # noqa: PLC0415

    from barstack.core.yaml import read_yaml  # noqa: PLC0415

    settings = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise ConfigError(
                f"Cannot use {option} {each}. Write {option} FIELD=VALUE, such as {example}."
            )
        try:
            settings[name] = read_yaml(value)
        except yaml.YAMLError:
            raise ConfigError(f"Cannot read {value!r} in {option} {each} as YAML.") from None
    return settings


def summary(documented: Any) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((documented.__doc__ or "").split("\n\n")[0].split())
