"""Runs side by side, from what their folders hold; nothing is fitted or worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from barstack.core.errors import ConfigError, StorageError
from barstack.core.yaml import read_yaml
from barstack.evaluation import Comparison, compare

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
        title = read_yaml(study.read_text()).get("title") if study.is_file() else None
        titles.append(str(title or run.resolve().name[:_SHOWN]))
    repeated = len(set(titles)) < len(titles)
    return [
        f"{title} ({run.resolve().name[:_SHOWN]}): " if repeated else f"{title}: "
        for title, run in zip(titles, runs, strict=True)
    ]


def _files(run: Path) -> list[Path]:
    files = [
        file for role in ("ensembles", "members") for file in run.glob(f"{role}/*/test.parquet")
    ]
    if not files:
        raise ConfigError(
            f"{run} is not the folder of a run, or of a run made before runs kept their forecasts: "
            "it has no members/. Run its study again."
        )
    return sorted(files)


def _read(file: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"{file} is damaged: {error}. Run the study again; finished steps are reused."
        ) from error
