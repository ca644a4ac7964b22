"""The study says which findings stop it; what only warns goes into its report and its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barstack import Run, run
from barstack.core.errors import ConfigError, DataError
from barstack.core.progress import Progress

StudyFile = Callable[..., Path]


class Heard(Progress):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def split_in_two(tmp_path: Path, study_file: StudyFile) -> Callable[..., Run]:
    """Run a study on bars with a split that nobody adjusted, at the levels given."""
    study_file(tmp_path)
    file = tmp_path / "bars" / "WALK.parquet"
    bars = pl.read_parquet(file)
    session = bars["timestamp"].dt.date()
    half = pl.when(session < session[200]).then(2.0).otherwise(1.0)
    prices = [(pl.col(name) * half).alias(name) for name in ("open", "high", "low", "close")]
    bars.with_columns(*prices, (pl.col("volume") / half).alias("volume")).write_parquet(file)

    def go(progress: Progress | None = None, **checks: str) -> Run:
        source: dict[str, Any] = {"provider": "files", "path": "bars", "checks": checks}
        study = study_file(tmp_path, bars=source)
        return run(study, runs=tmp_path / "runs", progress=progress)

    return go


def test_an_unadjusted_split_stops_a_study(
    split_in_two: Callable[..., Run], tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"(?s)WALK: The price goes from .*2:1.*checks: \{unadj"):
        split_in_two()
    assert not list((tmp_path / "runs").glob("*/report.html"))


def test_unless_the_study_says_otherwise(split_in_two: Callable[..., Run]) -> None:
    heard = Heard()
    done = split_in_two(heard, unadjusted_split="warn")
    (finding,) = [each for each in done.findings if each.check == "unadjusted_split"]
    assert finding.level == "warn"
    assert any("unadjusted_split 1 of WALK" in note for note in heard.notes)
    assert finding.to_json() in done.to_json()["findings"]
    assert finding.to_json() in json.loads((done.folder / "findings.json").read_text())
    report = (done.folder / "report.html").read_text(encoding="utf-8")
    assert (
        "unadjusted_split" in report.partition('<section id="bars"')[2].partition("</section>")[0]
    )
    assert "checks:\n    unadjusted_split: warn" in (done.folder / "study.yaml").read_text()


def test_what_is_warned_of_costs_no_second_fit(split_in_two: Callable[..., Run]) -> None:
    split_in_two(unadjusted_split="warn")
    again = split_in_two(unadjusted_split="ignore")
    assert "unadjusted_split" not in {each.check for each in again.findings}
    made = {step.name for step in again.steps if step.how == "made"}
    assert made <= {"bars", "checks", "findings", "artifact", "tables"}


def test_a_warning_can_be_made_to_stop_a_study(tmp_path: Path, study_file: StudyFile) -> None:
    source = {"provider": "files", "path": "bars", "calendar": "XNYS"}
    study = study_file(tmp_path, bars=source | {"checks": {"missing_bars": "refuse"}})
    file = tmp_path / "bars" / "WALK.parquet"
    bars = pl.read_parquet(file)
    pl.concat([bars[:50], bars[53:]]).write_parquet(file)
    # The three, and the afternoons of six Fridays, which only a walk has off.
    with pytest.raises(DataError, match="missing_bars: WALK: 39 of"):
        run(study, runs=tmp_path / "runs")


@pytest.mark.parametrize("checks", [{"gaps": "warn"}, {"price_order": "warn"}, {"jumps": "no"}])
def test_a_mistake_in_the_study_is_told_before_anything_is_read(
    tmp_path: Path, study_file: StudyFile, checks: dict[str, str]
) -> None:
    study = study_file(tmp_path, bars={"provider": "files", "path": "none", "checks": checks})
    with pytest.raises(ConfigError, match=next(iter(checks))):
        run(study, runs=tmp_path / "runs")
