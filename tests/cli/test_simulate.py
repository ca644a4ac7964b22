"""`barstack simulate` and `bs.simulate` on a run: figures, page, trades, mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import barstack as bs
from barstack.cli._root import app
from barstack.core.errors import ConfigError
from barstack.testing import small_study


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> bs.Run:
    folder = tmp_path_factory.mktemp("study")
    return bs.run(small_study(folder), folder=folder, runs=folder / "runs")


def called(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["simulate", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_figures_page_and_trades(run: bs.Run, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("strategy: {stop: 0.02}\nsettings: {capital: 5000, costs: {borrow: 0.01}}\n")
    folder = ["--folder", str(run.folder.parent.parent)]
    text = called(str(run.folder), *folder, "--plan", str(plan), "--html", str(tmp_path / "t.html"),
                  "--trades", str(tmp_path / "t.csv"))  # fmt: skip
    assert "buy and hold" in text
    assert "buy and hold" in (tmp_path / "t.html").read_text()
    assert (tmp_path / "t.csv").read_text().startswith("symbol,opened_at")
    found = json.loads(called(str(run.folder), *folder, "--plan", str(plan), "--json"))
    assert {"summary", "beside", "stress", "trades"} <= set(found)


def test_python_and_folder_agree(run: bs.Run) -> None:
    one = bs.simulate(run)
    other = bs.simulate(run.folder, folder=run.folder.parent.parent)
    assert one.fills.tobytes() == other.fills.tobytes()
    assert len(one.trades) >= 1


def test_the_studys_cost_is_paid(run: bs.Run) -> None:
    found = bs.simulate(run)
    paid, moved = found.totals["commission"], found.totals["turnover"]
    assert paid == pytest.approx(moved * run.study.cost_bps * 1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("strategi: {}", "Did you mean 'strategy'"),
        ("strategy: {stopp: 0.02}", "Did you mean 'stop'"),
        ("settings: {costs: {commission_bps: -1}}", "commission_bps"),
        ("strategy: {enter: 0.1, leave: 0.2, hold: latest}", "above enter"),
    ],
)
def test_mistakes_name_their_place(run: bs.Run, tmp_path: Path, text: str, message: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(text)
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(
            app, ["simulate", str(run.folder), "--plan", str(plan)], catch_exceptions=False
        )


def test_unknown_names(run: bs.Run) -> None:
    with pytest.raises(ConfigError, match="no horizon"):
        bs.simulate(run, horizon="4h")
    with pytest.raises(ConfigError, match="no member"):
        bs.simulate(run, name="rigde")
