"""Ways around the ledger: each is counted, noticed, or named in docs/ledger.md."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import barstack as bs
from barstack import Run
from barstack.bars import Bars
from barstack.core.errors import StorageError
from barstack.experiments import (
    Sweep,
    judged_now,
    recombine,
    run_study,
    run_sweep,
    verify_ledger,
)
from barstack.testing import walk
from barstack.tracking import BarPrint, SqliteStore
from barstack.tracking._bar_prints import alike


@pytest.fixture(autouse=True)
def user_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user with a ledger of their own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("BARSTACK_LEDGER", str(folder))
    return folder


def frame_of(bars: Bars) -> pl.DataFrame:
    columns: dict[str, Any] = {"timestamp": bars.opened_at}
    columns |= {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
    return pl.DataFrame(columns).with_columns(pl.col("timestamp").dt.replace_time_zone("UTC"))


NO_SPLITS = {"unadjusted_split": "warn"}
PRICES = ["open", "high", "low", "close"]
TABLE = frame_of(walk(700))


def tried(
    folder: Path, table: pl.DataFrame, *, name: str = "WALK", runs: str = "", **more: Any
) -> Run:
    """A run of two trials, a member and an ensemble, on a file of bars."""
    folder.mkdir(parents=True, exist_ok=True)
    table.write_parquet(folder / f"{name}.parquet")
    study = {
        "bars": {"provider": "files", "path": f"{name}.parquet", "checks": NO_SPLITS},
        "features": ["body"],
        "label": {"label": "return", "horizons": [1]},
        "split": {"split": "walk_forward", "folds": 2},
        "members": ["ridge"],
        "ensembles": ["average"],
    }
    return bs.run(bs.Study(**study | more), folder=folder, runs=runs or folder / "runs")


@pytest.fixture
def first(tmp_path: Path) -> Run:
    """What was tried before."""
    return tried(tmp_path / "first", TABLE)


def inverse(table: pl.DataFrame) -> pl.DataFrame:
    """The pair quoted the other way."""
    return table.with_columns(
        (1.0 / pl.col("open")).alias("open"),
        (1.0 / pl.col("low")).alias("high"),
        (1.0 / pl.col("high")).alias("low"),
        (1.0 / pl.col("close")).alias("close"),
    )


def longer(table: pl.DataFrame, every: str) -> pl.DataFrame:
    """Bars of several."""
    return table.group_by_dynamic("timestamp", every=every).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )


def noisy(table: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    factor = np.exp(rng.normal(0.0, 1e-4, len(table)))
    return table.with_columns(*(pl.col(name) * factor for name in PRICES))


def split(table: pl.DataFrame) -> pl.DataFrame:
    """A split of 4 for 1 that nobody has adjusted for."""
    row = pl.int_range(len(table))
    factor = pl.when(row < len(table) // 2).then(4.0).otherwise(1.0)
    return table.with_columns(*((pl.col(name) * factor).alias(name) for name in PRICES))


DISGUISES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "renamed": lambda t: t,
    "scaled": lambda t: t.with_columns(*(pl.col(name) * 3.7 for name in PRICES)),
    "inverted": inverse,
    "float32": lambda t: t.with_columns(
        *(pl.col(name).cast(pl.Float32).cast(pl.Float64) for name in PRICES)
    ),
    "one bar dropped": lambda t: t.filter(pl.int_range(len(t)) != 300),
    "first bar dropped": lambda t: t[1:],
    "one bar more": lambda t: frame_of(walk(701)),
    "one bar later": lambda t: t.with_columns(pl.col("timestamp") + pl.duration(hours=1)),
    "another time zone": lambda t: t.with_columns(pl.col("timestamp") - pl.duration(hours=5)),
    "stamped at the end": lambda t: t.with_columns(pl.col("timestamp") + pl.duration(minutes=60)),
    "shifted by minutes": lambda t: t.with_columns(pl.col("timestamp") + pl.duration(minutes=7)),
    "two-hour bars": lambda t: longer(t, "2h"),
    "part of it": lambda t: t[250:],
    "noise": noisy,
    "split": split,
}


def print_of(table: pl.DataFrame) -> BarPrint:
    opened = table["timestamp"].dt.replace_time_zone(None).to_numpy()
    return BarPrint.of(opened + np.timedelta64(1, "h"), table["close"].to_numpy())


@pytest.mark.parametrize("disguise", DISGUISES)
def test_bars_in_disguise_have_one_print(disguise: str) -> None:
    """And they are not taken for other bars in the same disguise."""
    change = DISGUISES[disguise]
    for n_bars in (120, 700):
        table = frame_of(walk(n_bars)) if disguise != "part of it" else TABLE
        changed = print_of(change(table)) if disguise != "one bar more" else print_of(TABLE)
        if n_bars > 200 or disguise not in (
            "shifted by minutes",
            "two-hour bars",
            "noise",
            "split",
        ):
            assert alike(print_of(table), changed)
            assert alike(changed, print_of(table))
        assert not alike(print_of(frame_of(walk(n_bars, seed=5))), changed)


@pytest.mark.slow
@pytest.mark.parametrize("disguise", ["inverted", "another time zone", "two-hour bars", "split"])
def test_trials_on_bars_in_disguise_count(disguise: str, first: Run, tmp_path: Path) -> None:
    """Under another name, in another folder, in another folder of runs."""
    table = DISGUISES[disguise](TABLE)
    second = tried(tmp_path / "second", table, name="OTHER")
    assert (first.verdict.trials, second.verdict.trials) == (2, 4)
    assert judged_now(first.folder).verdict.trials == 4


def test_other_bars_are_not_taken_for_these(first: Run, tmp_path: Path) -> None:
    other = tried(tmp_path / "second", frame_of(walk(700, seed=5)), name="OTHER")
    assert other.verdict.trials == 2
    assert any("On other instruments 2 more trials" in each for each in other.verdict.remarks)


@pytest.mark.parametrize(
    ("one", "other"),
    [("SPY", "spy"), ("EURUSD", "EUR-USD"), ("EURUSD", "usd_eur"), ("BTCUSD", "BTC-USD")],
)
def test_a_symbol_spelt_otherwise_is_the_same(one: str, other: str, tmp_path: Path) -> None:
    """Even on bars without a day in common."""
    tried(tmp_path / "one", TABLE[:330], name=one)
    assert tried(tmp_path / "other", TABLE[350:], name=other).verdict.trials == 4


def test_another_file_format_is_the_same(first: Run, tmp_path: Path) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    TABLE.write_csv(folder / "OTHER.csv")
    study = first.study.model_copy(update={"bars": {"provider": "files", "path": "OTHER.csv"}})
    assert bs.run(study, folder=folder, runs=folder / "runs").verdict.trials == 4


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 7},
        {"features": ["body", "rsi"]},
        {"members": {"ridge": {"penalty": 1.1}}},
        {"split": {"split": "walk_forward", "folds": 3}},
    ],
    ids=["seed", "features", "penalty", "folds"],
)
def test_a_small_change_is_another_trial(
    change: dict[str, Any], first: Run, tmp_path: Path
) -> None:
    assert tried(tmp_path / "first", TABLE, **change).verdict.trials == 4


def test_a_member_by_another_name_is_the_same_trial(first: Run, tmp_path: Path) -> None:
    """It is no new look, and hides none."""
    again = tried(tmp_path / "first", TABLE, members={"my_best": {"model": "ridge"}})
    assert again.verdict.trials == 2


def test_members_run_one_by_one_count_as_together(tmp_path: Path) -> None:
    for penalty in (1.0, 2.0, 3.0):
        member = {"ridge": {"penalty": penalty}}
        run = tried(tmp_path / f"of {penalty}", TABLE, members=member)
    assert run.verdict.trials == 6


def test_symbols_tried_apart_count_for_both_together(tmp_path: Path) -> None:
    folder = tmp_path / "both"
    tried(folder, TABLE, name="ONE")
    tried(folder, frame_of(walk(700, seed=3)), name="TWO")
    both = {"provider": "files", "path": ".", "symbols": ["ONE", "TWO"]}
    assert tried(folder, TABLE, name="ONE", bars=both).verdict.trials == 6


def test_a_sweep_and_a_recombination_count(first: Run, tmp_path: Path) -> None:
    recombine(first.folder, ["median"])
    content = {"bars": first.study.bars.content() | {"path": "WALK.parquet"}, "features": ["body"]}
    grid = {"model": ["ridge"], "horizon": [1], "model.penalty": [1, 2, 3]}
    sweep = Sweep(study=content, grid=grid)
    run_sweep(sweep, folder=tmp_path / "first", runs=tmp_path / "swept", engine="serial")
    assert judged_now(first.folder).verdict.trials == 2 + 1 + 3


def test_a_run_that_is_killed_before_its_end_counts(tmp_path: Path) -> None:
    """Its trials are recorded before anything is fitted."""
    folder = tmp_path / "killed"
    folder.mkdir()
    TABLE.write_parquet(folder / "WALK.parquet")
    code = (
        "import os, sys, barstack as bs\n"
        "from barstack.models.classical import linear\n"
        "from barstack.experiments import _engine\n"
        "whole = _engine.Engine.compute\n"
        "def compute(self, name, threads):\n"
        "    if name.startswith('member'): os.kill(os.getpid(), 9)\n"
        "    return whole(self, name, threads)\n"
        "_engine.Engine.compute = compute\n"
        "bs.run(bs.Study(bars={'provider': 'files', 'path': 'WALK.parquet'}, features=['body'],"
        " label={'label': 'return', 'horizons': [1]}, members=['ridge'], ensembles=['average']),"
        " runs='runs')\n"
    )
    code = code.replace("from barstack.models.classical import linear\n", "")
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr.decode()
    assert tried(tmp_path / "next", TABLE).verdict.trials == 4


def test_runs_at_once_all_count(tmp_path: Path) -> None:
    code = (
        "import sys, barstack as bs\n"
        "bs.run(bs.Study(bars={'provider': 'files', 'path': 'WALK.parquet'}, features=['body'],"
        " label={'label': 'return', 'horizons': [1]}, members={'ridge': {'penalty':"
        " float(sys.argv[1])}}, ensembles=['average']), runs='runs')\n"
    )
    TABLE.write_parquet(tmp_path / "WALK.parquet")
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], cwd=tmp_path)
        for number in (1, 2, 3)
    ]
    assert [each.wait() for each in started] == [0, 0, 0]
    assert SqliteStore(tmp_path / "runs").count(["WALK"]) == 6
    assert verify_ledger(tmp_path / "runs").altered == []


def test_a_copy_of_the_folder_counts_what_both_tried(first: Run, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    tried(tmp_path / "copy", TABLE, seed=1)
    tried(tmp_path / "first", TABLE, seed=2)
    assert judged_now(first.folder).verdict.trials == 6


def test_a_folder_from_another_machine_brings_its_trials(
    first: Run, user_ledger: Path, tmp_path: Path
) -> None:
    shutil.rmtree(user_ledger)
    assert tried(tmp_path / "first", TABLE, seed=1).verdict.trials == 4
    assert tried(tmp_path / "elsewhere", TABLE, seed=2).verdict.trials == 6


def ledger_of(run: Run) -> Path:
    return run.folder.parent / ".ledger.sqlite"


def test_a_deleted_ledger_forgets_nothing(first: Run, tmp_path: Path) -> None:
    ledger_of(first).unlink()
    assert tried(tmp_path / "first", TABLE, seed=1).verdict.trials == 4
    assert "its rows are not those" in verify_ledger(first.folder.parent).altered[0]


def test_both_ledgers_deleted_are_a_new_count_that_says_so(
    first: Run, user_ledger: Path, tmp_path: Path
) -> None:
    ledger_of(first).unlink()
    shutil.rmtree(user_ledger)
    second = tried(tmp_path / "first", TABLE, seed=1)
    assert any("It is a new ledger" in each for each in second.verdict.remarks)
    assert "It is a new ledger" in (second.folder / "report.html").read_text()
    assert verify_ledger(first.folder.parent).altered


def test_an_older_copy_is_noticed(first: Run, tmp_path: Path) -> None:
    shutil.copy(ledger_of(first), tmp_path / "old")
    second = tried(tmp_path / "first", TABLE, seed=1)
    shutil.copy(tmp_path / "old", ledger_of(first))
    (found,) = verify_ledger(first.folder.parent).altered
    assert f"had 4 when run {second.id} was judged" in found
    assert judged_now(first.folder).verdict.trials == 4  # the user's ledger still has them


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE ledger SET name = 'other' WHERE row = 1",
        "UPDATE ledger SET symbols = '[\"QQQ\"]' WHERE row = 1",
        "DELETE FROM ledger WHERE row = 2",
        "UPDATE ledger SET row = 3 - row",
        "UPDATE ledger SET bars = ''",
        "DELETE FROM ledger_bars",
        "UPDATE ledger_bars SET content = x'00'",
        "UPDATE ledger SET kind = 'plan' WHERE row = 1",
    ],
)
def test_an_edit_is_noticed(edit: str, first: Run) -> None:
    with closing(sqlite3.connect(ledger_of(first))) as database, database:
        if "row = 3 - row" in edit:  # past the uniqueness of rows
            database.execute("UPDATE ledger SET row = row + 10")
            database.execute("UPDATE ledger SET row = 13 - row")
        else:
            database.execute(edit)
    assert any("altered" in each for each in verify_ledger(first.folder.parent).altered)


def test_a_cut_ledger_that_hides_the_cut_is_noticed_by_the_heads(
    first: Run, tmp_path: Path, user_ledger: Path
) -> None:
    """Its newest rows are removed, and SQLite's own memory of them too."""
    head = SqliteStore(first.folder.parent).head()
    with closing(sqlite3.connect(ledger_of(first))) as database, database:
        database.execute("DELETE FROM ledger WHERE row = 2")
        database.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'ledger'")
    SqliteStore(first.folder.parent).verify()  # whole in itself
    assert verify_ledger(first.folder.parent).altered
    kept = tmp_path / "kept.json"
    shutil.move(first.folder / "verdict.json", kept)
    assert verify_ledger(first.folder.parent).altered == []
    assert verify_ledger(first.folder.parent, verdicts=[kept]).altered
    assert "was cut" in verify_ledger(first.folder.parent, head=head).remarks[-1]
    shutil.rmtree(user_ledger)
    assert verify_ledger(first.folder.parent, head=head).altered


