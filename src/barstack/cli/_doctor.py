"""`barstack doctor`: what is installed, what is missing, and what brings it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._root import Json, app
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.core.installation import Installation


@app.command(epilog="Example: barstack doctor --json | jq .problems")
def doctor(
    runs: Annotated[Path, typer.Option(help="Folder of runs, which must be writable.")] = Path(
        "runs"
    ),
    as_json: Json = False,
) -> None:
    """Versions, what is missing for which family, compiled code, memory, and folders.

    Exit code 1 where barstack demo cannot run, with what would mend it.
    """
    from barstack.core.installation import inspect_installation  # noqa: PLC0415

    # As `barstack.bars.catalog_folder` has it, whose import takes longer than all of this.
    catalog = Path(os.environ.get("BARSTACK_CATALOG") or "catalog").expanduser()
    found = inspect_installation(runs, catalog)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)
    if found.problems:
        raise typer.Exit(1)


def _show(found: Installation) -> None:
    from ._tables import facts_table, folded, table  # noqa: PLC0415

    console = stdout()
    memory = "unknown" if found.memory_gib is None else f"{found.memory_gib:.1f} GiB"
    facts = [
        ("barstack", f"{found.barstack}, in {found.place}"),
        ("Python", found.python),
        ("system", found.system),
        ("cores, memory", f"{found.cores}, {memory}"),
        ("libraries", ", ".join(f"{each.name} {each.installed}" for each in found.essential)),
        ("compiled", _compiled(found.compiled)),
    ]
    facts += [(each.purpose, each.error or f"{each.path} can be written") for each in found.folders]
    console.print(facts_table(facts))
    console.print()
    shown = table("extra", folded("for"), folded("state"))
    for each in found.extras:
        versions = ", ".join(f"{one.name} {one.installed}" for one in each.libraries)
        state = f"needs {', '.join(each.missing)}: {each.command}" if each.missing else versions
        shown.add_row(each.name, each.purpose, state, style="yellow" if each.missing else "")
    console.print(shown)
    console.print()
    for problem in found.problems:
        console.print(problem, style="bold red", soft_wrap=True)
    if not found.problems:
        console.print("All that barstack demo needs is here.", style="green")


def _compiled(counts: dict[str, int]) -> str:
    if not any(counts.values()):
        return "nothing yet: the first run compiles for about a minute"
    return f"{counts['features']:,} features and {counts['functions']:,} other functions are kept"
