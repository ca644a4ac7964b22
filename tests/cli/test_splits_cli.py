"""`barstack splits` as people and scripts meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Barstack

from barstack.splits import SPLITTERS

STUDY = (
    "title: Hours\nbars: {provider: sample, start: 2026-03-01}\nfeatures: [rsi, body]\n"
    "label: {label: return, horizons: [4]}\nmembers: [ridge]\n"
)


def test_list(barstack: Barstack) -> None:
    rows: list[dict[str, Any]] = barstack("splits", "list", "--json", code=0).json["splits"]
    assert [row["name"] for row in rows] == SPLITTERS.names()
    assert {row["name"]: row["kind"] for row in rows}["combinatorial_purged"] == "crossed"
    shown = barstack("splits", "list", code=0).out
    assert "folds=6" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", SPLITTERS.names())
def test_plot_of_synthetic_decisions_fits_a_terminal(barstack: Barstack, name: str) -> None:
    shown = barstack("splits", "plot", "--split", name, code=0).out
    assert max(map(len, shown.splitlines())) <= 80
    answer = barstack("splits", "plot", "--split", name, "--json", code=0).json
    folds = answer["folds"]
    assert len(shown.split("\n▄▄")[0].splitlines()) == 2 + len(folds)
    assert ("▒" in shown) == (answer["kind"] == "crossed")
    for fold in folds:
        assert all(fold[part] for part in ("train", "test", "purged"))
        # One symbol: a row is a decision time.
        for part in ("train", "stop", "purged", "embargoed", "test"):
            own = sum(run["times"] for run in fold["runs"] if run["part"] == part)
            assert own == fold[part]


def test_settings_of_the_picture(barstack: Barstack) -> None:
    plot = ("splits", "plot", "--split", "purged_kfold", "--set", "folds=3", "--stop", "0")
    answer = barstack(
        *plot, "--decisions", "90", "--horizon", "4", "--memory", "5", "--json", code=0
    ).json
    middle = answer["folds"][1]
    assert (middle["test"], middle["purged"], middle["embargoed"], middle["stop"]) == (30, 6, 5, 0)
    assert answer["paths"] == [[0, 1, 2]]


def test_plot_of_a_study(barstack: Barstack, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    page = tmp_path / "split.html"
    answer = barstack("splits", "plot", study, "--html", page, "--json", code=0).json
    assert answer["split"]["split"] == "walk_forward"
    assert answer["memory_bars"] == 15
    assert answer["html"] == str(page)
    for fold in answer["folds"]:
        assert (fold["purged"], fold["stop"], fold["embargoed"]) == (3, 0, 0)
    text = page.read_text()
    assert "<h1>Hours</h1>" in text
    assert "6 folds train on the past only. At most 3 rows of a fold are purged." in text
    crossed = barstack("splits", "plot", study, "--split", "purged_kfold", "--json", code=0).json
    assert [fold["embargoed"] for fold in crossed["folds"]] == [15, 15, 15, 15, 0]
    fewer = barstack("splits", "plot", study, "--set", "folds=2", "--json", code=0).json
    assert len(fewer["folds"]) == 2


def test_a_page_takes_the_place_of_no_other_file(barstack: Barstack, tmp_path: Path) -> None:
    study, notes = tmp_path / "study.yaml", tmp_path / "notes.txt"
    named_as_page = tmp_path / "study.html"
    for file in (study, notes, named_as_page):
        file.write_text(STUDY)
    (tmp_path / "linked.html").symlink_to(study)
    for given, page in (
        ((study,), study),
        ((study,), tmp_path / "linked.html"),
        ((named_as_page,), named_as_page),
        ((), notes),
    ):
        message = " ".join(barstack("splits", "plot", *given, "--html", page, code=2).err.split())
        assert "The page would take the place of" in message
        assert "which is no page. Name one that ends in .html" in message
        assert page.read_text() == STUDY


def test_a_page_of_many_paths(barstack: Barstack, tmp_path: Path) -> None:
    page = tmp_path / "paths.html"
    assert (
        "5 backtest paths"
        in barstack("splits", "plot", "--split", "combinatorial_purged", "--html", page, code=0).out
    )
    text = page.read_text()
    assert text.count('<th scope="col">Group') == 6
    assert "Embargoed" in text


def test_mistakes_are_explained(barstack: Barstack, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(STUDY)
    for arguments, sentence in (
        (("--split", "purged_kfolds"), "Did you mean 'purged_kfold'?"),
        (("--set", "folds"), "Write --set FIELD=VALUE"),
        (("--set", "fold=3"), "Unknown key walk_forward.fold. Did you mean 'folds'?"),
        (("--decisions", "0"), "give 1 or more of each"),
        (("--decisions", "5"), "5 decision times cannot make 6 stretches"),
        (("--stop", "1"), "--stop must be 0 or more and below 1, got 1"),
        (("--memory", "-1", "--split", "purged_kfold"), "memory_bars must be 0 or more, got -1"),
        ((study, "--horizon", "3"), "A study's bars and label determine"),
        ((tmp_path / "none.yaml",), "none.yaml"),
    ):
        assert sentence in " ".join(barstack("splits", "plot", *arguments, code=2).err.split())
