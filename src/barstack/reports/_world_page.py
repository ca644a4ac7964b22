"""One page about a world: how good its best forecast is, and what its bars are like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from barstack.core.horizon import Horizon
from barstack.worlds import Likeness, World

from ._html import chart, page, section
from ._theme import number, say

NAMES_SHOWN = 8


def render_world(
    name: str,
    world: World,
    figures: list[dict[str, Any]],
    own: list[Likeness],
    real: list[Likeness],
) -> str:
    """The world as one HTML page that loads nothing from anywhere.

    figures  as in truth.json
    own      what bars of the world are like
    real     what real bars are like, to compare; may be empty
    """
    kind = (world.registered_as or ("", ""))[1]
    parts = {
        "kind": say(kind.replace("_", " ")),
        "about": say(" ".join((type(world).__doc__ or "").split())),
        "sentence": say(_sentence(figures)),
        "figures": _figures(figures),
        "sections": "".join(_sections(own, real)),
    }
    run = f"A made-up market, world <code>{world.id}</code>"
    return page("world.html", parts, title=name, run=run, facts=_facts(world))


def _facts(world: World) -> list[tuple[str, str]]:
    return [
        ("symbols", f"{len(world.names):,}"),
        ("bars of each", f"{world.bars:,}"),
        ("length", world.bar),
        ("calendar", world.calendar),
        ("from", world.start),
        ("seed", str(world.seed)),
    ]


def _sentence(figures: list[dict[str, Any]]) -> str:
    best = max(figures, key=lambda each: each["r2"]["value"])
    if not best["r2"]["value"]:
        return "Nobody can forecast these prices: the best forecast of every return is 0."
    right = 100 * best["directional_accuracy"]["value"]
    return (
        f"The best possible forecast gets {right:.1f} % of signs right "
        f"{Horizon.parse(best['horizon']).in_words} ahead. No model can do better on average."
    )


def _figures(figures: list[dict[str, Any]]) -> str:
    heads = ("Horizon", "R², %", "IC", "Right sign, %", "± of right", "Right sign is")
    rows = ""
    for each in figures:
        accuracy = each["directional_accuracy"]
        error = number(100 * accuracy["se"], 3) if accuracy["se"] else "–"
        cells = [
            number(100 * each["r2"]["value"], 3),
            number(each["ic"]["value"], 4),
            number(100 * accuracy["value"], 2),
            error,
            say(accuracy["how"]),
        ]
        columns = "".join(f"<td>{cell}</td>" for cell in cells)
        rows += f'<tr><th scope="row">{say(each["horizon"])}</th>{columns}</tr>'
    return _table(heads, rows)


def _sections(own: list[Likeness], real: list[Likeness]) -> list[str]:
    from . import _world_charts as charts  # noqa: PLC0415

    drawn = [
        (
            "clustering",
            "Do large moves follow large moves?",
            "Correlation of the size of a bar’s return with that of bars so far apart, over five "
            "lags at a time. In real bars it fades slowly, and comes back after a whole day.",
            charts.clustering,
        ),
        (
            "memory",
            "Does a return say anything of the next?",
            "Correlation of returns themselves. Within the shaded band it is what noise shows.",
            charts.memory,
        ),
        (
            "tails",
            "How rare are very large moves?",
            "Both scales are logarithmic. Gaussian moves would fall off a cliff beyond three; "
            "real ones run along a straight line, whose slope is the tail index.",
            charts.tails,
        ),
        (
            "day",
            "When on the day do prices move?",
            "Mean size of returns by the part of the session. The first bar holds the night.",
            charts.day,
        ),
        (
            "volume",
            "When on the day is there trading?",
            "Mean volume by the part of the session.",
            charts.volume,
        ),
    ]
    parts = [
        _section(place, title, look_for, chart(draw(own, real).to_json(), title))
        for place, title, look_for, draw in drawn
    ]
    look_for = "The facts of the pictures above in single numbers."
    return [*parts, _section("numbers", "In numbers", look_for, _numbers([*own, *real]))]


def _section(place: str, title: str, look_for: str, body: str) -> str:
    panel = f'<div class="panel" data-horizon="">{body}</div>'
    return section(place, title, look_for, panel)


def _numbers(facts: list[Likeness]) -> str:
    """A row a fact, a column a symbol."""
    summaries = [each.summary() for each in facts[:NAMES_SHOWN]]
    heads = ["Fact", *(str(each["symbol"]) for each in summaries)]
    rows = ""
    for fact in summaries[0]:
        if fact != "symbol":
            cells = "".join(f"<td>{_written(each[fact])}</td>" for each in summaries)
            rows += f'<tr><th scope="row">{say(fact.replace("_", " "))}</th>{cells}</tr>'
    return _table(heads, rows)


def _written(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return "–" if value is None else say(f"{value:.3g}".replace("-", "−"))


def _table(heads: Sequence[str], rows: str) -> str:
    head = "".join(f'<th scope="col">{say(each)}</th>' for each in heads)
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
