"""`barstack features`: what there is, what each computes, and its values on real bars."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from barstack.core.errors import ConfigError, did_you_mean

from ._complete import features as features_named
from ._root import Json, group
from ._terminal import print_json, stdout

if TYPE_CHECKING:
    from barstack.features import Feature

features = group(
    "features",
    "What features there are, what each computes, and how it behaves.",
    "barstack features show rsi",
)

Name = Annotated[
    str,
    typer.Argument(
        help="A feature; barstack features list has them.", autocompletion=features_named
    ),
]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="<name=value>", help="Such as window=21; repeat it."),
]
Timeframe = Annotated[str | None, typer.Option(help="Of longer bars, such as 1d.")]


@features.command(name="list", epilog="Example: barstack features list --set fast25 --bar 1h")
def list_(
    group: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    set_: Annotated[
        str | None, typer.Option("--set", metavar="<name>", help="Columns of a named set.")
    ] = None,
    bar: Annotated[str, typer.Option(help="Length of the bars the set is for.")] = "5min",
    as_json: Json = False,
) -> None:
    """All features by group, or the columns of a named set."""
    from barstack.core.times import parse_duration  # noqa: PLC0415 (numpy is slow to import)
    from barstack.features import FEATURES, Feature, named_set  # noqa: PLC0415

    if set_ is None:
        chosen = [Feature(feature=name) for name in FEATURES.names()]
    else:
        chosen = list(named_set(set_, parse_duration(bar)).features)
    groups = sorted({each.kernel.group for each in chosen})
    if group is not None:
        if group not in groups:
            raise ConfigError(f"No group {group!r} here. {did_you_mean(group, groups)}")
        chosen = [each for each in chosen if each.kernel.group == group]
    if as_json:
        print_json({"features": [_facts(each) for each in chosen]})
        return

    from rich.table import Column  # noqa: PLC0415

    from ._tables import folded, table  # noqa: PLC0415

    shown = table(Column("column", no_wrap=True, max_width=30), folded("formula"))
    for each_group in groups:
        members = [each for each in chosen if each.kernel.group == each_group]
        if members:
            shown.add_row(f"{each_group}, {len(members)}", style="bold cyan")
        for each in members:
            shown.add_row(f" {each.name}", " ".join(each.kernel.about.split("\n\n")[0].split()))
    stdout().print(shown)


@features.command(epilog="Example: barstack features show rsi --param window=21")
def show(
    name: Name, param: Params = None, timeframe: Timeframe = None, as_json: Json = False
) -> None:
    """Formula, inputs, unit, range, warm-up and source of one feature."""
    facts = _facts(_feature(name, param, timeframe))
    if as_json:
        print_json(facts)
        return
    from ._tables import facts_table  # noqa: PLC0415

    console = stdout()
    console.print(f"{facts['column']}\n", style="bold")
    console.print(facts["formula"])
    if facts["note"]:
        console.print(f"\n{facts['note']}")
    params = [f"{key}={value!r}".removesuffix(".0") for key, value in facts["params"].items()]
    low, high = (("unbounded" if end is None else f"{end:g}") for end in facts["range"])
    rows = [
        ("group", facts["group"]),
        ("parameters", ", ".join(params)),
        ("reads", ", ".join(facts["inputs"])),
        ("unit", facts["unit"]),
        ("range", f"{low} to {high}"),
        ("warm-up", _warmup(facts)),
        ("price scale", "changes nothing" if facts["scale_free"] else "changes it"),
        ("state", f"{facts['state_floats']:,} numbers"),
        ("source", facts["source"]),
        ("in sets", ", ".join(facts["sets"])),
    ]
    console.print()
    console.print(facts_table(rows))


@features.command(epilog="Example: barstack features plot rsi --html rsi.html")
def plot(
    name: Name,
    html: Annotated[Path, typer.Option(help="The page to write.")],
    bars: Annotated[
        Path | None, typer.Option(help="A file of bars; by default the sample, AAPL by the hour.")
    ] = None,
    calendar: Annotated[str, typer.Option(help="Of that file, such as XNYS.")] = "24/7",
    newest: Annotated[int, typer.Option(help="So many bars are drawn.")] = 500,
    param: Params = None,
    timeframe: Timeframe = None,
    as_json: Json = False,
) -> None:
    """A page with the feature under the price, and the distribution of its values."""
    from barstack.bars import PROVIDERS  # noqa: PLC0415
    from barstack.features import FeatureSet  # noqa: PLC0415
    from barstack.reports import render_feature, write_page  # noqa: PLC0415

    if newest < 1:
        raise ConfigError(f"--newest must be 1 or more bars, got {newest}.")
    feature = _feature(name, param, timeframe)
    source: Any = "sample"
    if bars is not None:
        source = {"provider": "files", "path": str(bars.resolve()), "calendar": calendar}
    panel = PROVIDERS.parse(source).load()
    table = FeatureSet(features=(feature,)).compute(panel)
    symbol = next(iter(panel))
    rows = table.decisions.symbol == symbol
    page = render_feature(feature, panel[symbol], table.values[rows, 0], newest)
    write_page(page, html)
    if as_json:
        print_json({"page": str(html), "column": feature.name, "symbol": symbol})
    else:
        stdout().print(f"Wrote {html}")


def _feature(name: str, param: list[str] | None, timeframe: str | None) -> Feature:
    from barstack.features import Feature  # noqa: PLC0415

    params = {}
    for text in param or []:
        key, equals, value = text.partition("=")
        try:
            params[key] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise ConfigError(f"Cannot read --param {text!r}. Write it as window=21.")
    return Feature(feature=name, params=params, timeframe=timeframe)


@cache
def _sets() -> dict[str, set[str]]:
    """The features of each named set, for hourly bars."""
    from barstack.core.times import parse_duration  # noqa: PLC0415
    from barstack.features import FEATURE_SETS, named_set  # noqa: PLC0415

    hour = parse_duration("1h")
    return {
        name: {column.feature for column in named_set(name, hour).features}
        for name in sorted(FEATURE_SETS)
    }


def _facts(feature: Feature) -> dict[str, Any]:
    kernel, values = feature.kernel, feature.values
    formula, _, note = kernel.about.partition("\n\n")
    return {
        "name": feature.feature,
        "column": feature.name,
        "group": kernel.group,
        "params": dict(zip(kernel.params, values, strict=True)),
        "formula": " ".join(formula.split()),
        "note": " ".join(note.split()),
        "inputs": list(kernel.inputs),
        "unit": kernel.unit,
        "range": [end if math.isfinite(end) else None for end in (kernel.low, kernel.high)],
        "warmup_bars": kernel.warmup_for(values),
        "warmup_sessions": kernel.sessions_for(values),
        "scale_free": kernel.scale_free,
        "state_floats": kernel.memory_for(values),
        "source": kernel.source,
        "sets": [name for name, features in _sets().items() if feature.feature in features],
    }


def _warmup(facts: dict[str, Any]) -> str:
    bars, sessions = facts["warmup_bars"], facts["warmup_sessions"]
    parts = [f"{bars:,} bars"] if bars or not sessions else []
    return ", ".join(parts + ([f"{sessions:,} sessions"] if sessions else []))
