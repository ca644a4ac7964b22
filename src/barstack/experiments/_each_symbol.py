"""One study of many symbols as one run for each, and a table of how all of them went."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from barstack.core.errors import BarstackError, ConfigError
from barstack.core.files import new_file
from barstack.core.progress import Progress

from ._run import Run, run_study
from ._study import Study

SUMMARY = "training_summary.csv"
_SCORES = ("directional_accuracy", "ic", "r2", "net_edge_bps")
_COLUMNS = (
    *("symbol", "run", "error", "seconds", "bar", "n_decisions", "first_at", "last_at"),
    *("name", "role", "horizon", *_SCORES, "edge", "trials"),
)


@dataclass(frozen=True)
class SymbolRuns:
    """Runs by symbol, what went wrong with others, and the table of all."""

    runs: Mapping[str, Run]
    errors: Mapping[str, str]
    summary: Path


def study_of(study: Study, symbol: str) -> Study:
    """The same study of one of its symbols."""
    if "symbols" not in type(study.bars).model_fields:
        raise ConfigError(
            f"Bars of {type(study.bars).__name__} cannot be narrowed to one symbol: the provider "
            "has no setting `symbols`. Write a study for each symbol."
        )
    bars = study.bars.model_copy(update={"symbols": (symbol,)})
    title = f"{study.title}: {symbol}" if study.title else symbol
    return study.model_copy(update={"bars": bars, "title": title})


def run_each_symbol(
    study: Study,
    *,
    folder: Path | str = ".",
    runs: Path | str = "runs",
    progress: Progress | None = None,
    workers: int | None = None,
) -> SymbolRuns:
    """Run a study once for each symbol of its bars, each with an artifact of its own.

    A symbol that fails stops no other. Their names are those of the study's `symbols`, else of the
    bars, which are then loaded first. `training_summary.csv` in `runs` has a row for each
    forecaster and horizon of each symbol, and one with the error of each that failed; it is
    written anew after every symbol. Arguments as of `run_study`. `Models(runs)` then answers by
    ticker.

    >>> import tempfile
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = run_each_symbol(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    >>> list(found.runs), found.errors
    (['WALK'], {})
    """
    runs, progress = Path(runs), progress or Progress()
    named = getattr(study.bars, "symbols", None)
    symbols = sorted(named or study.visible_bars.load(Path(folder)))
    study_of(study, symbols[0])  # refuses bars that cannot be narrowed, once
    rows: list[dict[str, Any]] = []
    done: dict[str, Run] = {}
    errors: dict[str, str] = {}
    for place, symbol in enumerate(symbols, start=1):
        progress.note(f"{symbol}, {place} of {len(symbols)}")
        begin = time.monotonic()
        try:
            one = study_of(study, symbol)
            run = run_study(one, folder=folder, runs=runs, progress=progress, workers=workers)
        except BarstackError as error:
            errors[symbol] = str(error)
            rows.append({"symbol": symbol, "error": str(error)})
        else:
            done[symbol] = run
            rows += _rows(symbol, run, time.monotonic() - begin)
        with new_file(runs / SUMMARY) as scratch:
            scratch.write_text(_as_csv(rows))
    return SymbolRuns(done, errors, runs / SUMMARY)


def _rows(symbol: str, run: Run, seconds: float) -> list[dict[str, Any]]:
    found, verdict = run.evaluation, run.verdict
    about = {
        "symbol": symbol,
        "run": run.id,
        "seconds": round(seconds, 1),
        "bar": found.bar,
        "n_decisions": found.n_decisions,
        "first_at": found.first_at,
        "last_at": found.last_at,
        "edge": verdict.edge,
        "trials": verdict.trials,
    }
    scores = run.leaderboard().to_dict("records")
    return [about | {name: each.get(name) for name in _COLUMNS if name in each} for each in scores]


def _as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
