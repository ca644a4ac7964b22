"""A change of the public API is written down, and the list of it shows what matters."""

from __future__ import annotations

import difflib
import re

from tests.public_api import FILE, public_api, rooms

import barstack


def test_the_public_api_is_the_one_that_was_written_down() -> None:
    known, found = FILE.read_text("utf-8"), public_api()
    changed = [
        line
        for line in difflib.unified_diff(known.splitlines(), found.splitlines(), lineterm="", n=0)
        if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert not changed, (
        "The public API is not as it was written down:\n"
        + "\n".join(changed)
        + "\nIf that is meant: run `python -m tests.public_api`, and say in CHANGELOG.md, under "
        "Unreleased, what changed; docs/deprecation.md says what may."
    )


def test_it_lists_every_name_that_is_exported() -> None:
    lines = FILE.read_text("utf-8").splitlines()
    top = lines[lines.index("barstack") :]
    names = {match[2] for line in top if (match := re.match(r"  (class )?(\w+)", line))}
    assert {name for name in dir(barstack) if not name.startswith("_")} <= names
    assert {"barstack.bars", "barstack.testing", "barstack.models"} <= set(rooms())
    assert (
        "  parametrize_with_checks(parts: Iterable[Given], *, only: Collection[str] = ()) -> "
        in ("\n".join(lines))
    )


def test_a_change_of_a_signature_would_be_seen() -> None:
    """The text has parameters with their types and defaults, and members of classes."""
    text = FILE.read_text("utf-8")
    assert re.search(r"^  walk\(bars: int = 1500, \*, seed: int = 0", text, re.M)
    assert re.search(r"^  class Ridge\(", text, re.M)
    assert re.search(r"^    penalty: float = ", text, re.M)
    assert re.search(r"^    from_yaml\(file: Path \| str\) -> Study$", text, re.M)
