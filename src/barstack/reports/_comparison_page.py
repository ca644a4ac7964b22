"""One page that sets forecasters of one run or several side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ._html import chart, page, section, tabs
from ._theme import number, say

if TYPE_CHECKING:
    from barstack.evaluation import Compared, Comparison


def render_comparison(found: Sequence[Comparison], runs: Mapping[str, str]) -> str:
    """The comparison as one HTML page that loads nothing from anywhere.

    runs  what is compared, by the label that ends its forecasters' names where there are several
    """
    from ._comparison_charts import correlation, skill  # noqa: PLC0415 (plotly is slow to import)

    def drawn(draw: Callable[[Comparison], object], title: str) -> str:
        return "".join(
            _panel(each, chart(draw(each).to_json(), f"{title} Horizon {each.horizon}."))  # type: ignore[attr-defined]  # a figure
            for each in found
        )

    buttons = tabs([each.horizon for each in found], "Horizon")
    titles = {
        "skill": "How well does each forecast?",
        "table": "By how much, and is it clear?",
        "correlation": "Do they say different things?",
    }
    sections = [
        section(
            "skill",
            titles["skill"],
            "Correlation of forecasts with what came; whiskers are 95 % intervals. Where a "
            "whisker crosses the dashed line, luck alone could have made it.",
            drawn(skill, titles["skill"]),
            buttons,
        ),
        section(
            "table",
            titles["table"],
            "Best first. Grey ones lie behind the best by more than luck explains: the 95 % "
            "interval of the difference leaves out 0.",
            "".join(_panel(each, _table(each)) for each in found),
            buttons,
        ),
        section(
            "correlation",
            titles["correlation"],
            "Correlation of forecasts with one another. An ensemble gains nothing from a "
            "second one that says the same.",
            drawn(correlation, titles["correlation"]),
            buttons,
        ),
    ]
    first = found[0]
    return page(
        "comparison.html",
        {"best": _best(found), "sections": "".join(sections)},
        title="Forecasters side by side",
        run="<br>".join(_named(label, run, len(runs) > 1) for label, run in runs.items()),
        facts=[
            ("runs", str(len(runs))),
            ("forecasters", str(len(first.entries))),
            ("horizons", ", ".join(each.horizon for each in found)),
        ],
        shown=first.horizon,
    )


def _named(label: str, run: str, beside_others: bool) -> str:
    return f"<code>({say(label)})</code> {say(run)}" if beside_others else say(run)


def _panel(found: Comparison, body: str) -> str:
    name = say(found.horizon)
    return (
        f'<div class="panel" data-horizon="{name}"><h3 class="of-horizon">Horizon {name}</h3>'
        f"{body}</div>"
    )


def _best(found: Sequence[Comparison]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{say(each.horizon)}</th><td class="words">{say(each.sentence)}</td>'
        f"<td>{each.n_decisions:,}</td><td>{each.first_at[:10]}</td><td>{each.last_at[:10]}</td></tr>"
        for each in found
    )
    heads = ("Horizon", "Best", "Shared decisions", "From", "To")
    return _framed(heads, rows, words=("Best",))


def _table(found: Comparison) -> str:
    heads = ("Forecaster", "Right direction, %", "IC", "Behind")
    rows = "".join(_row(each, place) for place, each in enumerate(found.entries))
    return _framed(heads, rows)


def _row(entry: Compared, place: int) -> str:
    cells = [
        _cell(entry.directional_accuracy, entry.directional_accuracy_se, 100, 1),
        _cell(entry.ic, entry.ic_se, 1, 3),
        _cell(entry.behind, entry.behind_se, 1, 3) if place else "<td></td>",
    ]
    role = "naive" if entry.told_apart else "member"  # drawn in grey as naive ones are
    return f'<tr class="{role}"><th scope="row">{say(entry.name)}</th>{"".join(cells)}</tr>'


def _cell(value: float | None, error: float | None, scale: float, digits: int) -> str:
    shown = number(None if value is None else scale * value, digits)
    beside = f" ± {number(scale * error, digits)}" if error is not None else ""
    return f"<td>{shown}{beside}</td>"


def _framed(heads: Sequence[str], rows: str, words: Sequence[str] = ()) -> str:
    """A table; columns of `words` hold prose, the others but the first figures."""
    prose = dict.fromkeys(words, ' class="words"')
    head = "".join(f'<th scope="col"{prose.get(each, "")}>{say(each)}</th>' for each in heads)
    table = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll" tabindex="0"><table class="leaderboard">{table}</table></div>'
