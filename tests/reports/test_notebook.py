"""What notebooks show: whole, escaped HTML without scripts, colours of its own or files."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import barstack as bs
from barstack.core.chosen import Chosen
from barstack.core.notebook import card, table, text
from barstack.labels import LABELS
from barstack.testing import walk
from barstack.worlds import WORLDS

VOID = {"br", "img", "hr"}


class Checked(HTMLParser):
    """Collects the text; counts on every tag being closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def shown(thing: Any) -> str:
    """The text that a notebook shows, of HTML that is checked."""
    html = thing._repr_html_()
    page = Checked()
    page.feed(html)
    page.close()
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "img", "style"}
    assert {name for name, _ in page.attributes} <= {"style"}
    styles = " ".join(value or "" for _, value in page.attributes)
    # A fixed colour of text or ground would vanish in one of a light and a dark theme.
    assert "#" not in styles
    assert "background:" not in styles.replace("background:none", "")
    assert len(html) < 60_000
    return " ".join(page.words)


def test_a_run_and_its_verdict(finished: bs.Run) -> None:
    found = shown(finished)
    assert finished.id in found
    assert finished.verdict.sentence in found
    assert all(name in found for name in ("ridge", "strong", "nnls"))
    verdict = shown(finished.verdict)
    assert verdict in found
    assert f"{finished.verdict.trials} trials counted" in verdict


def test_a_run_says_what_was_chosen(finished: bs.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "What was chosen" not in shown(finished)
    monkeypatch.setattr(finished, "chosen", (Chosen("folds", 3, "Preset <quick>."),))
    assert "folds: 3. Preset <quick>." in shown(finished)


def test_text_of_others_is_escaped(finished: bs.Run) -> None:
    bad = "<script>alert(1)</script>"
    html = replace(finished.verdict, sentence=bad, ensemble=bad)._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2
    assert "<i>" not in card("<i>", table(["<i>", "<i>"], [["<i>", ("<i>",)]]), note="<i>")
    assert text("a\x1b[2J") == "a\\x1b[2J"


@pytest.mark.parametrize("name", ["return", "direction", "three_class", "quantiles"])
def test_labels(name: str) -> None:
    label: Any = LABELS.get(name)
    table = label(["1h", 4]).compute(walk(300))
    found = shown(table)
    assert found.startswith("Labels of 300 decisions")
    assert "4bars" in found
    assert "nan" not in found


def test_features() -> None:
    bars = walk(300)
    features = bs.FeatureSet(features=(bs.Feature(feature="rsi"), bs.Feature(feature="body")))
    found = shown(features.compute(bars))
    assert found.startswith("2 features at 300 decisions")
    assert "rsi_14" in found
    assert "nan" not in shown(features.compute(bars[:3]))


def test_forecasts_bars_and_studies(finished: bs.Run) -> None:
    forecast = finished.forecasts()["ridge"]
    found = shown(forecast)
    assert found.startswith(f"Forward forecasts of {len(forecast):,} decisions")
    assert all(column in found for column in forecast.target.columns)
    assert shown(forecast.take(np.arange(0))).startswith("Forward forecasts of 0 decisions")
    assert len(repr(forecast)) < 200
    assert len(repr(finished.members["ridge"])) < 250
    for n_bars in (0, 1, 7, 10, 11, 400):
        found = shown(finished.bars["WALK"][:n_bars])
        assert found.startswith(f"{n_bars:,} bars of WALK")
        assert found.count("2026-") == 2 * min(n_bars, 10)
        assert ("between" in found) == (n_bars > 10)
    study = shown(finished.study)
    assert "ridge, strong: ridge (penalty: 10.0)" in study
    assert "walk_forward (folds: 3)" in study
    assert all(word in study for word in (finished.study.id, "rsi, body", "horizons: 1bars, 4bars"))
    assert not any(word in study for word in ("allow_leaks", "seed", "scaler", "None"))
    bad = finished.study.model_copy(update={"title": "<script>"})
    assert "<script>" not in bad._repr_html_()


@pytest.mark.parametrize("name", WORLDS.names())
def test_worlds(name: str) -> None:
    world = WORLDS.get(name)()
    found = shown(world)
    assert f"World {name}" in found
    assert "20,000 bars" in found
