"""What a run leaves of each forecaster, and runs compared by it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.conftest import StudyFile

from barstack import run
from barstack.core.errors import ConfigError, DataError, StorageError
from barstack.evaluation import compare
from barstack.experiments import Run, compare_runs, named_runs

BOARD = ["directional_accuracy", "ic"]


def forecaster(run: Run, role: str, name: str) -> Path:
    return run.folder / role / name


def test_forecasts_stand_beside_what_was_realised(finished: Run) -> None:
    for name in finished.study.members:
        table = pl.read_parquet(forecaster(finished, "members", name) / "test.parquet")
        forward = table["trained_through"] <= table["decided_at"]
        assert forward.all()
        (bars,) = finished.bars.values()
        closes = dict(zip(bars.closed_at.tolist(), bars.records["close"].tolist(), strict=True))
        for horizon in finished.evaluation.horizons:
            known = table.filter(pl.col(f"realised_{horizon}").is_not_null())
            for row in known.sample(20, seed=1).iter_rows(named=True):
                entry, leave = closes[row["decided_at"]], closes[row[f"known_at_{horizon}"]]
                assert row[f"realised_{horizon}"] == pytest.approx(leave / entry - 1.0, abs=1e-12)


def test_metrics_are_those_of_the_evaluation(finished: Run) -> None:
    named = [("members", name) for name in finished.study.members]
    for role, name in [*named, *(("ensembles", name) for name in finished.study.ensemble_names)]:
        metrics = json.loads((forecaster(finished, role, name) / "metrics.json").read_text())
        scores = [s for s in finished.evaluation.to_json()["scores"] if s["name"] == name]
        assert metrics["scores"] == scores
        if role == "members":
            assert metrics["fits"][-1]["fold"] == "final"
            assert all(fit["rows"] > 0 for fit in metrics["fits"])


def test_a_comparison_of_one_run_says_what_its_leaderboard_says(finished: Run) -> None:
    for found in compare_runs([finished.folder]):
        skill = [np.nan if entry.ic is None else entry.ic for entry in found.entries]
        assert (np.diff(skill) <= 0).all()
        board = finished.leaderboard(found.horizon).set_index("name")
        assert found.n_decisions == board["n_decisions"].iloc[0]
        for entry in found.entries:
            for figure in BOARD:
                assert getattr(entry, figure) == pytest.approx(board.loc[entry.name, figure])
                # Blocks of time are cut a little otherwise: the leaderboard's hold open labels too.
                assert getattr(entry, f"{figure}_se") > 0.0


def test_runs_are_told_apart_by_a_few_digits(
    finished: Run, tmp_path: Path, study_file: StudyFile
) -> None:
    other = run(study_file(tmp_path, title="A long title", members=["ridge"]), runs=tmp_path)
    for found in compare_runs([finished.folder, other.folder]):
        ridges = {each.name for each in found.entries if each.name.startswith("ridge ")}
        assert ridges == {f"ridge ({each.id[:4]})" for each in (finished, other)}
    named = named_runs([finished.folder, other.folder])
    assert named[other.id[:4]] == f"A long title, {other.id}"
    alike = [tmp_path / name for name in ("12345a", "12345b", "1234c")]
    assert list(named_runs(alike)) == ["12345a", "12345b", "1234c"]
    assert list(named_runs([tmp_path / "one" / "run", tmp_path / "run"])) == [
        str(tmp_path / "one" / "run"), str(tmp_path / "run"),
    ]  # fmt: skip


def worlds(n: int = 4000) -> dict[str, pl.DataFrame]:
    """Forecasters that know the return, part of it, part of it upside down, and nothing."""
    rng = np.random.default_rng(4)
    came = rng.normal(0.0, 0.01, n)
    said = {
        "knows": came + rng.normal(0.0, 0.01, n),
        "knows_less": came + rng.normal(0.0, 0.04, n),
        "upside_down": -came + rng.normal(0.0, 0.04, n),
        "guesses": rng.normal(0.0, 0.01, n),
    }
    moment = np.datetime64("2026-01-01", "us") + np.arange(n) * np.timedelta64(1, "h")
    shared = {
        "decided_at": moment,
        "symbol": ["A"] * n,
        "known_at_1h": moment + np.timedelta64(1, "h"),
        "realised_1h": came,
    }
    return {name: pl.DataFrame(shared | {"return_1h": own}) for name, own in said.items()}


def test_the_best_is_found_and_others_are_told_apart() -> None:
    (found,) = compare(worlds())
    assert [e.name for e in found.entries] == ["knows", "knows_less", "guesses", "upside_down"]
    assert [e.distinguished for e in found.entries] == [False, True, True, True]
    assert found.sentence.startswith("Best 1h ahead: knows, IC 0.7")
    assert "0 of the 3 others cannot be distinguished" in found.sentence
    matrix = np.array(found.correlation.matrix)
    np.testing.assert_allclose(matrix, matrix.T)
    assert matrix[0, -1] < -0.1
    two = {name: table for name, table in worlds().items() if name in ("knows", "guesses")}
    assert compare(two)[0].sentence.endswith("; the other can be distinguished from it.")


def test_nobody_is_best_among_guessers() -> None:
    tables = {name: table for name, table in worlds().items() if name == "guesses"}
    (found,) = compare(tables)
    assert "not distinguishable from no skill at all" in found.sentence


def test_only_shared_decisions_count() -> None:
    tables = worlds()
    one, two = tables["knows"][:3000], tables["guesses"][1000:][::-1]
    (found,) = compare({"one": one, "two": two})
    assert found.n_decisions == 2000
    alone = np.corrcoef(one["return_1h"][1000:], one["realised_1h"][1000:])[0, 1]
    assert found.entries[0].ic == pytest.approx(alone)


def test_what_cannot_be_compared_gets_a_sentence(finished: Run, tmp_path: Path) -> None:
    tables = worlds()
    with pytest.raises(ConfigError, match="share no horizon"):
        compare(
            {"a": tables["knows"], "b": tables["guesses"].rename({"realised_1h": "realised_2h"})}
        )
    with pytest.raises(ConfigError, match="share 0 decisions"):
        compare({"a": tables["knows"][:9], "b": tables["guesses"][9:]})
    other = tables["guesses"].with_columns(pl.col("realised_1h") + 0.01)
    with pytest.raises(DataError, match="different realised returns: that of A at 2026"):
        compare({"a": tables["knows"], "b": other})
    with pytest.raises(ConfigError, match="no run that kept its forecasts"):
        compare_runs([tmp_path])
    with pytest.raises(ConfigError, match="named twice"):
        compare_runs([finished.folder, finished.folder])
    damaged = tmp_path / "members" / "ridge" / "test.parquet"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"PAR1 no more")
    with pytest.raises(StorageError, match="is damaged"):
        compare_runs([tmp_path])
