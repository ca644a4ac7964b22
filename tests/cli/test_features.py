"""`barstack features` and `barstack audit` as people and scripts meet them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from barstack.features import FEATURE_SETS, FEATURES


def barstack(*arguments: object, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "barstack", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code in (0, 1) else done.stderr


def test_list_tells_every_feature_and_fits_a_terminal() -> None:
    rows: list[dict[str, Any]] = json.loads(barstack("features", "list", "--json"))["features"]
    assert [row["name"] for row in rows] == FEATURES.names()
    for row in rows:
        assert row["formula"], row
        assert row["unit"], row
        assert row["inputs"], row
    assert max(map(len, barstack("features", "list").splitlines())) <= 80
    assert "rsi_14" in barstack("features", "list", "--group", "momentum")


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_a_set_has_as_many_columns_as_its_name_says(name: str) -> None:
    told = json.loads(barstack("features", "list", "--set", name, "--bar", "1h", "--json"))
    assert len(told["features"]) == int("".join(filter(str.isdigit, name)))


def test_show_and_plot(tmp_path: Path) -> None:
    shown = barstack("features", "show", "rsi", "--param", "window=21")
    assert "Wilder (1978)" in shown
    assert "21 bars" in shown
    page = tmp_path / "rsi.html"
    told = json.loads(barstack("features", "plot", "rsi", "--html", page, "--json"))
    assert told == {"page": str(page), "column": "rsi_14", "symbol": "AAPL"}
    assert "Relative strength index" in page.read_text()


def test_mistakes_are_explained() -> None:
    assert "Did you mean 'rsi'?" in barstack("features", "show", "rsii", code=2)
    assert "Write it as window=21" in barstack("features", "show", "rsi", "--param", "x", code=2)
    assert "No group 'momentun'" in barstack("features", "list", "--group", "momentun", code=2)
    assert "hourly85 is for bars of 1h" in barstack("features", "list", "--set", "hourly85", code=2)


@pytest.mark.parametrize("newest", [0, -5])
def test_a_plot_of_no_bars_is_refused(newest: int, tmp_path: Path) -> None:
    page = tmp_path / "rsi.html"
    said = barstack("features", "plot", "rsi", "--html", page, "--newest", newest, code=2)
    assert f"--newest must be 1 or more bars, got {newest}." in said
    assert not page.exists()


def test_parameters_are_told_in_full() -> None:
    spacing = "spacing=0.02000001"
    shown = barstack("features", "show", "round_number_distance", "--param", spacing)
    assert "round_number_distance_0.02000001" in shown
    assert spacing in shown
    said = barstack("features", "show", "round_number_distance", "--param", "spacing=0", code=2)
    assert "spacing must be at least 1e-06, got 0." in said


def test_audit(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        "bars: {provider: sample, start: 2026-06-01}\nfeatures: [rsi, body]\n"
        "label: {label: return, horizons: [1]}\nmembers: [ridge]\n"
    )
    assert "No leak found" in barstack("audit", study)
    assert json.loads(barstack("audit", study, "--json")) == {"leaks": []}
