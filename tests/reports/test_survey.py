"""The page about bars opens anywhere, stays small, and shows what was found."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs
from tests.bars.filled import filled

from barstack.bars import Bars
from barstack.bars.checks import find
from barstack.reports import Survey, render_survey
from barstack.reports._survey import PICTURES

HOSTILE = "</script><script>document.title='owned'</script>"


def surveyed(panel: dict[str, Bars], calendar: str = "XNYS") -> Survey:
    survey = Survey("shares", calendar)
    for symbol, bars in panel.items():
        survey.add(symbol, len(bars), bars, find(bars, calendar=calendar))
    return survey


def holed(symbol: str, *rows: int, seed: int = 0) -> Bars:
    bars = filled(days=40, seed=seed)
    return Bars(symbol, bars.length_us, np.delete(bars.records, rows))


def own_part(page: str) -> str:
    return page.replace(get_plotlyjs(), "")


def figures(page: str) -> list[dict[str, Any]]:
    found = re.findall(r'<div class="chart"><script type="application/json">(.*?)</script>', page)
    return [json.loads(each) for each in found]


def test_it_loads_nothing_and_says_what_was_found() -> None:
    page = own_part(render_survey(surveyed({"A": holed("A", 70, 71), "B": holed("B")})))
    assert not re.findall(r"(?:src|href)=\"(?!#)", page)
    assert "1 of 2 symbols with findings. None stops a study." in page
    assert re.findall(r'<section id="([\w-]+)"', page) == [
        "verdict", "coverage", "of-day", "portraits", "findings", "guide",
    ]  # fmt: skip
    assert "2 of 520 (0.38 %) bars are missing" in page


def test_coverage_counts_what_is_there() -> None:
    coverage, *_ = figures(render_survey(surveyed({"A": holed("A", 13, 14), "B": holed("B")})))
    (heat,) = coverage["data"]
    assert coverage["layout"]["yaxis"]["ticktext"] == ["A", "B"]
    stories = heat["customdata"]
    assert stories[0][1][1] == "11 of 13 bars"
    assert stories[1][1][1] == "13 of 13 bars"


def test_time_of_day_is_the_markets_own() -> None:
    bars = filled(days=40)
    lunch = np.flatnonzero(
        (bars.records["opened_at"] - bars.records["session_open"]) == 5 * 1_800_000_000
    )
    _, of_day, *_ = figures(render_survey(surveyed({"A": holed("A", *lunch[3:9])})))
    (bar,) = of_day["data"]
    assert [clock for clock, y in zip(bar["x"], values(bar["y"]), strict=True) if y] == ["12:00"]


def values(packed: Any) -> list[float]:
    if isinstance(packed, dict):
        packed = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    return [float(each) for each in packed]


def test_nothing_found_has_a_sentence() -> None:
    page = own_part(render_survey(surveyed({"A": filled()})))
    assert "Nothing to report on 1 symbol." in page
    assert "Sound" in page
    assert own_part(render_survey(Survey("none"))).count("<section") == 6


def test_pictures_are_capped_and_the_page_notes_it() -> None:
    panel = {f"S{n:03d}": holed(f"S{n:03d}", 50 + n) for n in range(PICTURES + 5)}
    survey = surveyed(panel)
    assert len(survey.portraits) == PICTURES
    page = own_part(render_survey(survey))
    assert f"{PICTURES} of {PICTURES + 5} symbols with findings are drawn" in page
    assert len(page) < 1_000_000


def test_a_refused_symbol_keeps_its_picture() -> None:
    bars = filled(days=40)
    records = bars.records.copy()
    for name in ("open", "high", "low", "close"):
        records[name][:260] *= 2
    panel = {f"S{n:03d}": holed(f"S{n:03d}", 50 + n) for n in range(PICTURES)}
    survey = surveyed(panel | {"ZZZ": Bars("ZZZ", bars.length_us, records)})
    assert survey.refused
    assert "ZZZ" in survey.portraits
    assert "A study would refuse 1 of them." in own_part(render_survey(survey))


def test_many_bars_make_a_small_picture() -> None:
    bars = filled(minutes=5, days=250)
    assert len(bars) > 19_000
    survey = surveyed({"A": Bars("A", bars.length_us, np.delete(bars.records, [500]))})
    assert len(survey.portraits["A"].at) <= 1500
    assert survey.portraits["A"].price.max() == bars.records["close"].max()


@pytest.mark.parametrize("name", [HOSTILE, "<b>A&B"])
def test_names_cannot_break_the_page(name: str) -> None:
    survey = surveyed({"A": holed("A", 70)})
    survey.title = name
    bars = holed(name, 70)
    survey.add(name, len(bars), bars, find(bars, calendar="XNYS"))
    page = own_part(render_survey(survey))
    assert HOSTILE not in page
    assert "<b>A&B" not in page
