"""Which files a path names, and their tables in blocks of bounded size."""

from __future__ import annotations

import codecs
import glob
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import polars as pl

from barstack.core.errors import DataError

from ._layout import Layout

TEXT = (".csv", ".tsv", ".txt")
COLUMNAR = (".parquet", ".feather", ".arrow")
ENDINGS = (*TEXT, *(f"{ending}.gz" for ending in TEXT), *COLUMNAR)
BLOCK_BYTES = 32 << 20
BLOCK_ROWS = 1_000_000
_MOST_CELLS = 16_000_000  # of a block: tables may have thousands of columns
_LONGEST_LINE = 16 << 20
_MOST_COLUMNS = 100_000
# A file that unpacks to more than this many times its size holds no prices.
_SMALL, _PACKED = 256 << 20, 200


def ending_of(file: Path) -> str | None:
    """The ending that marks a file as a table, or None.

    >>> ending_of(Path("bars/SPY.csv.gz")), ending_of(Path("notes.md"))
    ('.csv.gz', None)
    """
    name = file.name.lower()
    fitting = [ending for ending in ENDINGS if name.endswith(ending) and name != ending]
    return max(fitting, key=len) if fitting and not name.startswith(".") else None


def stem_of(file: Path) -> str:
    """A file's name without its ending: by default the symbol."""
    return file.name[: -len(ending_of(file) or "")] if ending_of(file) else file.stem


def is_text(file: Path) -> bool:
    """Whether the file holds lines of text."""
    return (ending_of(file) or "").removesuffix(".gz") in TEXT


def check_file(file: Path) -> None:
    """`DataError` unless the file can hold a table."""
    if ending_of(file) is None:
        sheet = (
            " Save the sheet as CSV." if file.suffix.lower() in (".xlsx", ".xls", ".ods") else ""
        )
        raise DataError(
            f"{file} ends in {file.suffix!r}. Give a file of {', '.join(ENDINGS)}.{sheet}"
        )
    if file.stat().st_size == 0:
        raise DataError(f"{file} is empty: 0 bytes. Fetch or export it again.")


def batches(
    file: Path, layout: Layout, *, block_bytes: int = BLOCK_BYTES, block_rows: int = BLOCK_ROWS
) -> Iterator[pl.DataFrame]:
    """The table in a file, in order, a bounded part at a time; columns of text are all String.

    Raises `DataError` when the file is no such table.
    """
    check_file(file)
    try:
        if is_text(file):
            yield from _text_batches(file, layout, block_bytes)
        else:
            yield from _columnar_batches(file, block_rows)
    # A damaged parquet file can make polars panic, which is no ordinary exception.
    except (
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,
        OSError,
        EOFError,
        UnicodeError,
        zlib.error,
    ) as error:
        raise DataError(
            f"{file} cannot be read as {(ending_of(file) or '')[1:]}: "
            f"{str(error).splitlines()[0]}. Check that it is complete and that its ending tells "
            "what it is."
        ) from None


def _refuse_bomb(file: Path, unpacked: int) -> None:
    """`DataError` for a file that holds far more than a table of its size could."""
    packed = file.stat().st_size
    if unpacked > max(_SMALL, _PACKED * packed):
        raise DataError(
            f"{file} unpacks to over {unpacked >> 20:,} MiB, {_PACKED} times its own "
            f"{packed / 1024:,.0f} KiB and more: no table of bars can be packed so."
        )


