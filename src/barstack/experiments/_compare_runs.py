"""Runs side by side, from what their folders hold; nothing is fitted or worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from barstack.core.errors import ConfigError, StorageError
from barstack.evaluation import Comparison, compare

from ._study import Study

_SHOWN = 8  # digits of a run's id


def compare_runs(folders: Sequence[Path | str]) -> list[Comparison]:
    """Members and ensembles of one or several runs at each horizon that all of them forecast.

    They are compared on the decisions that all share. Raises `ConfigError` for what is not the
    folder of a run, or where runs share nothing, and `DataError` where they were judged by other
    returns.
    """
    runs = [Path(folder) for folder in folders]
    names = _names(runs)
    tables = {
        f"{name}{file.parent.name}": _read(file)
        for run, name in zip(runs, names, strict=True)
        for file in _files(run)
    }
    return compare(tables)


def _names(runs: list[Path]) -> list[str]:
    """What each forecaster's name begins with: its run's title or id, or nothing for one run."""
    if len(runs) < 2:
        return [""]
    if len({run.resolve() for run in runs}) < len(runs):
        raise ConfigError("A run is named twice. Give each once.")
    titles = []
    for run in runs:
        study = run / "study.yaml"
        title = Study.from_yaml(study).title if study.is_file() else ""
        titles.append(title or run.resolve().name[:_SHOWN])
    repeated = len(set(titles)) < len(titles)
    return [
        f"{title} ({run.resolve().name[:_SHOWN]}): " if repeated else f"{title}: "
        for title, run in zip(titles, runs, strict=True)
    ]


def _files(run: Path) -> list[Path]:
    files = [
        file for role in ("ensembles", "members") for file in run.glob(f"{role}/*/test.parquet")
    ]
    if files:
        return sorted(files)
    if not run.is_dir():
        raise ConfigError(
            f"There is no folder {run}. Give the folders of runs, such as runs/3f2a...."
        )
    if any(run.glob("*/members")):
        raise ConfigError(f"{run} holds runs. Name those to compare, such as {run}/*/.")
    raise ConfigError(
        f"{run} is no run that kept its forecasts: it has no members/. If an earlier version made "
        "it, run its study again."
    )


def _read(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"{file} is damaged: {error}. Run the study again; finished steps are reused."
        ) from error
