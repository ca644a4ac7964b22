"""`bs.judge`: the verdict on forecasts, positions, trades or an account made elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from barstack.bars import PROVIDERS, Bars, Panel, Provider, as_panel
from barstack.bars.sources import keep_frame
from barstack.core.errors import ConfigError, did_you_mean
from barstack.evaluation.judging import (
    HistoryOptions,
    Judgement,
    history_of,
    judge_history,
    read_table,
)

from ._first_study import bars_source


def judge(
    history: Any,
    bars: Any,
    *,
    kind: Literal["", "forecasts", "positions", "trades", "equity"] = "",
    column: str = "",
    trials: int = 1,
    trials_matrix: Any = None,
    cost_bps: float = 1.0,
    horizon: str = "",
    times: Literal["", "bars", "moments"] = "",
    symbol: str = "",
    tuned_until: str = "",
    claims: Mapping[str, float] | None = None,
    expected: str = "",
    **reading: Any,
) -> Judgement:
    """The verdict on what was made elsewhere, from a file or a frame and the bars it was made on.

    Lists of trades, orders and account values are recognised by their columns, as vectorbt,
    backtesting.py, freqtrade, QuantConnect and TradingView export them, and so are forecasts and
    positions: a column of times and one called forecast, position or equity is enough.

    Parameters
    ----------
    history
        A CSV, parquet, JSON or zip file, or a pandas or polars table.
    bars
        A file, a folder, a pattern, a collection of the catalog or "sample"; a table; or `Bars`.
    kind, column
        What the history holds and in which column, where its columns do not tell.
    trials
        How many rules, settings or models were tried before this one was chosen, itself included.
    trials_matrix
        A file or table with a column of times and one of returns for each of them: then their
        likeness is allowed for, and PBO and the deflated Sharpe ratio are reported.
    cost_bps
        Paid for each unit bought or sold, in hundredths of a percent.
    horizon
        How far ahead forecasts look, such as "4h"; by default as the file says, else until the next
        forecast.
    times
        "bars" where times name bars, whose close is then the moment of the decision; "moments"
        where they are that moment themselves. By default moments in a column `decided_at`.
    symbol
        The one to judge, of bars of several.
    tuned_until
        Date up to which rules were fitted; only what is later is judged.
    claims
        What is said of the history: r2, ic, directional_accuracy, sharpe, t_value, win_rate,
        payoff, profit_factor. Contradictions are a suspicion.
    expected
        Why a result may be better than real markets allow.
    reading
        How the bars are read, where they do not show it: calendar, stamp, timezone, columns and so
        on, as `barstack.bars.importing.guess` takes them.

    Raises
    ------
    ConfigError, DataError
        With what, where and the way out.

    >>> import barstack as bs
    >>> from barstack.testing import walk
    >>> bars = walk(600)
    >>> frame = bars.to_frame()
    >>> forecasts = frame[["timestamp"]].assign(forecast=frame["close"].pct_change())
    >>> found = bs.judge(forecasts, bars, trials=20)
    >>> found.edge, found.trials
    ('none', 20)
    """
    panel, stamp, timezone = panel_of(bars, reading)
    if symbol:
        if symbol not in panel:
            raise ConfigError(f"There are no bars of {symbol!r}. {did_you_mean(symbol, panel)}")
        panel = {symbol: panel[symbol]}
    first = min(int(each.records["opened_at"][0]) for each in panel.values())
    last = max(int(each.records["closed_at"][-1]) for each in panel.values())
    options = HistoryOptions(kind, column, horizon, times)
    found = history_of(read_table(history), options, (first, last))
    return judge_history(
        found,
        panel,
        stamp=stamp,
        timezone=timezone,
        trials=trials,
        cost_bps=cost_bps,
        matrix=None if trials_matrix is None else read_table(trials_matrix),
        claims=claims,
        tuned_until=tuned_until,
        expected=expected,
    )


def panel_of(bars: Any, reading: Mapping[str, Any]) -> tuple[Panel, str, str]:
    """Bars by symbol, which end of them their source stamps, and its zone for times without one."""
    given = {name: value for name, value in reading.items() if value not in (None, "")}
    if isinstance(bars, (str, Path)):
        source, _, _ = bars_source(str(bars), given)
        provider = PROVIDERS.parse(source)
    elif isinstance(bars, Provider):
        provider = bars
    elif isinstance(bars, Bars) or (
        isinstance(bars, Mapping) and all(isinstance(each, Bars) for each in bars.values())
    ):
        if unknown := set(given) - {"stamp", "timezone"}:
            raise ConfigError(f"Bars are read already: leave {', '.join(sorted(unknown))} out.")
        return as_panel(bars), given.get("stamp", "open"), given.get("timezone", "")
    else:
        return _of_frame(bars, given)
    layout = provider.bar_format(Path())
    return provider.load(), layout.stamp, layout.timezone or ""


def _of_frame(frame: Any, given: dict[str, Any]) -> tuple[Panel, str, str]:
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as folder:  # kept only to be read as those of a run are
        provider = keep_frame(frame, runs=folder, **given)
        layout = provider.bar_format(Path())
        return provider.load(), layout.stamp, layout.timezone or ""
