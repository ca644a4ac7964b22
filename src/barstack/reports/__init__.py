"""Reports: an evaluation, or a collection of bars, as one page to look at, with no network."""

from ._comparison_page import render_comparison
from ._feature_page import render_feature
from ._html import write_page
from ._page import render
from ._split_page import render_split
from ._stage import report
from ._survey import Survey
from ._survey_page import facts, render_survey, sentence
from ._world_page import render_world

__all__ = [
    "Survey",
    "facts",
    "render",
    "render_comparison",
    "render_feature",
    "render_split",
    "render_survey",
    "render_world",
    "report",
    "sentence",
    "write_page",
]
