"""`barstack ensemble`: a finished run's members combined anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import Barstack

from barstack import Run, Study, run
from barstack.core.errors import ConfigError, DataError
from barstack.ensembles import ENSEMBLES
from barstack.experiments import judged_now, recombine
from barstack.experiments._engine import Engine
from barstack.tracking import SqliteStore

StudyFile = Callable[..., Path]


@pytest.fixture
def copied(tmp_path: Path, finished: Run) -> Path:
    """The folder of a finished run, with the ledger beside it, to change as a test likes."""
    shutil.copytree(finished.folder.parents[1], tmp_path / "work")
    return tmp_path / "work" / "runs" / finished.folder.name


def test_the_study_s_own_ensemble_is_made_again_to_the_bit(copied: Path) -> None:
    """From the tables of members alone, what the run made through its tasks."""
    found = recombine(copied, ["nnls"], drop=["strong"])
    again = recombine(copied, {"again": ENSEMBLES.parse({"ensemble": "nnls"})})
    assert again.requested["again"].seconds is None  # the run has it
    assert again.added == 0
    new = found.requested["nnls"]
    assert new.members == ("ridge",)
    alone = run(
        _with_members(copied.parents[1], {"ridge": {}}), runs=copied.parents[1] / "elsewhere"
    )
    stored = pl.read_parquet(alone.folder / "ensembles" / "nnls" / "test.parquet")
    columns = alone.study.label.target.columns
    mine = {name: new.forecast.columns()[name] for name in columns}
    for name in columns:
        np.testing.assert_array_equal(mine[name], stored[name].to_numpy())


def _with_members(folder: Path, members: dict[str, object]) -> Path:
    from tests.conftest import write_study  # noqa: PLC0415

    return write_study(folder, "other.yaml", members=members)


def test_each_new_combination_is_a_trial_once(copied: Path) -> None:
    before = judged_now(copied).verdict.trials
    first = recombine(copied, ["average"], drop=["strong"])
    assert (first.added, first.counted) == (2, before + 2)  # at two horizons
    assert judged_now(copied).verdict.trials == before + 2
    again = recombine(copied, ["average"], drop=["strong"])
    assert (again.added, again.counted) == (0, before + 2)
    assert recombine(copied).added == 0
    store = SqliteStore(copied.parent)
    store.verify()
    (key,) = {t.forecasts for t in store.trials() if t.name == "average -strong"}
    assert key is not None
    np.testing.assert_array_equal(
        store.read(key).forecast.values, first.requested["average"].forecast.values
    )


def test_every_further_trial_makes_a_gain_harder_to_claim(copied: Path) -> None:
    def p_values(**settings: float) -> tuple[int, float]:
        method = {"mine": ENSEMBLES.parse({"ensemble": "nnls", **settings})}
        gain = recombine(copied, method).requested["mine"].scores[0].gains[0]
        assert gain.p_adjusted is not None
        assert gain.p_value is not None
        return gain.tried, gain.p_adjusted

    first, p_first = p_values(weight_spread=0.31)
    p_values(weight_spread=0.32)
    again, p_again = p_values(weight_spread=0.31)
    assert again == first + 2
    assert p_again >= p_first


def test_scores_are_those_of_the_evaluation(copied: Path, finished: Run) -> None:
    found = {entry.name: entry for entry in recombine(copied).entries}
    by_name = {(s.name, s.horizon): s for s in finished.evaluation.scores}
    gains = {(g.ensemble, g.horizon, g.against): g for g in finished.evaluation.gains}
    for name, entry in found.items():
        for score in entry.scores:
            known = by_name[name, score.horizon]
            assert score.n_decisions == known.n_decisions
            assert score.ic == pytest.approx(known.ic)
            assert score.ic_se == pytest.approx(known.ic_se)
            assert score.directional_accuracy == pytest.approx(known.directional_accuracy)
            assert known.rmse is not None
            assert score.value == pytest.approx(known.rmse**2)
            for gain in score.gains:
                other = gains[name, score.horizon, gain.against]
                assert gain.gain == pytest.approx(other.gain, abs=1e-12)
                assert gain.p_value == pytest.approx(other.p_value)


def test_a_member_of_another_run_comes_in(copied: Path) -> None:
    folder = copied.parents[1]
    other = run(_with_members(folder, {"ridge": {"penalty": 300.0}}), runs=folder / "runs")
    found = recombine(copied, ["average"], add=[f"{other.folder}:ridge", "nnls"])
    new = found.requested["average"]
    assert new.members == ("ridge", "strong", f"ridge_{other.id[:4]}", "nnls")
    assert new.name == "average +ridge +nnls"
    # An ensemble among the members begins a fold later, and so does what combines it.
    assert set(new.out_of_fold.fold) == {2}


def test_a_run_in_python(finished: Run, monkeypatch: pytest.MonkeyPatch, copied: Path) -> None:
    finished = Run(finished.id, copied, Engine(finished.study, copied.parent, copied.parents[1]),
                   finished.given)  # fmt: skip
    found = finished.ensemble("average", drop=["strong"])
    ridge = pl.read_parquet(copied / "members" / "ridge" / "test.parquet")
    own = ridge.filter(pl.col("fold") > 0)["return_1bars"]
    np.testing.assert_array_equal(np.sort(found.forecast.values[:, 0, 0]), np.sort(own))
    assert [score.horizon for score in found.scores] == finished.evaluation.horizons


def test_the_run_s_own_folder_is_no_other_run(copied: Path) -> None:
    """Whatever path names it, and however often another run is named."""
    for same in (copied, copied / ".." / copied.name):
        found = recombine(copied, ["average"], drop=["strong"], add=[f"{same}:strong"])
        assert found.added == 0  # what the run's own ensemble combines
        with pytest.raises(ConfigError, match="combined already"):
            recombine(copied, ["average"], add=[f"{same}:strong"])
    folder = copied.parents[1]
    other = run(_with_members(folder, {"ridge": {"penalty": 300.0}}), runs=folder / "runs")
    with pytest.raises(ConfigError, match="combined already"):
        recombine(copied, ["average"], add=[f"{other.folder}:ridge", f"{other.folder}/:ridge"])


@pytest.mark.parametrize("column", ["fold", "trained_through", "known_at_1bars"])
def test_a_table_without_a_column_is_refused(copied: Path, column: str) -> None:
    file = copied / "members" / "ridge" / "test.parquet"
    pl.read_parquet(file).drop(column).write_parquet(file)
    with pytest.raises(ConfigError, match=f"lacks {column}"):
        recombine(copied, ["average"], drop=["strong"])


def test_what_is_combined_is_said_once(copied: Path) -> None:
    method = {"mine": ENSEMBLES.parse({"ensemble": "average", "of": ["ridge"]})}
    with pytest.raises(ConfigError, match=r"'mine' says what it combines, ridge\. Say it"):
        recombine(copied, method)


def test_labels_of_two_runs_must_be_the_same(copied: Path, tmp_path: Path) -> None:
    shutil.copytree(copied, tmp_path / "twin")
    file = tmp_path / "twin" / "members" / "ridge" / "test.parquet"
    table = pl.read_parquet(file)
    table.with_columns(pl.col("label_1bars") * 1.1).write_parquet(file)
    with pytest.raises(DataError, match="judged by other labels"):
        recombine(copied, ["average"], add=[f"{tmp_path / 'twin'}:ridge"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--drop", "lstm"], "Cannot drop 'lstm', which is not combined. Known: ridge, strong."),
        (["--drop", "ridge", "--drop", "strong"], "Nothing is left to combine"),
        (["--add", "ridge"], "ridge is combined already"),
        (["--add", "lstm"], "has no member or ensemble 'lstm'"),
        (["--method", "avrage"], "Did you mean 'average'?"),
        (["--method", "nnls={weight"], "Write them as JSON"),
        (["--method", "nnls=[1]"], "Write them as JSON"),
        (["--method", 'nnls={"weight_spread": -1}'], "weight_spread"),
        (["--method", "average", "--method", "average"], "named twice"),
    ],
)
def test_wrong_use_says_what_to_do(
    barstack: Barstack, finished: Run, arguments: list[str], says: str
) -> None:
    called = barstack("ensemble", finished.folder, *arguments)
    assert called.code == 2
    assert says in " ".join(called.err.split())


def test_no_run(barstack: Barstack, tmp_path: Path) -> None:
    assert "is not the folder of a run" in barstack("ensemble", tmp_path, code=2).err


def test_damage_is_a_fault(barstack: Barstack, copied: Path) -> None:
    (copied / "members" / "ridge" / "test.parquet").write_bytes(b"no table")
    assert "damaged" in barstack("ensemble", copied, "--drop", "strong", code=3).err


def test_the_table_fits(barstack: Barstack, copied: Path) -> None:
    shown = barstack("ensemble", copied, "--drop", "strong", "--method", "average", code=0)
    assert max(map(len, shown.out.splitlines())) <= 80
    for text in ("average -strong", "equal", "best", "2 new trials", "count 10 from now on",
                 "exactly as well"):  # fmt: skip
        assert text in " ".join(shown.out.split())
    content = barstack("ensemble", copied, "--json", code=0).json
    assert content["trials_added"] == 0
    assert [each["name"] for each in content["ensembles"]] == ["nnls", "average"]
    gain = content["ensembles"][0]["scores"][0]["gains"][0]
    assert gain["against"] == "best_so_far"
    assert gain["sentence"].startswith("nnls ")


def test_regimes_are_detected_where_a_method_needs_them(copied: Path) -> None:
    engine = Engine(Study.from_yaml(copied / "study.yaml"), copied.parent, copied.parents[1])
    found = recombine(copied, ["regime_aware"], engine=engine)
    new = found.requested["regime_aware"]
    assert new.seconds is not None
    assert np.isfinite(new.forecast.values).all()
    assert found.added == 2
