"""Reports: an evaluation, or a collection of bars, as one page that needs no network."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._judgement_facts import judgement_facts as judgement_facts
from ._judgement_facts import judgement_markdown as judgement_markdown
from ._stage import report as report
from ._survey import Survey as Survey
from ._survey import facts as facts
from ._survey import sentence as sentence

if TYPE_CHECKING:
    from . import plots as plots
    from ._comparison import render_comparison as render_comparison
    from ._feature import render_feature as render_feature
    from ._html import write_page as write_page
    from ._judgement import render_judgement as render_judgement
    from ._page import render as render
    from ._split import render_split as render_split
    from ._survey_page import render_survey as render_survey
    from ._sweep_report import render_sweep as render_sweep
    from ._sweep_report import sweep_markdown as sweep_markdown
    from ._sweep_report import write_sweep_report as write_sweep_report
    from ._tearsheet import render_tearsheet as render_tearsheet
    from ._tuning import render_tuning as render_tuning
    from ._tuning import write_tuning_report as write_tuning_report
    from ._world import render_world as render_world

# Imported when first used: plotly takes seconds to import, and only pages need it.
_WHERE = {
    "render": "_page",
    "render_comparison": "_comparison",
    "render_feature": "_feature",
    "render_judgement": "_judgement",
    "render_split": "_split",
    "render_survey": "_survey_page",
    "render_sweep": "_sweep_report",
    "render_tuning": "_tuning",
    "render_tearsheet": "_tearsheet",
    "render_world": "_world",
    "sweep_markdown": "_sweep_report",
    "write_page": "_html",
    "write_sweep_report": "_sweep_report",
    "write_tuning_report": "_tuning",
}


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module(".plots", __name__)
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_WHERE[name]}", __name__), name)
