"""A commented study file for given bars, which runs as it stands."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from barstack.bars import PROVIDERS, Catalog, Panel
from barstack.bars.checks import Finding, find
from barstack.bars.importing import Clue, Layout, Reading, find_files, guess, sentence
from barstack.core.errors import ConfigError, DataError, did_you_mean
from barstack.core.files import new_file
from barstack.core.times import DAY_US, format_duration, parse_duration
from barstack.models import MODELS

from ._presets import members_of, n_rows, seconds_of
from ._study import Study
from ._study_text import study_text

_WEEK_US = 7 * DAY_US
_LADDER = ("5min", "15min", "1h", "4h", "1d", "1w")
_MOST_BARS = 200  # of a horizon: outcomes further ahead overlap too much to learn from
_FEWEST_ROWS = 20  # of a symbol for each bar of a horizon, that there be outcomes to learn from
_SHOWN_SYMBOLS = 8

_USUAL = {"time": "timestamp"}  # names of columns that need not be given
_DEFAULTS = Layout().content() | dict.fromkeys(set(Reading.model_fields) - set(Layout.model_fields))

# What is taken where the bars do not show it, because no bar is then known before it could be:
# too late by a bar, or by hours, at worst.
_SAFE = {
    "stamp": (
        "open",
        "With open, bars are known one bar later than with close, so never too early.",
    ),
    "calendar": (
        "24/7",
        "With 24/7, days end at midnight, so no bar is known before its market's close.",
    ),
}


@dataclass(frozen=True)
class FirstStudy:
    """What `first_study` wrote.

    file        of the study
    study       as it was read back from the file
    panel       bars by symbol
    clues       how files are read, each with its evidence; none for bars of the catalog
    left_open   settings that the bars do not show, and that the file has as commented lines
    findings    what the checks of bars find
    seconds     an estimate of a run on one core
    """

    file: Path
    study: Study
    panel: Panel
    clues: tuple[Clue, ...] = ()
    left_open: tuple[Clue, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def refused(self) -> list[Finding]:
        """Findings with which a run would stop."""
        return [each for each in self.findings if each.level == "refuse"]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        bars = next(iter(self.panel.values()))
        return {
            "study": str(self.file),
            "id": self.study.id,
            "symbols": list(self.panel),
            "bars": n_rows(self.panel),
            "bar": format_duration(bars.length_us),
            "horizons": list(self.study.label.horizon_names),
            "preset": self.study.preset,
            "seconds": round(self.seconds),
            "read": [each.to_json() for each in self.clues],
            "left_open": [each.to_json() for each in self.left_open],
            "refused": [each.to_json() for each in self.refused],
            "next": f"barstack run {shlex.quote(str(self.file))}",
        }


def first_study(
    bars: str,
    file: Path | str = "study.yaml",
    given: Mapping[str, Any] | None = None,
    *,
    catalog: Path | str | None = None,
    replace: bool = False,
) -> FirstStudy:
    """Write a commented study of the bars at a path or in a collection, and read it back.

    Parameters
    ----------
    bars
        A collection of the catalog, a file, a folder of files, a pattern such as
        `data/*_5min.csv`, or `sample`.
    file
        The study file to write; paths in it start at its folder.
    given
        How files are to be read, as `barstack.bars.importing.guess` takes it.
    catalog
        Folder of the catalog, by default $BARSTACK_CATALOG, else `catalog`.
    replace
        Whether a file that is there may be replaced.

    Raises
    ------
    ConfigError
        Where the file is there, or where something must be given that no safe value stands for,
        such as the timezone of times that carry none.
    DataError
        Where there are no bars, or they cannot be read.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = small_study(Path(folder))  # which writes the bars
    ...     given = {"calendar": "24/7"}
    ...     found = first_study(f"{folder}/WALK.parquet", f"{folder}/study.yaml", given)
    >>> found.study.label.horizon_names
    ('1h', '4h')
    """
    file = Path(file)
    if file.exists() and not replace:
        raise ConfigError(
            f"{file} is there already. Name another with --to FILE, or replace it with --force."
        )
    source, clues, left_open = bars_source(bars, dict(given or {}), catalog)
    provider = PROVIDERS.parse(source)
    panel = provider.load()
    bar_format = provider.bar_format(Path())
    if "path" in source:
        source["path"] = _from(file.parent, source["path"])
    findings = find(panel, calendar=bar_format.calendar, hours=bar_format.hours)
    horizons = horizons_for(panel, bar_format.calendar)
    preset = "standard" if _installed("standard", panel) else "quick"
    seconds = seconds_of(preset, "return", panel)
    text = study_text(
        file.name,
        source,
        panel,
        horizons,
        preset,
        seconds,
        clues=clues,
        left_open={each.setting: (each, *_SAFE[each.setting]) for each in left_open},
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    with new_file(file) as scratch:
        scratch.write_text(text, "utf-8")
    return FirstStudy(file, Study.from_yaml(file), panel, clues, left_open, findings, seconds)


def open_settings(
    bars: str, given: Mapping[str, Any], catalog: Path | str | None = None
) -> tuple[Clue, ...]:
    """Settings of files that must be given, or for which a safe value would be taken.

    >>> open_settings("sample", {})  # a collection, or the sample: nothing is guessed
    ()
    """
    if bars in Catalog(catalog).names() or _is_sample(bars):
        return ()
    return guess(_files(bars), given).open


def horizons_for(panel: Panel, calendar: str) -> list[str | int]:
    """Horizons that suit the length of the bars, and for which there are enough of them.

    Up to three of 5min, 15min, 1h, 4h, 1d and 1w, of 2 to 200 bars; for days the next bar and the
    next week; whole bars where none of these fits.

    >>> from barstack.testing import walk
    >>> horizons_for({"A": walk(1000)}, "XNYS")
    ['1h', '4h', '1d']
    """
    length_us = next(iter(panel.values())).length_us
    rows = max(map(len, panel.values()))
    if length_us >= _WEEK_US:
        wanted: list[str | int] = [1, 4]
    elif length_us >= DAY_US:
        wanted = [1, 7 if calendar == "24/7" else 5]
    else:
        lengths = {each: parse_duration(each) for each in _LADDER}
        fitting = [
            each
            for each, reach_us in lengths.items()
            if reach_us % length_us == 0 and 2 <= reach_us // length_us <= _MOST_BARS
        ]
        wanted = [*fitting[:3]] or [1, 5, 20]

    def n_bars(horizon: str | int) -> int:
        return horizon if isinstance(horizon, int) else parse_duration(horizon) // length_us

    return [each for each in wanted if n_bars(each) * _FEWEST_ROWS <= rows] or [1]


def bars_source(
    bars: str, given: dict[str, Any], catalog: Path | str | None = None
) -> tuple[dict[str, Any], tuple[Clue, ...], tuple[Clue, ...]]:
    """Settings of the provider; how files are read, and what of that they do not show."""
    kept = Catalog(catalog)
    named = bars in kept.names()
    if named or _is_sample(bars):
        if given:
            raise ConfigError(
                f"{', '.join(given)}: how the bars of {bars} are read was settled when they came "
                "in. Leave it out."
            )
        if not named:
            return {"provider": "sample"}, (), ()
        place = {} if catalog is None else {"path": str(catalog)}
        return {"provider": "catalog", "collection": bars, **place}, (), ()
    try:
        files = _files(bars)
    except DataError as error:
        if not kept.names() or os.sep in bars or Path(bars).exists():
            raise
        hint = did_you_mean(bars, kept.names())
        raise DataError(f"{error} Of collections in {kept.folder}: {hint}") from None
    clues, left_open = _understood(files, given)
    path = {"provider": "files", "path": os.path.expanduser(bars)}
    settings, columns = dict[str, Any](), dict[str, str]()
    for each in clues:
        role = each.setting.removeprefix("columns.")
        if role != each.setting:
            columns |= {role: each.value} if each.value != _USUAL.get(role, role) else {}
        elif each.setting not in ("symbol", "dayfirst") and each.value != _DEFAULTS[each.setting]:
            settings[each.setting] = each.value
    columns_given = {"columns": columns} if columns else {}
    return path | columns_given | settings, clues, left_open


def _files(bars: str) -> list[Path]:
    whole = Path(bars).expanduser()
    if whole.is_dir():
        below = [each.name for each in sorted(whole.iterdir()) if each.is_dir()]
        try:
            found = find_files(bars)
        except DataError:
            if not below:
                raise
            raise DataError(
                f"{bars} holds folders and no file of bars. Name one of them: "
                f"{', '.join(below[:_SHOWN_SYMBOLS])}."
            ) from None
    else:
        found = find_files(bars)
    return [file for files in found.values() for file in files]


def _understood(
    files: list[Path], given: dict[str, Any]
) -> tuple[tuple[Clue, ...], tuple[Clue, ...]]:
    """How files are read, with safe values for what they do not show."""
    left_open: dict[str, Clue] = {}
    while True:
        safe = {setting: _SAFE[setting][0] for setting in left_open}
        found = guess(files, given | safe)
        if not found.open:
            clues = (each for each in found.clues if each.setting not in left_open)
            return tuple(clues), tuple(left_open.values())
        unsafe = [each for each in found.open if each.setting not in _SAFE]
        if unsafe:
            raise ConfigError(f"{found.where}: this must be given. {sentence(unsafe)}")
        left_open |= {each.setting: each for each in found.open}


def _is_sample(bars: str) -> bool:
    return bars == "sample" and not Path(bars).exists()


def _from(folder: Path, path: str) -> str:
    """A path as a study in `folder` names it: relative unless it was absolute."""
    return path if os.path.isabs(path) else os.path.relpath(path, folder)


def _installed(preset: str, panel: Panel) -> bool:
    """Whether all libraries of a preset's members are installed."""
    for name in members_of(preset, "return", n_rows(panel)):
        for package in MODELS.get(name).packages:
            try:
                version(package)
            except PackageNotFoundError:
                return False
    return True
