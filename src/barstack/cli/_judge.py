"""`barstack judge`: the verdict on what was made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barstack.core.errors import ConfigError

from ._reading import (
    Bar,
    Calendar,
    Columns,
    Hours,
    Stamp,
    SymbolColumn,
    TimeFormat,
    Timezone,
    given_from,
)
from ._root import Json, app
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.evaluation.judging import Judgement

_CLAIMS = ("r2", "ic", "directional_accuracy", "sharpe", "t_value", "win_rate", "payoff",
           "profit_factor")  # fmt: skip


@app.command(epilog="Example: barstack judge trades.csv --bars SPY.csv --trials 200")
def judge(
    history: Annotated[
        Path, typer.Argument(help="Forecasts, positions, trades or equity: CSV, parquet, JSON.")
    ],
    bars: Annotated[
        str, typer.Option(help="The bars it was made on: a file, folder or collection.")
    ],
    trials: Annotated[
        int, typer.Option(help="How many rules or settings were tried, this one included.")
    ] = 1,
    trials_matrix: Annotated[
        Path | None, typer.Option(help="Returns of all of them: times, and a column for each.")
    ] = None,
    cost_bps: Annotated[float, typer.Option(help="Paid for each unit bought or sold.")] = 1.0,
    kind: Annotated[
        str, typer.Option(help="forecasts, positions, trades or equity, if columns do not tell.")
    ] = "",
    column: Annotated[str, typer.Option(help="The column to judge.")] = "",
    horizon: Annotated[str, typer.Option(help="How far ahead forecasts look, such as 4h.")] = "",
    times: Annotated[
        str,
        typer.Option(help="Whether times name bars, or are moments of decisions: bars, moments."),
    ] = "",
    symbol: Annotated[str, typer.Option(help="The one to judge, of several.")] = "",
    tuned_until: Annotated[
        str, typer.Option(help="Date up to which rules were fitted; what is later is judged.")
    ] = "",
    claim: Annotated[
        list[str] | None, typer.Option(help="What is said of it, such as win_rate=0.62.")
    ] = None,
    expected: Annotated[str, typer.Option(help="Why it may be too good for real markets.")] = "",
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("judgement.html"),
    calendar: Calendar = None,
    hours: Hours = None,
    timezone: Timezone = None,
    stamp: Stamp = None,
    bar: Bar = None,
    columns: Columns = None,
    symbol_column: SymbolColumn = None,
    time_format: TimeFormat = None,
    as_json: Json = False,
) -> None:
    """The verdict on forecasts, positions, trades or an account made elsewhere.

    Exports of vectorbt, backtesting.py, freqtrade, QuantConnect and TradingView are recognised by
    their columns. Exit 1 when the history cannot be believed: it has seen its answers, its times
    or prices do not fit, its profit ends with what it was fitted to, or it contradicts itself.
    """
    given = given_from(
        calendar=calendar, hours=hours, timezone=timezone, stamp=stamp, bar=bar, columns=columns,
        symbol_column=symbol_column, time_format=time_format, separator=None,
    )  # fmt: skip
    from barstack.experiments import judge as judged_by  # noqa: PLC0415

    found = judged_by(
        history,
        bars,
        kind=kind,  # type: ignore[arg-type]  # checked there
        column=column,
        trials=trials,
        trials_matrix=trials_matrix,
        cost_bps=cost_bps,
        horizon=horizon,
        times=times,  # type: ignore[arg-type]
        symbol=symbol,
        tuned_until=tuned_until,
        claims=_claims(claim or []),
        expected=expected,
        **given,
    )
    from barstack.reports import judgement_markdown, render_judgement, write_page  # noqa: PLC0415

    markdown = out.suffix.lower() in (".md", ".markdown")
    write_page(judgement_markdown(found) if markdown else render_judgement(found), out)
    if as_json:
        print_json(found.to_json() | {"page": str(out)})
    else:
        _show(found, out)
    if found.serious:
        raise typer.Exit(1)


def _claims(given: list[str]) -> dict[str, float]:
    claims = {}
    for text in given:
        name, _, value = text.partition("=")
        try:
            claims[name.strip()] = float(value)
        except ValueError:
            claims = {"": 0.0}
        if name.strip() not in _CLAIMS or "" in claims:
            raise ConfigError(
                f"Cannot use --claim {text}. Write NAME=NUMBER with one of {', '.join(_CLAIMS)}, "
                "such as win_rate=0.62."
            )
    return claims


def _show(found: Judgement, page: Path) -> None:
    from barstack.reports import judgement_facts  # noqa: PLC0415

    from ._tables import facts_table  # noqa: PLC0415

    console = stdout()
    style = {"none": "bold", "unproven": "bold yellow", "supported": "bold green"}[found.edge]
    console.print(found.sentence, style=style)
    console.print()
    console.print(facts_table(judgement_facts(found)))
    for each in found.suspicions:
        console.print(
            f"\n{'Serious' if each.serious else 'Note'}: {each.sentence}",
            style="red" if each.serious else "",
        )
    for note in found.notes:
        console.print(f"\nRead so: {note}")
    console.print(f"\nPage: {page}", soft_wrap=True)
