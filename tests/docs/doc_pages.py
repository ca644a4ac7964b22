"""The pages of the documentation, and the code blocks in them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    language  first word after the fence
    title     of `title="..."`: a file's name, what a block prints, or an exit code
    line      of the page on which the text begins
    """

    language: str
    title: str
    text: str
    line: int


def pages() -> list[Path]:
    """README, CONTRIBUTING and every page of the site."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        title = re.search(r'title="([^"]*)"', rest)
        line = text.count("\n", 0, match.start("text")) + 1
        body = textwrap.dedent(match["text"])
        found.append(Block(language, title[1] if title else "", body, line))
    return found


def commands(block: Block) -> list[str]:
    """The commands of a console block; the other lines are what they print."""
    joined = block.text.replace("\\\n", " ")
    return [line[2:].strip() for line in joined.splitlines() if line.startswith("$ ")]


def without_blocks(page: Path) -> str:
    """The prose of a page."""
    return _FENCE.sub("", page.read_text())
