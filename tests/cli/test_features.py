"""`barstack features` and `barstack audit` as people and scripts meet them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Barstack

from barstack.features import FEATURE_SETS, FEATURES


def test_list_tells_every_feature_and_fits_a_terminal(barstack: Barstack) -> None:
    rows: list[dict[str, Any]] = barstack("features", "list", "--json", code=0).json["features"]
    assert [row["name"] for row in rows] == FEATURES.names()
    for row in rows:
        assert row["formula"], row
        assert row["unit"], row
        assert row["inputs"], row
    assert max(map(len, barstack("features", "list", code=0).out.splitlines())) <= 80
    assert "rsi_14" in barstack("features", "list", "--group", "momentum", code=0).out


@pytest.mark.parametrize("name", FEATURE_SETS)
def test_a_set_has_as_many_columns_as_its_name_says(barstack: Barstack, name: str) -> None:
    answer = barstack("features", "list", "--set", name, "--bar", "1h", "--json", code=0).json
    assert len(answer["features"]) == int("".join(filter(str.isdigit, name)))


def test_show_and_plot(barstack: Barstack, tmp_path: Path) -> None:
    shown = barstack("features", "show", "rsi", "--param", "window=21", code=0).out
    assert "Wilder (1978)" in shown
    assert "21 bars" in shown
    page = tmp_path / "rsi.html"
    answer = barstack("features", "plot", "rsi", "--html", page, "--json", code=0).json
    assert answer == {"page": str(page), "column": "rsi_14", "symbol": "AAPL"}
    assert "Relative strength index" in page.read_text()


def test_mistakes_are_explained(barstack: Barstack) -> None:
    assert "Did you mean 'rsi'?" in barstack("features", "show", "rsii", code=2).err
    assert (
        "Write it as window=21" in barstack("features", "show", "rsi", "--param", "x", code=2).err
    )
    assert "No group 'momentun'" in barstack("features", "list", "--group", "momentun", code=2).err
    assert (
        "hourly85 is for bars of 1h"
        in barstack("features", "list", "--set", "hourly85", code=2).err
    )


@pytest.mark.parametrize("newest", [0, -5])
def test_a_plot_of_no_bars_is_refused(barstack: Barstack, newest: int, tmp_path: Path) -> None:
    page = tmp_path / "rsi.html"
    message = barstack("features", "plot", "rsi", "--html", page, "--newest", newest, code=2).err
    assert f"--newest must be 1 or more bars, got {newest}." in message
    assert not page.exists()


def test_parameters_are_told_in_full(barstack: Barstack) -> None:
    spacing = "spacing=0.02000001"
    shown = barstack("features", "show", "round_number_distance", "--param", spacing, code=0).out
    assert "round_number_distance_0.02000001" in shown
    assert spacing in shown
    message = barstack(
        "features", "show", "round_number_distance", "--param", "spacing=0", code=2
    ).err
    assert "spacing must be at least 1e-06, got 0." in message


def test_audit(barstack: Barstack, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        "bars: {provider: sample, start: 2026-06-01}\nfeatures: [rsi, body]\n"
        "label: {label: return, horizons: [1]}\nmembers: [ridge]\n"
    )
    assert "No leak found" in barstack("audit", study, code=0).out
    assert barstack("audit", study, "--json", code=0).json["leaks"] == []
