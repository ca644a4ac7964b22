"""The dashboard's pages, made of figures that other modules compute."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from barstack.core.text import printable
from barstack.tracking import EnsembleRecord, EpochMeasure, Experiment

from .._theme import number
from ._charts_data import error_against_accuracy, learning_curves
from ._chosen_rows import Filters, natural
from ._failure_causes import failure_causes
from ._heatmap import heatmap
from ._luck import accuracy_error, best_by_luck
from ._measures import MEASURES, ShownMeasure, name_of
from ._sorted_rows import table_page
from ._source import Tracked
from ._spreads import per_model, scale_of, sensitivities
from ._sweep_progress import (
    duration,
    ended_over_time,
    latest,
    progress_of,
    running,
)

_FEW = 8  # rows of the short tables
_LISTED = 20  # experiments below an error


def overview_page(tracked: Tracked, given: Mapping[str, str], now: datetime) -> str:
    """Progress, rate, time left, what runs, what ended last, and the first failures."""
    filters = Filters(sweep=given.get("sweep", ""))
    rows = filters.rows(tracked.experiments)
    measure = MEASURES["directional_accuracy"]
    best = table_page([row for row in rows if row.status == "completed"], "-" + measure.name, "1")
    return _page(
        "overview.html",
        tracked,
        filters,
        "Overview",
        now,
        sweep_title=_title_of(tracked, filters.sweep),
        progress=progress_of(rows, tracked.planned(filters.sweep), now),
        pace=ended_over_time(rows),
        latest=latest(rows, _FEW),
        running=running(rows, _FEW),
        causes=failure_causes(rows)[:3],
        best=[row for _, row in best.rows[:_FEW]],
        luck=best_by_luck(rows),
        measure=measure,
    )


def _title_of(tracked: Tracked, sweep_id: str) -> str:
    """The title of the sweep that is shown, if it is one."""
    sweeps = {sweep_id} if sweep_id else {row.sweep_id for row in tracked.experiments}
    sizes = [tracked.sizes[name] for name in sweeps if name in tracked.sizes]
    return sizes[0].title if len(sweeps) == 1 and sizes else ""


def compare_page(tracked: Tracked, given: Mapping[str, str], now: datetime) -> str:
    """Heatmap, box plots, error against accuracy, and sensitivities."""
    filters = Filters.of(given)
    rows = filters.rows(tracked.experiments)
    measure = MEASURES.get(given.get("by", ""), MEASURES["directional_accuracy"])
    models = per_model(rows, measure)
    settings = sensitivities(rows, measure, natural)
    boxes = [*models, *(each for _, own in settings for each in own)]
    return _page(
        "compare.html",
        tracked,
        filters,
        "Compare",
        now,
        measure=measure,
        heat=heatmap(rows, measure),
        models=models,
        settings=settings,
        scale=scale_of(boxes, measure.centre) if boxes else None,
        scatter=error_against_accuracy(rows),
    )


def experiments_page(tracked: Tracked, given: Mapping[str, str], now: datetime) -> str:
    """The leaderboard: every experiment, sorted and filtered."""
    filters = Filters.of(given)
    rows = filters.rows(tracked.experiments)
    table = table_page(rows, given.get("sort", "-directional_accuracy"), given.get("page", ""))
    return _page(
        "experiments.html",
        tracked,
        filters,
        "Experiments",
        now,
        table=table,
        luck=best_by_luck(rows),
        accuracy=MEASURES["directional_accuracy"],
    )


def failures_page(tracked: Tracked, given: Mapping[str, str], now: datetime) -> str:
    """Errors, the most frequent first, with the experiments that have them."""
    filters = Filters.of(given)
    causes = failure_causes(filters.rows(tracked.experiments))
    return _page("failures.html", tracked, filters, "Failures", now, causes=causes, listed=_LISTED)


def experiment_page(
    tracked: Tracked,
    row: Experiment,
    history: Sequence[EpochMeasure],
    given: Mapping[str, str],
    now: datetime,
) -> str:
    """One experiment: figures, learning curves, settings, error."""
    return _page(
        "experiment.html",
        tracked,
        Filters(sweep=given.get("sweep", "")),
        name_of(row),
        now,
        row=row,
        error_of_accuracy=accuracy_error(row),
        curves=learning_curves(history),
    )


def run_page(
    tracked: Tracked,
    run_id: str,
    ensembles: Sequence[EnsembleRecord],
    given: Mapping[str, str],
    now: datetime,
) -> str:
    """One run: its experiments and its ensembles."""
    rows = [row for row in tracked.experiments if row.run_id == run_id]
    rows.sort(key=lambda row: (natural(row.horizon_name), row.model_name, row.experiment_id))
    return _page(
        "run.html",
        tracked,
        Filters(sweep=given.get("sweep", "")),
        f"Run {run_id}",
        now,
        run_id=run_id,
        rows=rows,
        ensembles=ensembles,
    )


def message_page(heading: str, sentence: str) -> str:
    """A page that says what is wrong."""
    empty = Tracked("", (), {})
    return _page("message.html", empty, Filters(), heading, datetime.now(UTC), sentence=sentence)


def _page(
    template: str, tracked: Tracked, filters: Filters, title: str, now: datetime, **values: Any
) -> str:
    values |= {
        "title": title,
        "filters": filters,
        "choices": filters.choices(tracked.experiments),
        "sizes": tracked.sizes,
        "none_tracked": not tracked.experiments,
        "measures": MEASURES,
        "name_of": name_of,
        "now": now,
        "view": template.removesuffix(".html"),
    }
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    environment.filters |= {
        "ago": _ago,
        "breakable": _breakable,
        "duration": duration,
        "figure": _figure,
        "json_of": _json_of,
        "moment": _moment,
        "number": number,
        "setting": _setting,
        "short_moment": _short_moment,
        "trimmed": _trimmed,
        "in_unit": _in_unit,
    }
    return environment


def _finalized(value: Any) -> Any:
    # Control and reordering characters of names and errors would be acted on by a browser too.
    return printable(value) if type(value) is str else value


def _in_unit(value: float | None, measure: ShownMeasure, unit: bool = True) -> str:
    return measure.shown(value, unit=unit)


def _json_of(value: Any) -> Markup:
    """JSON within an element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _short_moment(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone(UTC):%m-%d %H:%M}"


def _breakable(text: str) -> Markup:
    """A name that goes on in the next line after an underscore, where it must."""
    return Markup(str(escape(printable(text))).replace("_", "_<wbr>"))


def _ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "–"
    return duration(max((now - at).total_seconds(), 0.0))


def _figure(value: float | None) -> str:
    """A setting such as a learning rate, as it was written."""
    return "–" if value is None else f"{value:g}"


def _setting(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _trimmed(text: str) -> str:
    """A number without zeros at its end, for an axis."""
    return text.rstrip("0").rstrip(".") if "." in text else text
