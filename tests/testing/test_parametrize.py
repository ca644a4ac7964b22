"""The decorator for contracts: parts of every kind pass, and each suite sees one that breaks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.conftest import table_of

import barstack as bs
from barstack.bars import Catalog, Provider, table_from_frame
from barstack.bars.catalog import Facts
from barstack.bars.checks import CHECKS, Check, Defect, Subject
from barstack.core.arrays import Floats, Rows
from barstack.core.errors import BarstackError, ConfigError
from barstack.datasets import SCALERS, Scaler
from barstack.experiments import STAGES, Operation, Place, Task, Workspace
from barstack.testing import (
    BoundCheck,
    ForTask,
    InFolder,
    StageNamed,
    StoreIn,
    checks_of,
    parametrize_with_checks,
    walk,
)
from barstack.tracking import MemoryStore, Trial

FAILED = pytest.fail.Exception


@parametrize_with_checks(SCALERS.get(name)() for name in SCALERS.names())
def test_scalers(part: Scaler, check: BoundCheck) -> None:
    check(part)


@parametrize_with_checks(CHECKS.get(name) for name in CHECKS.names())
def test_checks_of_bars(part: Check, check: BoundCheck) -> None:
    check(part)


@parametrize_with_checks(StageNamed(name) for name in STAGES.names())
def test_stages(part: StageNamed, check: BoundCheck) -> None:
    check(part)


def provider(name: str, folder: Path) -> Provider:
    """One of two symbols of sixteen days, or the sample."""
    panel = {name: walk(200, seed=seed, symbol=name) for seed, name in enumerate("AB")}
    tables = {symbol: table_of(bars) for symbol, bars in panel.items()}
    if name == "files":
        for symbol, table in tables.items():
            table.write_parquet(folder / f"{symbol}.parquet")
        return bs.FileProvider(path=".", calendar="XNYS")
    if name == "catalog":
        collection = Catalog(folder / "kept").create("two", Facts(bar="30min", calendar="XNYS"))
        for symbol, table in tables.items():
            collection.add(symbol, table_from_frame(table, symbol, calendar="XNYS")[0])
        return bs.FromCatalog(collection="two", path="kept")
    if name == "frame":
        return bs.keep_frame(tables, runs=folder / "runs", calendar="XNYS", stamp="open")
    return bs.Sample()


@pytest.mark.parametrize("name", ["files", "catalog", "frame", "sample"])
def test_providers(name: str, tmp_path: Path) -> None:
    for check in checks_of(InFolder(provider(name, tmp_path), tmp_path)):
        check(check.part)


# Parts that break their contract, each in one way.


class Shifted(Scaler):
    """Its mean is that of all rows, and a constant column divides by zero."""

    learns = ("centre",)

    def learn(self, values: Floats, rows: Rows) -> dict[str, Floats]:
        return {"centre": values.mean(axis=0)}

    def apply(self, values: Floats, learned: Any) -> Floats:
        drift = 1e-9 * np.arange(len(values))[:, None]
        return np.asarray(values - learned["centre"] + drift, np.float64)


class Restless(Provider):
    """Other bars each time."""

    def read(self, folder: Path) -> dict[str, Any]:
        return {"A": table_of(walk(60, seed=time.perf_counter_ns() % 2**31, symbol="A"))}


class Fickle(MemoryStore):
    """Its trials are in another order each time."""

    def trials(self, symbols: Iterable[str] | None = None) -> list[Trial]:
        return super().trials(symbols)[::-1]


def fickle(folder: Path) -> MemoryStore:
    return Fickle()


def grumbles(subject: Any) -> Defect:
    subject.bars.records["volume"][0] += 1.0
    return Defect(0, "", "all is lost", "Give up.", np.array([3, 1]))


def failures(part: Any) -> set[str]:
    """Names of the checks that fail."""
    failed = set()
    for check in checks_of(part):
        try:
            check(check.part)
        except (FAILED, AssertionError, ValueError, BarstackError):
            failed.add(check.name)
    return failed


def test_each_suite_sees_what_is_broken() -> None:
    assert {"check_learns_from_its_rows_alone", "check_rows_stand_alone"} <= failures(Shifted())
    assert {"check_repeats"} <= failures(Restless())
    assert {"check_counts_looks"} <= failures(StoreIn(fickle, shared=False))
    found = failures(Check("gaps", "warn", "grumbles", grumbles))
    assert {
        "check_says_what_and_what_to_do",
        "check_leaves_bars_as_they_are",
        "check_is_silent_where_nothing_is_wrong",
    } <= found


@pytest.fixture
def clock_stage() -> Iterator[str]:
    """A stage whose value is the time of day."""

    def tasks(study: bs.Study, n_folds: int) -> Iterator[Task]:
        yield Task("time of day", Operation("clock", read_clock, (), save_clock, load_clock))

    STAGES.add("time of day", tasks)
    yield "time of day"
    STAGES._entries.pop("time of day")


def read_clock(workspace: Workspace) -> int:
    return time.time_ns()


def save_clock(value: int, place: Place) -> None:
    (place.folder / "time.txt").write_text(str(value))


def load_clock(place: Place) -> int:
    return int((place.folder / "time.txt").read_text())


def test_a_stage_that_does_not_repeat_is_seen(clock_stage: str) -> None:
    assert failures(StageNamed(clock_stage)) == {"check_two_runs_store_the_same"}


# What is exempt, and how it is shown.


class Learned(bs.Ridge):
    """Exempt from a check, as a plugin's model may be."""

    exempt: ClassVar[dict[str, str]] = {"check_seed_repeats": "it draws a new sample each time"}


