"""Run the blocks of one page in order: `python -m tests.docs.run_doc_page PAGE` in a new folder.

python   run, all blocks of the page in one namespace; with a title, saved under that name and
         imported at the end
text     titled "prints": what the block before it must have printed, to the letter
console  lines that begin with `$ barstack` are run; a title "exit code N" says how they end,
         and what the block shows of their output must be there, but for line breaks
yaml     with a title, saved under that name, so that a later block can use it
toml     a title pyproject.toml is installed as far as entry points go
"""

from __future__ import annotations

import contextlib
import glob
import importlib
import io
import os
import re
import shlex
import sys
import tomllib
import traceback
from pathlib import Path
from typing import Any

from tests.docs.doc_pages import Block, blocks, commands


class PageError(Exception):
    """A block did not do what the page says."""


def main() -> None:
    page, here = Path(sys.argv[1]), Path.cwd()
    sys.path.insert(0, str(here))
    os.environ["COLUMNS"] = "80"  # of what commands print
    os.environ["BARSTACK_LEDGER"] = str(here / ".user-ledger")  # of a user who has tried nothing
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(page):
        try:
            printed = _run(block, page, namespace, printed)
        except PageError as error:
            sys.exit(f"{page.name}:{block.line}: {error}")
        except BaseException:  # noqa: BLE001 (whatever it is, the page names the block)
            traceback.print_exc()
            sys.exit(f"{page.name}:{block.line}: the {block.language} block fails.")
    for block in blocks(page):
        if block.language == "python" and block.title:
            importlib.import_module(block.title.removesuffix(".py"))


def _run(block: Block, page: Path, namespace: dict[str, Any], printed: str) -> str:
    if block.language in ("yaml", "toml", "python") and block.title:
        Path(block.title).write_text(block.text)
        if block.title == "pyproject.toml":
            _install(tomllib.loads(block.text)["project"])
    elif block.language == "python":
        return _python(block, page, namespace)
    elif block.language == "console":
        for command in commands(block):
            if command.startswith("barstack"):
                printed = _console(command, _exit_code(block))
                _check_shown(block, printed)
    elif block.language == "text" and block.title == "prints":
        expected, got = _lines(block.text), _lines(printed)
        if expected != got:
            raise PageError(f"the page shows\n{block.text}\nand the block before prints\n{printed}")
    return printed


def _python(block: Block, page: Path, namespace: dict[str, Any]) -> str:
    # A file of its own with the page's line numbers, so that errors point into the page and
    # features find their own source.
    file = Path(f"{page.stem}_line_{block.line}.py")
    file.write_text("\n" * (block.line - 1) + block.text)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(file.read_text(), str(file.resolve()), "exec"), namespace)
    return out.getvalue()


def _console(command: str, expected: int) -> str:
    """What the command prints, run in this process: starting one costs seconds of imports."""
    from barstack.cli import main as barstack  # noqa: PLC0415 (plugins must be in place first)

    words = shlex.split(command)
    sys.argv = [words[0]]
    for word in words[1:]:
        sys.argv += sorted(glob.glob(word)) or [word]
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            barstack()
        except SystemExit as end:
            code = int(end.code or 0)
    if code != expected:
        raise PageError(f"`{command}` exits {code}, not {expected}:\n{out.getvalue()}")
    return out.getvalue()


def _check_shown(block: Block, printed: str) -> None:
    lines = [line for line in block.text.splitlines() if not line.startswith("$ ")]
    shown = " ".join(" ".join(lines).split())
    if shown not in " ".join(printed.split()):
        raise PageError(f"the page shows\n{shown}\nand the command prints\n{printed}")


def _exit_code(block: Block) -> int:
    match = re.fullmatch(r"exit code (\d+)", block.title)
    return int(match[1]) if match else 0


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _install(project: dict[str, Any]) -> None:
    """What an editable installation leaves behind: the package's metadata beside its modules."""
    folder = Path(f"{project['name'].replace('-', '_')}-{project['version']}.dist-info")
    folder.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (folder / "METADATA").write_text(about)
    lines = []
    for group, entries in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (folder / "entry_points.txt").write_text("\n".join(lines) + "\n")
    importlib.invalidate_caches()


if __name__ == "__main__":
    main()
