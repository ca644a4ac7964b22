"""Rewrite the generated parts of the pages: `.venv/bin/python -m tests.docs.generate_docs`.

A page marks them with `<!-- generated: NAME -->` and `<!-- end -->`. A test tells stale ones.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from inspect import ismodule
from pathlib import Path
from typing import Any

import pytest
from tests.docs import fill_pages, measured
from tests.docs.doc_pages import ROOT

import barstack as bs
from barstack.cli._root import app
from barstack.core.errors import BarstackError
from barstack.models import MODELS, search_space

_MARKED = re.compile(
    r"(?P<begin><!-- generated: (?P<name>\w+) -->\n).*?(?P<end>^<!-- end -->$)",
    re.MULTILINE | re.DOTALL,
)


_SHOWN = "    options: {show_root_heading: true, show_root_toc_entry: true}"  # of a directive


@cache
def barstack(*arguments: str) -> str:
    """What the command prints on a terminal of eighty columns.

    Help needs no process of its own; lists do, as tests register parts of theirs in this one.
    """
    if arguments[-1] == "--help":
        out = io.StringIO()
        with redirect_stdout(out), pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "80")
            app(arguments, prog_name="barstack", standalone_mode=False)
        return out.getvalue()
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
    """A table for each group: formula, what is read, unit and range, warm-up, source."""
    rows: list[dict[str, Any]] = json.loads(barstack("features", "list", "--json"))["features"]
    columns = ("name", "formula", "reads", "unit", "range", "warm-up", "source")
    parts = []
    for group in sorted({row["group"] for row in rows}):
        own = [_feature_row(row) for row in rows if row["group"] == group]
        parts += [f"### {group.capitalize()}", _table(columns, own)]
    return "\n\n".join(parts)


def _feature_row(row: dict[str, Any]) -> dict[str, str]:
    low, high = ("" if end is None else f"{end:g}" for end in row["range"])
    params = ", ".join(f"{name}={value:g}" for name, value in row["params"].items())
    warmup = f"{row['warmup_bars']:,}" if row["warmup_bars"] or not row["warmup_sessions"] else ""
    if row["warmup_sessions"]:
        warmup += f"{', ' if warmup else ''}{row['warmup_sessions']} sessions"
    return {
        "name": row["name"],
        "formula": row["formula"] + (f" ({params})" if params else ""),
        "reads": ", ".join(row["inputs"]),
        "unit": row["unit"],
        "range": f"{low} .. {high}" if low or high else "",
        "warm-up": warmup,
        "source": row["source"],
    }


def _oracles() -> str:
    from tests.features.test_against_oracles import ORACLES  # noqa: PLC0415 (imports TA-Lib)

    rows = [
        {"name": name, "compared with": oracle.by, "difference": oracle.difference}
        for name, oracle in sorted(ORACLES.items())
    ]
    return _table(("name", "compared with", "difference"), rows)


def _sets() -> str:
    from barstack.core.times import parse_duration  # noqa: PLC0415
    from barstack.features import FEATURE_SETS, named_set  # noqa: PLC0415

    rows = []
    for name in sorted(FEATURE_SETS):
        columns = named_set(name, parse_duration("1h")).columns
        rows.append(
            {"name": name, "columns": str(len(columns)), "for hourly bars": ", ".join(columns)}
        )
    return _table(("name", "columns", "for hourly bars"), rows)


def _models() -> str:
    return _table(
        ("name", "tasks", "about"), json.loads(barstack("list", "models", "--json"))["models"]
    )


def _networks() -> str:
    """The settings that each network has of its own, and how many numbers it learns."""
    from barstack.models import MODELS  # noqa: PLC0415
    from barstack.models.neural._neural import Neural  # noqa: PLC0415

    rows = []
    for name in MODELS.names():
        model = MODELS.parse(name)
        if isinstance(model, Neural):
            own = [each for each in type(model).model_fields if each not in Neural.model_fields]
            settings = ", ".join(f"`{each}` ({_shown(getattr(model, each))})" for each in own)
            count = f"{model.parameter_count(52, 4):,}"
            rows.append({"name": name, "parameters": count, "settings (default)": settings})
    return _table(("name", "parameters", "settings (default)"), rows)


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _checks() -> str:
    listed: list[dict[str, Any]] = json.loads(barstack("list", "checks", "--json"))["checks"]
    return _table(("name", "by default", "about"), listed)


def _api_names() -> str:
    """What `import barstack as bs` gives, each with a link into the reference."""
    rows = []
    for name in dir(bs):
        if name == "__version__":
            rows.append({"name": name, "about": "version of the installed package"})
            continue
        value = getattr(bs, name)
        about = (value.__doc__ or "").partition("\n")[0]
        rows.append({"name": name, "about": about, "in": _reference(name, value)})
    return _table(("name", "about", "in"), [{"in": "", **row} for row in rows])


def _reference(name: str, value: Any) -> str:
    """A link to where the reference describes it."""
    if ismodule(value):
        return f"[{name}]({name}.md)"
    page = value.__module__.split(".")[1]
    anchor = f"barstack.{page}.{value.__name__}"
    if page in ("ensembles", "core") or value.__module__.startswith("barstack.bars.sources"):
        anchor = f"{value.__module__}.{value.__name__}"
    if page == "_api":
        return f"[barstack](#barstack.{name})"
    return f"[{page}]({page}.md#{anchor})"


def _api_functions() -> str:
    """What is described on the page of `barstack` itself."""
    own = [
        f"barstack.{name}"
        for name in dir(bs)
        if getattr(getattr(bs, name), "__module__", "") == "barstack._api"
    ]
    return "\n\n".join(f"::: {path}\n{_SHOWN}" for path in own)


def _api_ensembles() -> str:
    return _directives("barstack.ensembles.")


def _api_providers() -> str:
    return _directives("barstack.bars.sources.")


def _directives(package: str) -> str:
    """Directives to mkdocstrings for the public names of modules that a package does not list."""
    named = [getattr(bs, name) for name in dir(bs) if name != "__version__"]
    values = [value for value in named if not ismodule(value)]
    own = sorted(
        f"{value.__module__}.{value.__name__}"
        for value in values
        if value.__module__.startswith(package)
    )
    return "\n\n".join(f"::: {path}\n{_SHOWN}" for path in own)


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


def _spaces() -> str:
    """What tuning searches of each model; models with the same space share a row."""
    rows: dict[str, list[str]] = {}
    for name in MODELS.names():
        with contextlib.suppress(BarstackError):  # settings without a default
            space = search_space(MODELS.get(name)())
            own = {key: each for key, each in space.items() if not key.startswith("of.")}
            shown = "<br>".join(f"`{key}` {_space(each)}" for key, each in own.items())
            if shown:
                rows.setdefault(shown, []).append(f"`{name}`")
    lines = ["| model | what is searched |", "|---|---|"]
    lines += [f"| {', '.join(names)} | {shown} |" for shown, names in rows.items()]
    lines += [
        "",
        "A wrapper such as `per_ticker` has the space of the model within it too: `of.depth`.",
    ]
    return "\n".join(lines)


def _space(values: Any) -> str:
    if not isinstance(values, dict):
        return ", ".join(map(str, values))
    log = " (log)" if values.get("log") else ""
    step = f" by {values['step']:g}" if "step" in values else ""
    return f"{values['low']:g} to {values['high']:g}{step}{log}"


MAKERS: dict[str, Callable[[], str]] = {
    "api_ensembles": _api_ensembles,
    "api_functions": _api_functions,
    "api_names": _api_names,
    "api_providers": _api_providers,
    "checks": _checks,
    "features": _features,
    "fill_count": fill_pages.fill_count,
    "fills": fill_pages.fills,
    "held": measured.held,
    "help": _help,
    "learning": measured.learning,
    "models": _models,
    "networks": _networks,
    "neural": measured.neural,
    "oracles": _oracles,
    "planted": measured.planted,
    "sets": _sets,
    "sizes": measured.sizes,
    "spaces": _spaces,
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