class SomeScaler(Shifted):
    """A scaler has exemptions too."""

    exempt: ClassVar[dict[str, str]] = {"check_stays_finite": "it does not clip"}


def test_what_is_exempt_is_skipped_with_its_reason() -> None:
    def contract(part: Any, check: BoundCheck) -> None:
        check(part)

    mark = parametrize_with_checks([ForTask(Learned(), "return"), SomeScaler()])(contract)
    (parameters,) = (each for each in mark.pytestmark if each.name == "parametrize")  # type: ignore[attr-defined]
    skipped = {case.id: case.marks[0].kwargs["reason"] for case in parameters.args[1] if case.marks}
    assert skipped == {
        "ridge-return-seed_repeats": "it draws a new sample each time",
        "SomeScaler-stays_finite": "it does not clip",
    }


def test_a_model_is_checked_for_each_of_its_tasks() -> None:
    tasks = {check.on for check in checks_of(bs.Ridge())}
    assert tasks == set(bs.Ridge.tasks)
    assert {check.on for check in checks_of(ForTask(bs.Ridge(), "return"))} == {"return"}
    with pytest.raises(ConfigError, match="not return"):
        list(checks_of(ForTask(bs.Logistic(), "return")))


def test_what_has_no_contract_is_refused() -> None:
    with pytest.raises(ConfigError, match="no part that has a contract"):
        list(checks_of("ridge"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Unknown stage"):
        next(checks_of(StageNamed("no such")))(StageNamed("no such"))
    with pytest.raises(ConfigError, match="nothing to check"):
        parametrize_with_checks([])


@pytest.mark.parametrize("pytest_is", ["there", "hidden"])
def test_checks_fail_without_assert_and_without_pytest(pytest_is: str, tmp_path: Path) -> None:
    """`python -O` leaves asserts out, and a check still fails with its sentence."""
    code = """
import sys
import barstack as bs
from barstack.testing import fail
if sys.argv[1] == "hidden":
    sys.modules["pytest"] = None
try:
    fail("A sentence.")
except BaseException as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-O", "-c", code, pytest_is], capture_output=True, text=True, check=True
    )
    expected = "Failed" if pytest_is == "there" else "AssertionError"
    assert done.stdout.strip() == f"{expected} A sentence."


def test_no_check_uses_assert() -> None:
    """But for what only tells the type checker something."""
    folder = Path(bs.__file__).with_name("testing")
    lines = [
        f"{file.name}: {line.strip()}"
        for file in sorted(folder.glob("*.py"))
        for line in file.read_text().splitlines()
        if line.strip().startswith("assert ")
    ]
    assert lines == ["_ensembles.py: assert array is not None"]


def test_names_in_a_report_tell_parts_apart() -> None:
    rsi = bs.Feature(feature="rsi")
    parts: list[Any] = [bs.Ridge(), bs.Ridge(penalty=3.0), bs.Sample(), rsi]
    names = {str(check).partition("-")[0] for part in parts for check in checks_of(part)}
    assert names == {"ridge", "ridge(penalty=3.0)", "sample", rsi.name}


def test_an_error_of_the_part_names_the_check() -> None:
    def raises(subject: Subject) -> None:
        raise ZeroDivisionError("no bars")

    for each in checks_of(Check("broken", "warn", "nothing", raises)):
        with pytest.raises(Exception) as caught:  # noqa: PT011 (any: the note is what counts)
            each(each.part)
        assert f"{each.name} of broken ended with this error." in caught.value.__notes__