def _columnar_batches(file: Path, block_rows: int) -> Iterator[pl.DataFrame]:
    scan = pl.scan_parquet if ending_of(file) == ".parquet" else pl.scan_ipc
    table = scan(file, glob=False)  # a name may contain such marks
    n_rows = int(table.select(pl.len()).collect().item())
    width = len(table.collect_schema())
    _refuse_bomb(file, 8 * n_rows * width)
    block_rows = max(1, min(block_rows, _MOST_CELLS // max(width, 1)))
    for start in range(0, max(n_rows, 1), block_rows):
        yield table.slice(start, block_rows).collect()


def opened(file: Path) -> IO[bytes]:
    """The file's bytes, unpacked."""
    return (
        cast(IO[bytes], gzip.open(file)) if file.name.lower().endswith(".gz") else file.open("rb")
    )


def blocks(file: Path, encoding: str, block_bytes: int) -> Iterator[bytes]:
    """Whole lines as UTF-8, at most about `block_bytes` at a time."""
    # Lines end with LF, CR LF, or CR alone, as Excel for old Macintoshes leaves them.
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(encoding)(), translate=True)
    rest, held, first, unpacked = b"", b"", True, 0
    with opened(file) as stream:
        while chunk := stream.read(block_bytes):
            unpacked += len(chunk)
            _refuse_bomb(file, unpacked)
            text = decoder.decode(chunk)
            if first:
                text, first = text.removeprefix("\ufeff"), False
            block = rest + text.encode()
            end = block.rfind(b"\n") + 1
            rest = block[end:]
            if len(rest) > _LONGEST_LINE:
                raise DataError(f"{file} has a line of over {len(rest):,} bytes: it is no table.")
            if end:
                if held:
                    yield held
                held = block[:end]
    # A last line without an end belongs to the block before it.
    if last := held + rest + decoder.decode(b"", final=True).encode():
        yield last


def _text_batches(file: Path, layout: Layout, block_bytes: int) -> Iterator[pl.DataFrame]:
    names: list[str] = []
    for block in blocks(file, layout.encoding, block_bytes):
        body = block
        if not names:
            n_above = layout.skip_lines + max(layout.header_lines, 1)
            lines = block.split(b"\n", n_above)
            head = lines[layout.skip_lines : n_above]
            names = column_names([line.decode().rstrip("\r") for line in head], layout)
            if len(names) > _MOST_COLUMNS:
                raise DataError(
                    f"{file} has {len(names):,} columns, and no table of bars has more than "
                    f"{_MOST_COLUMNS:,}. Its lines may have lost their ends: save it again."
                )
            body = b"\n".join(lines[layout.skip_lines + layout.header_lines :])
        if body.count(b'"') % 2:
            raise DataError(f"{file}: a quotation mark is opened and not closed. Mend that line.")
        yield _parsed(body, names, layout, file)


def column_names(head: list[str], layout: Layout) -> list[str]:
    """Names of the columns from the lines of the header.

    >>> column_names(["Date;Close"], Layout(separator=";"))
    ['Date', 'Close']
    >>> column_names(["Price,Close", "Ticker,SPY", "Date,"], Layout(header_lines=3))
    ['Date', 'Close']
    """
    import csv  # noqa: PLC0415 (only its rules of quoting are needed, for one line)

    rows = list(csv.reader(head, delimiter=layout.separator))
    if not layout.header_lines:
        return [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
    names = [name.strip() for name in rows[0]]
    # A sheet's empty columns have no names; the first may be that of an index.
    nameless = [place for place, name in enumerate(names) if not name][1:]
    for place in nameless:
        names[place] = f"column_{place + 1}"
    if layout.header_lines > 1 and rows[-1] and not any(rows[-1][1:]):
        names[0] = rows[-1][0].strip()  # tables with several header lines name the index last
    return names


def _parsed(block: bytes, names: list[str], layout: Layout, file: Path) -> pl.DataFrame:
    # polars needs distinct names where several columns share one, such as an empty one.
    places = [f"{place}" for place in range(len(names))]
    if not block.strip():
        table = pl.DataFrame({name: [] for name in places}, schema=dict.fromkeys(places, pl.String))
    else:
        table = pl.read_csv(
            block,
            separator=layout.separator,
            has_header=False,
            schema=dict.fromkeys(places, pl.String),
        )
    table = table.filter(~pl.all_horizontal(pl.all().is_null()))  # rows that a sheet leaves empty
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise DataError(f"{file} has several columns called {repeated[0]!r}. Rename or remove one.")
    return table.rename(dict(zip(places, names, strict=True)))


_SYMBOL = "{symbol}"
_USUAL = (".parquet", ".csv")  # named in sentences; ENDINGS has them all


def is_pattern(path: str | Path) -> bool:
    """Whether a path is a pattern such as `data/*_5min.csv`."""
    return any(mark in str(path) for mark in ("*", "?", _SYMBOL))


def find_files(path: str | Path, folder: Path | str = ".") -> dict[str, list[Path]]:
    """Files by symbol, from a file, a folder, or a pattern; relative paths start at `folder`.

    A file's symbol is its name without the ending; under a pattern, what the star matches, or
    `{symbol}` where there is more than one star. A file or folder whose own name holds such marks
    is taken literally. Raises `DataError` when there is none.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "SPY_5min.csv").write_text("")
    ...     found = find_files("*_5min.csv", folder)
    >>> list(found)
    ['SPY']
    """
    whole = Path(folder) / Path(path).expanduser()
    if is_pattern(path) and not whole.exists():
        return _by_pattern(Path(folder), str(Path(path).expanduser()))
    if whole.is_dir():
        files = [file for file in sorted(whole.iterdir()) if _holds(file)]
        # Beside other files, text files are notes about them.
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
