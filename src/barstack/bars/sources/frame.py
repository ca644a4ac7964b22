"""Bars from a frame in memory, kept beside the runs so that a run can be repeated and audited."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl

from barstack.core.chosen import Chosen
from barstack.core.errors import ConfigError, DataError
from barstack.core.files import new_folder
from barstack.core.spec import content_id
from barstack.core.text import listed

from .._bars import Bars, panel_fingerprint
from .._sessions import ALWAYS
from ..importing import Clue, Layout, Reading, guess, named_table
from ._frame_tables import UNNAMED, check_one_symbol, frame_parts
from ._provider import Provider, register

_FILE = "bars.parquet"
_FOLDER = ".frames"
_SYMBOL = "symbol"  # the column of symbols in the kept table
# These decide when a bar could be known, so a likely guess of them is not taken.
_CLOCK = ("calendar", "hours", "timezone", "stamp", "day_zone")
_GUESSED = (*_CLOCK, "bar", "columns", "time_format")


@register("frame")
class FrameProvider(Provider):
    """Bars that were handed in as a frame: `keep_frame` makes it, and a run's study.yaml holds it.

    Its identity is the bars themselves and how they are read, wherever they are kept and whatever
    the frame called its columns.

    >>> import tempfile
    >>> from barstack.testing import walk
    >>> settings = {"calendar": "24/7", "stamp": "open", "symbol": "WALK"}
    >>> kept = keep_frame(walk(100).to_frame(), runs=tempfile.mkdtemp(), **settings)
    >>> list(kept.load())
    ['WALK']
    """

    bars_sha256: str  # fingerprint of the bars of all symbols
    path: str  # folder that keeps them
    layout: Layout = Layout()  # of the frame, by which `Run.predict` reads further ones

    def layout_of(self, folder: Path) -> Layout:
        return self.layout

    def read(self, folder: Path) -> dict[str, Any]:
        file = self._file(folder)
        try:
            table = pl.read_parquet(file)
            parts = table.partition_by("symbol", as_dict=True, include_key=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{file} cannot be read: {reason}. Hand the frame in again.") from None
        return {str(name): part for (name,), part in parts.items()}

    def bars(self, folder: Path) -> dict[str, Bars]:
        panel = super().bars(folder)
        if panel_fingerprint(panel) != self.bars_sha256:
            raise DataError(
                f"The bars in {self._file(folder)} are not those that were handed in. Hand the "
                "frame in again."
            )
        return panel

    def identity(self) -> list[Any]:
        """Everything but the place and the frame's names."""
        *front, fields = super().identity()
        own = {name: item for name, item in fields.items() if name not in ("path", "layout")}
        return [*front, own]

    def _file(self, folder: Path) -> Path:
        kept = Path(folder) / self.path
        beside = Path(folder).resolve().parent / _FOLDER / kept.name  # runs that were moved
        for place in (kept, beside):
            if (place / _FILE).is_file():
                return place / _FILE
        raise DataError(
            f"The frame of this study was kept in {kept}, and is no longer there. Hand it in again."
        )


def keep_frame(
    frame: Any,
    *,
    symbol: str | None = None,
    symbol_column: str | None = None,
    runs: Path | str = "runs",
    **settings: Any,
) -> FrameProvider:
    """A provider of the bars in a frame, which it writes below `runs` once.

    Parameters
    ----------
    frame, symbol, symbol_column
        As in `frame_tables`.
    runs
        Folder of runs; the bars are kept in `.frames` there.
    settings
        `calendar`, `hours`, `stamp`, `timezone`, `bar`, `day_zone`, `columns` (the frame's names
        of time, open and so on) and `time_format`, where the frame does not show them for sure;
        any other setting of a provider, such as `start` or `resample`.

    Raises
    ------
    ConfigError
        For a setting that must be given.
    DataError
        For a frame that holds no clean bars.

    >>> import tempfile
    >>> from barstack.testing import walk
    >>> settings = {"calendar": "24/7", "stamp": "open", "symbol": "WALK"}
    >>> kept = keep_frame(walk(100).to_frame(), runs=tempfile.mkdtemp(), **settings)
    >>> kept.load()
    {'WALK': Bars(WALK, 100 x 30min, 2026-01-05 14:30 UTC .. 2026-01-15 15:30 UTC)}
    """
    return kept_frame(frame, symbol, symbol_column, Path(runs), settings)[0]


