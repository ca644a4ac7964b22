"""Rewrite the generated parts of the pages: `.venv/bin/python -m tests.docs.generate_docs`.

A page marks them with `<!-- generated: NAME -->` and `<!-- end -->`. A test tells stale ones.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.docs.doc_pages import ROOT

_MARKED = re.compile(
    r"(?P<begin><!-- generated: (?P<name>\w+) -->\n).*?(?P<end>^<!-- end -->$)",
    re.MULTILINE | re.DOTALL,
)


@cache
def barstack(*arguments: str) -> str:
    """What the command prints on a terminal of eighty columns."""
    command = [str(Path(sys.executable).with_name("barstack")), *arguments]
    environment = os.environ | {"COLUMNS": "80"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout


def command_names(*group: str) -> list[str]:
    """Every command, in the order of `barstack --help`; a group is followed by its own."""
    listed = barstack(*group, "--help").partition("Commands:\n")[2].partition("\n\n")[0]
    names = []
    for name in re.findall(r"^  (\w[\w-]*)", listed, re.MULTILINE):
        names += [" ".join((*group, name)), *command_names(*group, name)]
    return names


def _help() -> str:
    parts = [_text(barstack("--help"))]
    for name in command_names():
        parts += [f"## barstack {name}", _text(barstack(*name.split(), "--help"))]
    return "\n\n".join(parts)


def _features() -> str:
    rows: list[dict[str, Any]] = json.loads(barstack("list", "features", "--json"))["features"]
    rows.sort(key=lambda row: (row["group"], row["name"]))
    return _table(("group", "name", "parameters", "unit", "about"), rows)


def _models() -> str:
    return _table(
        ("name", "tasks", "about"), json.loads(barstack("list", "models", "--json"))["models"]
    )


def _checks() -> str:
    listed: list[dict[str, Any]] = json.loads(barstack("list", "checks", "--json"))["checks"]
    return _table(("name", "by default", "about"), listed)


def _text(output: str) -> str:
    lines = "\n".join(line.rstrip() for line in output.strip().splitlines())
    return f"```text\n{lines}\n```"


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [str(row[column]).replace("|", r"\|").replace("*", r"\*") for column in columns]
        cells[columns.index("name")] = f"`{row['name']}`"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


MAKERS: dict[str, Callable[[], str]] = {
    "checks": _checks,
    "features": _features,
    "help": _help,
    "models": _models,
}


def regenerated(page: str) -> str:
    """The page with its generated parts made anew."""
    return _MARKED.sub(
        lambda match: f"{match['begin']}\n{MAKERS[match['name']]()}\n\n{match['end']}", page
    )


def main() -> None:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text()
        if (new := regenerated(text)) != text:
            page.write_text(new)
            print(f"rewrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
