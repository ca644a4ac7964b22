"""The text of a commented study file."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from barstack.bars import Panel
from barstack.bars.importing import Clue
from barstack.core.text import printable
from barstack.core.times import DAY_US, format_duration, iso

from ._presets import n_rows

_SHOWN_SYMBOLS = 8


def study_text(
    name: str,
    source: Mapping[str, Any],
    panel: Panel,
    horizons: Sequence[str | int],
    preset: str,
    seconds: float,
    *,
    clues: Sequence[Clue] = (),
    left_open: Mapping[str, tuple[Clue, str, str]],
) -> str:
    """A study file, each choice below a comment that says why or what else there is.

    name       of the file, for the command that runs it
    source     settings of the provider
    clues      evidence of those settings
    left_open  settings that the bars do not show: the clue, the value until it is chosen, and why
               that is safe
    """
    length_us = next(iter(panel.values())).length_us
    length = format_duration(length_us)
    lines = [
        *_comment(_about(panel, length)),
        *_comment("Every line may be changed. `barstack schema` lists all keys."),
        "#",
        f"#   barstack run {_plain(name)}",
        "",
        "bars:",
        *_settings(source, clues),
        *_choices(left_open),
        "  # Longer bars to work on, and when to begin:",
        f"  # resample: {'1d' if length_us < DAY_US else '1w'}",
        "  # start: 2020-01-01",
        "",
        *_comment(
            f"How far ahead to forecast, from the close of each bar of {length}. Whole numbers are "
            "bars, 4h and 1d are times, 1session is the end of the next session."
        ),
        f"horizons: {_flow(list(horizons))}",
        "# What to forecast, return by default: `barstack list labels` names the others.",
        "# label: direction",
        "",
        "# What models see: a named set, or a list of names from `barstack features list`.",
        "features: fast25",
        "",
        *_comment(
            "Which models, ensembles and folds: quick, standard or thorough. A larger one asks "
            f"more of an edge, as every trial counts. This one takes about {seconds:,.0f} s on one "
            "core."
        ),
        *_missing(preset),
        f"preset: {preset}",
        "# Or name them, in place of the preset:",
        "# members: [ridge, lightgbm]",
        "# ensembles: [inverse_variance, nnls]",
        "# split: {split: walk_forward, folds: 5}",
        "",
        *_comment(
            "Choose: bars do not show what trading costs you. Of buying or selling one unit, in "
            "hundredths of a percent:"
        ),
        "cost_bps: 1.0",
        "# Every random choice follows from it.",
        "seed: 0",
    ]
    return "\n".join(lines) + "\n"


def _missing(preset: str) -> list[str]:
    if preset != "quick":
        return []
    return ["# For standard: pip install 'barstack[boosting,classical]'"]


def _about(panel: Panel, length: str) -> str:
    names = list(panel)
    shown = ", ".join(names[:_SHOWN_SYMBOLS])
    if len(names) > _SHOWN_SYMBOLS:
        shown += f" and {len(names) - _SHOWN_SYMBOLS} more"
    first = min(bars.opened_at[0] for bars in panel.values())
    last = max(bars.closed_at[-1] for bars in panel.values())
    return f"{shown}: {n_rows(panel):,} bars of {length}, from {iso(first)} to {iso(last)}."


def _settings(source: Mapping[str, Any], clues: Sequence[Clue]) -> Iterator[str]:
    """The provider's settings, each below its evidence."""
    evidence = {each.setting: each for each in clues}
    for name, value in source.items():
        clue = evidence.get(name)
        if clue is not None and clue.certainty in ("sure", "likely"):
            check = "" if clue.certainty == "sure" else "Likely, so check it: "
            yield from _comment(f"{check}{clue.because}", "  ")
        yield f"  {name}: {_flow(value)}"


def _choices(left_open: Mapping[str, tuple[Clue, str, str]]) -> Iterator[str]:
    for setting, (clue, value, why) in left_open.items():
        others = [each for each in clue.choices if each != value]
        yield from _comment(
            f"Choose {setting}, which the bars do not show: {clue.because} Until then it is "
            f"{value}. {why}",
            "  ",
        )
        yield f"  # {setting}: {_flow(others[0])}   # or {', '.join([*others[1:], value])}"


def _comment(text: str, indent: str = "") -> list[str]:
    mark = f"{indent}# "
    return textwrap.wrap(
        _plain(text), 96, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False
    )


def _plain(text: str) -> str:
    """Text that stays on its line, whatever a file or a column is called."""
    return " ".join(printable(text).split())


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.strip().removesuffix("...").strip()