def kept_frame(
    frame: Any, symbol: str | None, symbol_column: str | None, runs: Path, settings: dict[str, Any]
) -> tuple[FrameProvider, tuple[Chosen, ...]]:
    """As `keep_frame`, and what was taken from the frame without being given."""
    tables, own = frame_parts(frame, symbol=symbol, symbol_column=symbol_column)
    given = {name: settings[name] for name in _GUESSED if settings.get(name) is not None}
    rest = {name: value for name, value in settings.items() if name not in _GUESSED}
    FrameProvider(  # what is wrong with a setting is said before anything is guessed
        bars_sha256="", path="", layout=_given_layout(given), **_without_layout(given), **rest
    )
    whole = _long(tables)
    several = {"symbol_column": _SYMBOL} if len(tables) > 1 else {}
    found = guess(whole, given | several, where="the frame")
    reading = found.likeliest
    for name, table in tables.items():
        check_one_symbol(table, reading.columns, name)
    if unsure := [each for each in found.clues if _must_be_given(each)]:
        lines = [f"  {_question(each)}" for each in unsure]
        raise ConfigError("\n".join(["The frame does not show for sure:", *lines]))
    named = named_table(whole, reading.layout, "the frame")
    if not several:
        named = named.with_columns(pl.lit(next(iter(tables))).alias(_SYMBOL))
    choices = [Chosen("symbols", tuple(tables), "As the frame names them.")]
    if symbol is not None:
        choices = []
    elif tuple(tables) == (UNNAMED,):
        choices = [Chosen("symbol", UNNAMED, "The frame names none; give symbol= to name it.")]
    choices += [
        Chosen(_option(each), each.value, each.because)
        for each in found.clues
        if _is_shown(each) and each.setting != "symbol_column"
    ]
    layout = reading.layout.model_copy(update={"symbol_column": own})
    return _kept(named, reading, layout, runs, rest), tuple(choices)


class Frame(Layout):
    """The layout that a user gives, whose mistakes are those of the frame's settings."""


def _given_layout(given: dict[str, Any]) -> Layout:
    return Frame(**{name: given[name] for name in Layout.model_fields if name in given})


def _without_layout(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in Layout.model_fields}


def _long(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """All tables as one; of several, with a column of symbols."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    _check_zones(tables)
    named = [each.with_columns(pl.lit(name).alias(_SYMBOL)) for name, each in tables.items()]
    try:
        return pl.concat(named, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"The frames of {listed(list(tables), 5)} differ in their columns: {reason}. Give "
            "all of them the same columns, of the same kinds."
        ) from None


def _check_zones(tables: dict[str, pl.DataFrame]) -> None:
    """`DataError` where frames of a mapping write their times on different clocks."""
    by_zone: dict[str, dict[str, str]] = {}
    for symbol, table in tables.items():
        for name, kind in table.schema.items():
            if isinstance(kind, pl.Datetime):
                by_zone.setdefault(name, {}).setdefault(kind.time_zone or "no zone", symbol)
    for name, symbols in by_zone.items():
        if len(symbols) > 1:
            found = " and ".join(f"{zone} in that of {each}" for zone, each in symbols.items())
            raise DataError(
                f"The frames write {name!r} on different clocks: {found}. Convert all to one, "
                "such as with tz_convert in pandas or dt.convert_time_zone in polars."
            )


def _must_be_given(clue: Clue) -> bool:
    return clue.open or (clue.setting in _CLOCK and clue.certainty == "likely")


def _is_shown(clue: Clue) -> bool:
    """Whether a guess is worth showing: of the clock and the bar, and of what is not certain."""
    if clue.certainty == "given" or clue.value is None:
        return False
    return clue.setting in (*_CLOCK, "bar") or clue.certainty == "likely"


def _option(clue: Clue) -> str:
    """How the setting is given in Python."""
    if not clue.setting.startswith("columns."):
        return clue.setting
    return f"columns[{clue.setting.removeprefix('columns.')!r}]"


_USUAL = {
    "bar": ("5min", "1h", "1d"),
    "calendar": (ALWAYS,),
    "stamp": ("open", "close"),
    "timezone": ("UTC",),
}


def _question(clue: Clue) -> str:
    """What was seen, and what can be said."""
    likely = () if clue.value is None else (str(clue.value),)
    choices = dict.fromkeys((*likely, *clue.choices, *_USUAL.get(clue.setting, ())))
    listed = " or ".join(f'"{each}"' for each in choices)
    if clue.setting.startswith("columns."):
        role = clue.setting.removeprefix("columns.")
        return f'{role}: {clue.because} Give columns={{"{role}": ...}} with {listed}.'
    return f"{clue.setting}: {clue.because} Give {clue.setting}= {listed}."


def _kept(
    named: pl.DataFrame, reading: Reading, layout: Layout, runs: Path, rest: dict[str, Any]
) -> FrameProvider:
    """The provider of these tables, which are written unless they are there and whole."""
    how = asdict(reading.bar_format)
    how = {name: how[name] for name in (*_CLOCK, "bar")}
    parts = {
        str(name): part
        for (name,), part in named.partition_by(_SYMBOL, as_dict=True, include_key=False).items()
    }
    panel = {
        name: reading.bar_format.read(part, name, where=f"the frame of {name}")
        for name, part in parts.items()
    }
    content = panel_fingerprint(panel)
    # The same bars may be stamped in several ways, so how they are written is in the name too.
    written = [content, how, str(named.schema["timestamp"])]
    folder = (runs / _FOLDER / content_id(written)).resolve()
    provider = FrameProvider(bars_sha256=content, path=str(folder), layout=layout, **how, **rest)
    if not _is_whole(provider):
        with new_folder(folder) as scratch:
            named.write_parquet(scratch / _FILE)
    return provider


def _is_whole(provider: FrameProvider) -> bool:
    """Whether what is kept are these very bars; a file may have been cut off or altered."""
    try:
        provider.bars(Path())
    except DataError:
        return False
    return True
