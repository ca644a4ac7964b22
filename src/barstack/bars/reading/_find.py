"""Which files a path names, and of which symbol each is."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from barstack.core.errors import DataError

from ._files import ENDINGS, ending_of, stem_of

_SYMBOL = "{symbol}"
_USUAL = (".parquet", ".csv")  # named in sentences; ENDINGS has them all


def is_pattern(path: str | Path) -> bool:
    """Whether a path stands for many, as `data/*_5min.csv` does."""
    return any(mark in str(path) for mark in ("*", "?", _SYMBOL))


def find_files(path: str | Path, folder: Path | str = ".") -> dict[str, list[Path]]:
    """Files by symbol, from a file, a folder, or a pattern; relative paths start at `folder`.

    A file's symbol is its name without the ending; under a pattern, what the star stands for, or
    `{symbol}` where there is more than one star. A file or folder whose own name holds such marks
    is itself. Raises `DataError` when there is none.
    """
    whole = Path(folder) / Path(path).expanduser()
    if is_pattern(path) and not whole.exists():
        return _by_pattern(Path(folder), str(Path(path).expanduser()))
    if whole.is_dir():
        files = [file for file in sorted(whole.iterdir()) if _holds(file)]
        # Beside other files, text is notes about them.
        tables = [file for file in files if not (ending_of(file) or "").startswith(".txt")]
        found = _by_symbol((stem_of(file), file) for file in tables or files)
        if not found:
            raise DataError(f"{whole} holds no {' or '.join(_USUAL)} file.")
        return found
    if whole.is_file():
        return {stem_of(whole): [whole]}
    raise DataError(
        f"{path} is neither a file nor a folder (looked at {os.path.abspath(whole)}). "
        "Paths in a study start at the study file's folder."
    )


def _by_pattern(folder: Path, pattern: str) -> dict[str, list[Path]]:
    matcher = _matcher(pattern)
    # Brackets, which glob takes for sets of letters, are plain letters here, and so is all of the
    # folder's own path.
    named = pattern.replace(_SYMBOL, "*").replace("[", "[[]")
    names = sorted(glob.glob(named, root_dir=folder, recursive=True))
    found = _by_symbol(
        (match["symbol"], folder / name)
        for name in names
        if _holds(folder / name) and (match := matcher.fullmatch(name.replace(os.sep, "/")))
    )
    if not found:
        looked = os.path.abspath(folder / pattern)
        raise DataError(f"No {' or '.join(_USUAL)} file fits {pattern} (looked at {looked}).")
    return found


def _matcher(pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression whose group `symbol` is what a file is named after."""
    parts = pattern.replace(os.sep, "/").split("/")
    star = _SYMBOL if _SYMBOL in pattern else "*"
    named = [place for place, part in enumerate(parts) if star in part and part != "**"]
    place = named[-1] if named else len(parts) - 1
    if parts[place].count(star) > 1:
        raise DataError(
            f"{pattern} does not tell which star is the symbol. Write {{symbol}} in its place, "
            "such as data/{symbol}_*.csv."
        )
    texts = []
    for at, part in enumerate(parts):
        if part == "**":
            texts.append(r"(?:[^/]+/)*")
            continue
        text = re.escape(part).replace(re.escape(_SYMBOL), "(?P<symbol>[^/]+?)")
        if at == place and star == "*" and named:
            text = text.replace(r"\*", "(?P<symbol>[^/]+?)")
        text = text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        if at == place and not named:
            text = f"(?P<symbol>{text})"
        texts.append(text + ("/" if at < len(parts) - 1 else ""))
    endings = "|".join(map(re.escape, ENDINGS))
    # Under *.csv* the ending is no part of the symbol.
    return re.compile(
        "".join(texts) if not pattern.endswith("*") else f"{''.join(texts)}(?:{endings})?"
    )


def _by_symbol(pairs: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for symbol, file in pairs:
        found.setdefault(symbol, []).append(file)
    return dict(sorted(found.items()))


def _holds(file: Path) -> bool:
    return file.is_file() and ending_of(file) is not None
