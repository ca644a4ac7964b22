"""A report is one page that anybody can open anywhere, whatever the evaluation found."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from barstack.core.forecast import Task
from barstack.evaluation import (
    BEST_SO_FAR,
    EQUAL_WEIGHTS,
    CalibrationBin,
    Compared,
    Comparison,
    Contribution,
    Correlation,
    Diversity,
    Equity,
    Evaluation,
    FoldAccuracy,
    FoldGain,
    Gain,
    HorizonVerdict,
    Importance,
    RegimeWeights,
    Score,
    Stability,
    Verdict,
    Weights,
)
from barstack.evaluation._findings import Role
from barstack.evaluation._verdict import Edge
from barstack.reports import render, render_comparison
from barstack.reports._leaderboard import leaderboard

CHROMIUM = "chromium"
CHARTS = ["equity", "accuracy", "calibration", "correlation", "weights", "gains", "stability",
          "contributions", "importances", "disagreement"]  # fmt: skip
SECTIONS = ["verdict", *CHARTS, "leaderboard", "trust", "bars", "steps", "guide"]
HORIZONS = ["1h", "4h"]
HOSTILE = "</script><script>document.title='owned'</script>"


FIGURES: dict[str, float | None] = {
    "directional_accuracy": 0.512,
    "directional_accuracy_se": 0.011,
    "r2": -0.001,
    "r2_se": 0.002,
    "ic": 0.013,
    "ic_se": 0.021,
    "rank_ic": 0.009,
    "log_loss": None,
    "log_loss_se": None,
    "rmse": 0.0061,
    "mae": 0.0042,
    "net_edge_bps": 0.21,
    "net_edge_bps_se": 0.4,
    "p_value": 0.3,
}


def a_score(name: str, role: Role, horizon: str, **more: Any) -> Score:
    return Score(name=name, role=role, horizon=horizon, n_decisions=1234, **(FIGURES | more))


def an_evaluation(members: tuple[str, ...] = ("ridge", "lstm"), n_folds: int = 3) -> Evaluation:
    """Two horizons, an ensemble, some members and a naive forecast; figures are made up."""
    learners = ("stack", *members)
    return Evaluation(
        task="return",
        horizons=HORIZONS,
        symbols=["AAPL", "MSFT"],
        bar="1h",
        n_decisions=1234,
        first_at="2024-01-02 15:30 UTC",
        last_at="2024-12-30 21:00 UTC",
        ensemble="stack",
        cost_bps=2.0,
        bars_a_year=1750.0,
        evidence=[],
        doubts=[],
        contradictions=[],
        scores=[
            score
            for horizon in HORIZONS
            for score in (
                a_score("stack", "ensemble", horizon),
                *(a_score(name, "member", horizon) for name in members),
                a_score("zero", "naive", horizon, ic=None, ic_se=None, rank_ic=None),
            )
        ],
        folds=[
            FoldAccuracy(name, horizon, fold, f"2024-0{fold}-02", f"2024-0{fold}-28", 99, 0.5, 0.03)
            for name in learners
            for horizon in HORIZONS
            for fold in range(1, n_folds + 1)
        ],
        equity=[an_equity(name, horizon) for name in learners for horizon in HORIZONS],
        calibration=[
            CalibrationBin("stack", horizon, 200, 1e-4 * place, 0.5e-4 * place, 1e-4)
            for horizon in HORIZONS
            for place in range(-3, 4)
        ],
        correlations=[
            Correlation(horizon, list(members), [[1.0 for _ in members] for _ in members])
            for horizon in HORIZONS
        ],
        weights=[
            Weights("stack", horizon, fold, dict.fromkeys(members, 0.5))
            for horizon in HORIZONS
            for fold in (2, 3, "final")
        ],
        gains=[
            a_gain(horizon, against)
            for horizon in HORIZONS
            for against in (BEST_SO_FAR, EQUAL_WEIGHTS, "zero", "historical_mean")
        ],
        fold_gains=[
            FoldGain("stack", horizon, fold, 99, 0.001 * fold, 0.002)
            for horizon in HORIZONS
            for fold in range(1, n_folds + 1)
        ],
        diversity=[
            Diversity(
                horizon, list(members), [[0.0 for _ in members] for _ in members], [], 1.0, 1.7
            )
            for horizon in HORIZONS
        ],
        contributions=[
            Contribution(name, horizon, 0.001, 0.002, 0.0, -0.001, 0.002)
            for name in members
            for horizon in HORIZONS
        ],
        importances=[
            Importance("stack", name, horizon, 0.001, 0.0005)
            for name in members
            for horizon in HORIZONS
        ],
        stability=[Stability("stack", horizon, "weights_kept", 0.9) for horizon in HORIZONS],
    )


def a_gain(horizon: str, against: str, **more: Any) -> Gain:
    plain: dict[str, Any] = {
        "ensemble": "stack",
        "loss": "squared error",
        "n_decisions": 1234,
        "gain": 0.002,
        "gain_se": 0.001,
        "statistic": 1.9,
        "p_value": 0.06,
        "ic_gain": 0.01,
        "ic_gain_se": 0.01,
        "p_adjusted": 0.12,
    }
    return Gain(horizon=horizon, against=against, **plain | more)


VERDICT = Verdict(
    edge="unproven",
    sentence="It could well be luck.",
    horizon="4h",
    ensemble="stack",
    trials=12,
    cost_bps=2.0,
    evidence=[
        HorizonVerdict(
            horizon="1h",
            edge="none",
            trades=True,
            net_edge_bps=-0.2,
            net_edge_bps_se=0.3,
            t_value=-0.7,
            p_value=0.7,
            p_adjusted=1.0,
            ic=None,
            ic_se=None,
            n_bars=1234,
            bars_to_prove=None,
        ),
        HorizonVerdict(
            horizon="4h",
            edge="unproven",
            trades=True,
            net_edge_bps=0.2,
            net_edge_bps_se=0.4,
            t_value=0.5,
            p_value=0.3,
            p_adjusted=0.99,
            ic=0.01,
            ic_se=0.02,
            n_bars=99,
            bars_to_prove=[900, 81_234],
        ),
    ],
)


def an_equity(name: str, horizon: str) -> Equity:
    return Equity(
        name=name,
        horizon=horizon,
        time=["2024-01-02 15:30", "2024-01-02 16:30", "2024-01-03 15:30"],
        net=[1.0, 0.99, 1.02],
        gross=[1.0, 1.0, 1.04],
        hold=[1.0, 1.01, 1.03],
        mean_position=0.2,
        turnover_per_day=1.5,
        net_return=0.02,
        hold_return=0.03,
        sharpe_net=None,
        sharpe_hold=1.1,
        max_drawdown=0.01,
    )


def nothing_found() -> Evaluation:
    """An evaluation of which every list is empty."""
    found = an_evaluation()
    return replace(
        found,
        scores=[],
        folds=[],
        equity=[],
        calibration=[],
        correlations=[],
        weights=[],
        gains=[],
        fold_gains=[],
        diversity=[],
        contributions=[],
        importances=[],
        stability=[],
        symbols=[],
    )


def nothing_known() -> Evaluation:
    """An evaluation in which every figure that may be missing is."""
    found = an_evaluation()
    nan = float("nan")
    return replace(
        found,
        scores=[
            a_score(score.name, score.role, score.horizon, **dict.fromkeys(FIGURES))
            for score in found.scores
        ],
        folds=[
            replace(row, directional_accuracy=None, directional_accuracy_se=None)
            if row.fold == 1
            else replace(row, directional_accuracy_se=nan)
            for row in found.folds
        ],
        equity=[
            replace(curve, net=[1.0, nan, 1.0], sharpe_hold=None, net_return=nan)
            for curve in found.equity
        ],
        calibration=[replace(item, realised_se=nan) for item in found.calibration],
        correlations=[
            replace(item, matrix=[[1.0, None], [None, 1.0]]) for item in found.correlations
        ],
        gains=[
            replace(
                each,
                gain_se=None,
                statistic=None,
                p_value=None,
                p_adjusted=None,
                ic_gain=None,
                ic_gain_se=None,
            )
            for each in found.gains
        ],
        fold_gains=[replace(each, gain_se=None) for each in found.fold_gains],
        contributions=[
            replace(each, shapley_se=None, left_out=None, left_out_se=None)
            for each in found.contributions
        ],
        importances=[replace(each, rise_se=None) for each in found.importances],
        diversity=[
            replace(each, effective_errors=None, effective_forecasts=None)
            for each in found.diversity
        ],
    )


def verdict_with_nothing_known() -> Verdict:
    """A verdict in which every figure that may be missing is."""
    nan = float("nan")
    return replace(
        VERDICT,
        evidence=[
            replace(row, net_edge_bps=nan, net_edge_bps_se=None, p_value=nan, p_adjusted=nan)
            for row in VERDICT.evidence
        ],
    )


def page_of(evaluation: Evaluation, verdict: Verdict = VERDICT, title: str = "A report") -> str:
    return render(
        evaluation,
        verdict,
        title=title,
        run_id="r-1",
        facts=[("Bars", "AAPL, 3,478 × 1h")],
        steps=[("bars", "reused", 0.02), ("ridge", "made", 1.25)],
    )


def own_part(page: str) -> str:
    """The page without plotly's own code."""
    assert get_plotlyjs() in page
    return page.replace(get_plotlyjs(), "")


