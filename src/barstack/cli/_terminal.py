"""What all commands share: options, consoles, and how JSON is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def print_json(content: Any) -> None:
    """One object on standard output."""
    print(json.dumps(content, indent=1, allow_nan=False))


def stdout() -> Console:
    """Where results go."""
    from rich.console import Console  # noqa: PLC0415 (takes a sixth of a second)

    return Console()


def stderr() -> Console:
    """Where progress and errors go."""
    from rich.console import Console  # noqa: PLC0415

    return Console(stderr=True)
