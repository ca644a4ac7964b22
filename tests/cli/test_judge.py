"""`barstack judge`: one command, one page, one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Barstack, table_of

from barstack.testing import walk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bars and positions in the current folder."""
    monkeypatch.chdir(tmp_path)
    bars = walk(900)
    table = table_of(bars)
    table.write_csv("bars.csv")
    rng = np.random.default_rng(0)
    sides = table.select("timestamp").with_columns(
        position=rng.choice([-1.0, 1.0], len(table)),
    )
    sides.write_csv("positions.csv")
    ahead = np.concatenate([bars.close[1:] / bars.close[:-1] - 1.0, [0.0]])
    sides.with_columns(position=np.sign(ahead)).write_csv("seen.csv")
    return tmp_path


BARS = ("--bars", "bars.csv", "--calendar", "24/7")


def test_a_file_and_bars_are_enough(barstack: Barstack, folder: Path) -> None:
    called = barstack("judge", "positions.csv", *BARS, code=0)
    assert called.out.startswith("edge: ")
    page = (folder / "judgement.html").read_text("utf-8")
    assert called.out.split(". ")[0] in page


def test_json_and_markdown(barstack: Barstack, folder: Path) -> None:
    called = barstack("judge", "positions.csv", *BARS, "--trials", "7", "--json", "--out", "j.md",
                      code=0)  # fmt: skip
    assert called.json["edge"] in ("none", "unproven")
    assert (called.json["trials"], called.json["page"]) == (7, "j.md")
    assert (folder / "j.md").read_text("utf-8").startswith("# Judgement of positions.csv")


def test_what_has_seen_its_answers_exits_1(barstack: Barstack, folder: Path) -> None:
    called = barstack("judge", "seen.csv", *BARS, code=1)
    assert "edge: unproven" in called.out
    assert "plausible" in called.out


@pytest.mark.parametrize(
    "words",
    [
        ("judge", "nowhere.csv", *BARS),
        ("judge", "positions.csv", "--bars", "nowhere"),
        ("judge", "positions.csv", *BARS, "--trials", "0"),
        ("judge", "positions.csv", *BARS, "--cost-bps", "-1"),
        ("judge", "positions.csv", *BARS, "--kind", "dreams"),
        ("judge", "positions.csv", *BARS, "--column", "positon"),
        ("judge", "positions.csv", *BARS, "--claim", "luck=1"),
        ("judge", "positions.csv", *BARS, "--times", "sometimes"),
        ("judge", "positions.csv", *BARS, "--tuned-until", "soon"),
        ("judge", "positions.csv", *BARS, "--tuned-until", "2099-01-01"),
        ("judge", "positions.csv", *BARS, "--symbol", "XYZ"),
        ("judge", "positions.csv", *BARS, "--trials-matrix", "nowhere.csv"),
        ("judge", "bars.csv", *BARS, "--kind", "trades"),
    ],
)
def test_wrong_use_exits_2_with_a_sentence(
    words: tuple[str, ...], barstack: Barstack, folder: Path
) -> None:
    called = barstack(*words, code=2)
    assert "Traceback" not in called.err
    assert len(called.err) > 30