def test_a_clock_set_back_changes_no_order(
    first: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from barstack.tracking import _store  # noqa: PLC0415

    monkeypatch.setattr(_store, "timestamp", lambda: "1999-01-01T00:00:00+00:00")
    assert tried(tmp_path / "first", TABLE, seed=1).verdict.trials == 4
    found = verify_ledger(first.folder.parent)
    assert found.altered == []
    assert any("clock was set back" in each for each in found.remarks)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("which", ["runs", "user"])
def test_a_read_only_ledger_stops_the_run_before_it_fits(
    which: str, first: Run, user_ledger: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    subprocess.run(["chmod", "-R", "a+rwX", str(tmp_path)], check=True)
    locked = user_ledger if which == "user" else first.folder.parent
    for file in [locked, *locked.glob(".ledger*")]:
        file.chmod(0o555 if file.is_dir() else 0o444)
    os.seteuid(65534)
    try:
        with pytest.raises(StorageError, match="ledger"):
            tried(tmp_path / "first", TABLE, seed=1)
    finally:
        os.seteuid(0)
    members = list((first.folder.parent / ".store").glob("member*/*"))
    assert len(members) <= len(first.study.members) + 1


def test_a_user_ledger_that_is_off_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BARSTACK_LEDGER", "off")
    run = tried(tmp_path / "first", TABLE)
    assert any("switched off" in each for each in run.verdict.remarks)


def test_made_up_bars_are_nobodys_trials(first: Run, user_ledger: Path, tmp_path: Path) -> None:
    """As those of a calibration, which would otherwise count against the user's own study."""
    folder = tmp_path / "first"
    made = run_study(first.study, folder=folder, runs=tmp_path / "made", user_ledger=False)
    assert any("switched off" in each for each in made.verdict.remarks)
    assert SqliteStore(user_ledger).count(["WALK"]) == 2
    before = SqliteStore(user_ledger).head()
    study = first.study.model_copy(update={"seed": 9})
    run_study(study, folder=folder, runs=tmp_path / "made", user_ledger=False)
    assert SqliteStore(user_ledger).head() == before