def figures(page: str) -> list[dict[str, list[dict[str, Any]]]]:
    texts = re.findall(r'<div class="chart"><script type="application/json">(.*?)</script>', page)
    return [json.loads(text) for text in texts]


WATCH = """<script>
const fail = (text) => (document.documentElement.dataset.failed = text);
addEventListener("error", (event) => fail(event.message));
addEventListener("securitypolicyviolation", (event) => fail(event.blockedURI));
</script>"""

# A browser window has a least width; a frame may be as narrow as a phone.
FRAME = """<!doctype html><iframe style="width:{}px;height:800px;border:0" srcdoc="{}"></iframe>
<script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument;
  const boards = [...page.querySelectorAll(".scroll:has(.leaderboard)")];
  const parts = [page.documentElement, ...boards.filter((each) => each.clientWidth)];
  const widths = parts.map((each) => [each.clientWidth, each.scrollWidth]);
  document.body.innerHTML = `<p>${{JSON.stringify(widths)}}</p>`;
}}</script>"""


def in_browser(page: str, folder: Path) -> str:
    """The document after its scripts ran, with what went wrong in the attribute data-failed."""
    if not shutil.which(CHROMIUM):
        pytest.skip("chromium is not installed, so no browser has seen this page")
    file = folder / "report.html"
    file.write_text(page.replace("<head>", f"<head>{WATCH}"), encoding="utf-8")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync "
        f"--user-data-dir={folder / 'profile'} --virtual-time-budget=5000 --dump-dom"
    ).split()
    shown = subprocess.run(
        [CHROMIUM, *flags, file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return shown.stdout


def widths_of(page: str, width: int, folder: Path) -> list[list[int]]:
    """What is shown and what it would take, in pixels: of the page, then of each leaderboard."""
    dom = in_browser(FRAME.format(width, escape(page)), folder)
    found: list[list[int]] = json.loads(re.findall(r"<p>(\[\[.*\]\])</p>", dom)[0])
    return found


def drawn_in(dom: str) -> list[str]:
    """Sections in which the browser shows a chart."""
    sections = re.split(r'<section id="(\w+)"', dom)[1:]
    return [
        name
        for name, body in zip(sections[::2], sections[1::2], strict=True)
        if "main-svg" in body.split("</section>")[0]
    ]


def test_page_loads_nothing() -> None:
    page = own_part(page_of(an_evaluation()))
    loads = re.findall(r"""(?:src|href|action|data)\s*=\s*["']([^"'#][^"']*)|url\(|@import""", page)
    assert loads == []
    assert re.findall(r"https?://", page) == []
    assert "default-src 'none'" in page  # the browser holds plotly to it as well


def test_page_is_hardly_larger_than_plotly() -> None:
    assert len(page_of(an_evaluation())) < len(get_plotlyjs()) + 150_000


def test_importing_the_room_does_not_load_plotly() -> None:
    code = "import sys, barstack.reports; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_section_is_there_in_order() -> None:
    page = own_part(page_of(an_evaluation()))
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS
    assert len(figures(page)) == len(CHARTS) * len(HORIZONS)


@pytest.mark.parametrize("edge", ["none", "unproven", "supported"])
def test_verdict_is_coloured_by_its_edge(edge: Edge) -> None:
    page = own_part(page_of(an_evaluation(), replace(VERDICT, edge=edge)))
    assert f'<section id="verdict" class="card edge-{edge}">' in page
    assert f".edge-{edge} {{" in page


def test_text_from_outside_stays_text() -> None:
    found = an_evaluation(members=(HOSTILE, "ridge"))
    found = replace(
        found,
        symbols=[HOSTILE],
        horizons=[*HORIZONS, f'"{HOSTILE}'],
    )
    page = own_part(page_of(found, replace(VERDICT, sentence=HOSTILE), title=HOSTILE))
    assert "owned" in page
    assert "<script>document.title" not in page
    names = {
        trace["name"] for figure in figures(page) for trace in figure["data"] if "name" in trace
    }
    assert not any("<" in str(name) for name in names)


def test_what_is_missing_is_a_dash() -> None:
    page = own_part(page_of(nothing_known(), verdict_with_nothing_known()))
    cells = re.findall(r"<(?:td|dd)[^>]*>(.*?)</(?:td|dd)>", page)
    assert not re.search(r"\b(?:nan|None|inf)\b", " ".join(cells))
    scores = [a_score("stack", "ensemble", "1h", ic=None), a_score("ridge", "member", "1h")]
    board = leaderboard(replace(an_evaluation(), scores=scores), "1h", trials=12)
    assert board is not None
    (_, stack), _ = board.rows
    assert "–" in [cell.text for cell in stack]


def test_a_sentence_stands_where_there_is_nothing_to_show() -> None:
    page = own_part(page_of(nothing_found(), replace(VERDICT, evidence=[])))
    assert re.findall(r'<section id="(\w+)"', page) == SECTIONS
    assert figures(page) == []
    assert page.count('<p class="nothing">') >= (len(CHARTS) + 1) * len(HORIZONS)


def test_only_the_missing_chart_is_missing() -> None:
    page = own_part(page_of(replace(an_evaluation(n_folds=1), calibration=[])))
    assert len(figures(page)) == (len(CHARTS) - 1) * len(HORIZONS)
    assert "too few forecasts to compare" in page


def test_equity_shows_the_judged_ensemble_and_offers_the_others() -> None:
    equity = figures(own_part(page_of(an_evaluation())))[0]["data"]
    shown = [trace["name"] for trace in equity if trace.get("visible", True) is True]
    assert shown == ["stack after costs", "stack before costs", "buy and hold"]
    assert [trace["name"] for trace in equity if trace.get("visible") == "legendonly"] == [
        "ridge",
        "lstm",
    ]


@pytest.mark.parametrize(
    ("accuracy", "naive", "bold"),
    [(0.512, 0.5, False), (0.53, 0.5, True), (0.53, 0.52, False), (0.53, 0.4, True)],
)
def test_a_winner_is_named_only_when_clear_of_the_naive(
    accuracy: float, naive: float, bold: bool
) -> None:
    """Its standard error is 1.1 points: two of them, or 3.1 for a difference, must fit between."""
    scores = [
        a_score("stack", "ensemble", "1h", directional_accuracy=accuracy),
        a_score("up", "naive", "1h", directional_accuracy=naive, directional_accuracy_se=0.0),
    ]
    page = own_part(page_of(replace(an_evaluation(), scores=scores)))
    assert (f"<td><strong>{100 * accuracy:.1f}</strong>" in page) == bold


def test_no_skill_is_a_rival_though_no_naive_forecast_is() -> None:
    """Clear of a naive forecast that is worse than a coin, but not of a coin."""
    scores = [
        a_score("stack", "ensemble", "1h", directional_accuracy=0.51),
        a_score("down", "naive", "1h", directional_accuracy=0.4),
    ]
    page = own_part(page_of(replace(an_evaluation(), scores=scores)))
    assert "<strong>51.0</strong>" not in page
    assert "51.0" in page


def test_final_fit_stands_last() -> None:
    place = CHARTS.index("weights") * len(HORIZONS)
    weights = figures(own_part(page_of(an_evaluation())))[place]["data"][0]
    assert weights["x"] == ["2", "3", "final"]


def test_a_gain_is_bold_only_where_it_is_distinguished() -> None:
    """By the test for all ensembles, and by the interval."""
    for p, error, bold in ((0.12, 0.0001, False), (0.01, 0.002, False), (0.01, 0.0001, True)):
        gain = a_gain("1h", EQUAL_WEIGHTS, p_adjusted=p, gain_se=error)
        page = own_part(page_of(replace(an_evaluation(), gains=[gain])))
        assert ("<strong>+0.20</strong>" in page) == bold
        assert ("not distinguishable from no gain" in page) != bold


def test_regimes_have_a_section_where_there_are_any() -> None:
    weights = [
        RegimeWeights("stack", horizon, regime, 0.5, {"ridge": share, "lstm": 1.0 - share})
        for horizon in HORIZONS
        for regime, share in (("bull_trend", 0.7), ("crash", 0.2))
    ]
    page = own_part(page_of(replace(an_evaluation(), regime_weights=weights)))
    assert '<section id="regime_weights"' in page
    drawn = [f["data"] for f in figures(page) if f["data"][0].get("x") == ["bull trend", "crash"]]
    assert len(drawn) == len(HORIZONS)
    assert drawn[0][0]["y"] == [0.7, 0.2]


def test_of_hundreds_of_members_the_largest_are_drawn() -> None:
    page = own_part(page_of(an_evaluation(members=tuple(f"m{place}" for place in range(60)))))
    layouts: list[Any] = [figure["layout"] for figure in figures(page)]
    lists = [each["yaxis"].get("ticktext") for each in layouts]
    contributions = lists[CHARTS.index("contributions") * len(HORIZONS)]
    assert len(contributions or []) == 24


@pytest.mark.slow
@pytest.mark.parametrize(
    ("evaluation", "charts"),
    [
        (an_evaluation(), CHARTS),
        (an_evaluation(members=tuple(f"member {place}" for place in range(12))), CHARTS),
        (an_evaluation(members=(HOSTILE, "ridge"), n_folds=1), CHARTS),
        (nothing_known(), CHARTS),
        (nothing_found(), []),
    ],
    ids=["plain", "many members", "hostile names, one fold", "nothing known", "nothing found"],
)
def test_browser_draws_every_chart(
    evaluation: Evaluation, charts: list[str], tmp_path: Path
) -> None:
    dom = own_part(in_browser(page_of(evaluation, title="A report"), tmp_path))
    assert "data-failed" not in dom.split("<head>")[0]
    assert drawn_in(dom) == charts
    assert "<title>A report</title>" in dom


@pytest.mark.slow
def test_phone_scrolls_down_only(tmp_path: Path) -> None:
    found = an_evaluation(
        members=tuple(f"a_member_with_a_long_name_{place}" for place in range(12))
    )
    (width, needed), *tables = widths_of(page_of(found, title="A" * 80), 400, tmp_path)
    assert 300 < width <= 400
    assert needed == width
    assert all(own <= width < table for own, table in tables)  # which scroll by themselves


LOSSES: dict[Task, dict[str, float | None]] = {
    "return": {"r2_zero": -0.0123, "r2_zero_se": 0.0034},
    "three_class": {
        "r2": None, "rmse": None, "mae": None, "log_loss": 1.0986, "log_loss_se": 0.01,
        "accuracy": 0.421, "accuracy_se": 0.012, "balanced_accuracy": 0.333,
        "balanced_accuracy_se": 0.011, "macro_f1": 0.287, "macro_f1_se": 0.013,
    },
    "quantiles": {
        "pinball": 0.0018, "pinball_se": 0.0003, "pinball_skill": -0.0012,
        "pinball_skill_se": 0.0021, "r2_zero": -0.0123, "r2_zero_se": 0.0034,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("task", LOSSES)
def test_a_leaderboard_fits_a_small_screen(task: Task, tmp_path: Path) -> None:
    """All columns at 1,100 pixels, with figures as wide as markets make them."""
    found = an_evaluation(members=("lightgbm", "mixture_of_experts"))
    wide: dict[str, Any] = {
        "ic": -0.071,
        "net_edge_bps": -12.34,
        "net_edge_bps_se": 10.21,
        "r2": -0.0312,
    }
    scores = [
        replace(score, n_decisions=124_000, **(wide | LOSSES[task])) for score in found.scores
    ]
    page = page_of(replace(found, task=task, scores=scores))
    _, *_, (width, needed) = widths_of(page, 1100, tmp_path)  # the last of its tables
    assert width > 1000
    assert needed == width


@pytest.mark.slow
def test_a_comparison_fits_a_small_screen(tmp_path: Path) -> None:
    names = [f"{name} ({run})" for name in ("mixture_of_experts", "lstm") for run in ("3fdc", "65")]
    found = Comparison(
        horizon="1h",
        n_decisions=124_000,
        first_at="2024-01-02 15:30",
        last_at="2024-12-30 21:00",
        entries=[Compared(name, 0.512, 0.011, 0.131, 0.021, 0.002, 0.013) for name in names],
        correlation=Correlation("1h", names, [[1.0] * 4] * 4),
    )
    page = render_comparison([found], {"3fdc": "A title " * 20, "65": "Another"})
    best, *_ = re.findall(r"<tr>.*?</tr>", page.partition("<tbody>")[2])
    assert re.findall(r'<(?:th|td)( class="words"| scope="row"|)>', best) == [
        ' scope="row"', ' class="words"', "", "", "",
    ]  # fmt: skip
    for width, needed in widths_of(page, 1100, tmp_path):
        assert needed == width > 1000


@pytest.mark.slow
def test_browser_sees_failures(tmp_path: Path) -> None:
    """The test above would notice an error and a load from elsewhere."""
    page = page_of(an_evaluation())
    broken = page.replace("Plotly.react(", "Plotly.reacted(")
    nosy = page.replace("</body>", '<img src="https://example.invalid/x.png"></body>')
    for bad in (broken, nosy):
        assert "data-failed" in in_browser(bad, tmp_path).split("<head>")[0]
