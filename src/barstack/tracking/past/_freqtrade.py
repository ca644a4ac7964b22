"""Epochs of freqtrade's hyperopt: a `.fthypt` file has one JSON object in each line.

Files of before version 2 were pickles, which can run code when they are opened, and are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from barstack.core.errors import ArtifactError, DataError
from barstack.core.untrusted import opened

from ._trial import MOST_TRIALS, PastTrial, checked_measures, checked_params, checked_text, moment

_LARGEST_FILE = 64 * 2**30  # bytes
_LONGEST_LINE = 64 * 2**20
_MEASURES = (
    *("total_trades", "profit_mean", "profit_median", "profit_total", "winrate", "sharpe"),
    *("sortino", "calmar", "profit_factor", "max_drawdown_account", "market_change"),
)


def read_freqtrade(file: Path) -> Iterator[PastTrial]:
    """Epochs in the order of the file."""
    try:
        with opened(file, _LARGEST_FILE) as stream:
            for number, line in enumerate(_lines(stream, file), 1):
                if number > MOST_TRIALS:
                    raise DataError(f"{file} holds more than {MOST_TRIALS:,} epochs. Split it.")
                yield _trial(_epoch(line, number, file), number, file)
    except ArtifactError as error:
        raise DataError(f"{file} cannot be read as results of hyperopt: {error}") from None


def _lines(stream: BinaryIO, file: Path) -> Iterator[bytes]:
    while line := stream.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise DataError(f"{file} has a line of more than {_LONGEST_LINE:,} bytes.")
        if line.strip():
            yield line


def _epoch(line: bytes, number: int, file: Path) -> dict[str, Any]:
    try:
        found = json.loads(line)  # NaN among the numbers, which freqtrade writes, is accepted
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{file}, line {number}, is no JSON: {error}. Copy the file again once hyperopt has "
            "ended."
        ) from None
    if not isinstance(found, dict) or not isinstance(found.get("params_dict"), dict):
        raise DataError(
            f"{file}, line {number}, is no epoch of hyperopt: it has no params_dict. Give a file "
            "strategy_*.fthypt of user_data/hyperopt_results."
        )
    return found


def _trial(epoch: dict[str, Any], number: int, file: Path) -> PastTrial:
    results = epoch.get("results_metrics")
    if not isinstance(results, dict):
        results = {}
    pairs = results.get("pairlist")
    return PastTrial(
        source="freqtrade",
        group=checked_text(results.get("strategy_name") or file.stem),
        number=checked_text(epoch.get("current_epoch", number)),
        params=checked_params(epoch["params_dict"]),
        measures=checked_measures(
            {"loss": epoch.get("loss")} | {name: results.get(name) for name in _MEASURES}
        ),
        symbols=tuple(map(checked_text, pairs)) if isinstance(pairs, list) else (),
        timeframe=checked_text(results.get("timeframe", "")),
        first_at=checked_text(results.get("backtest_start", "")),
        last_at=checked_text(results.get("backtest_end", "")),
        started_at=_seconds(results.get("backtest_run_start_ts")),
        finished_at=_seconds(results.get("backtest_run_end_ts")),
    )


def _seconds(value: Any) -> Any:
    return moment(value * 1000) if isinstance(value, int | float) else None
