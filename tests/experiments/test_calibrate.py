"""`bs.calibrate`: what a study finds on worlds like its own bars."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import barstack as bs
from barstack.core.errors import ConfigError
from barstack.testing import small_study, walk
from barstack.worlds import world_like


def test_worlds_keep_times_and_sizes_and_are_martingales() -> None:
    own = walk(4_000)
    totals = []
    for seed in range(8):
        made = world_like(own, seed)
        np.testing.assert_array_equal(made.closed_at, own.closed_at)
        np.testing.assert_array_equal(made.records["volume"], own.records["volume"])
        low, high = made.records["low"], made.records["high"]
        for name in ("open", "close"):
            assert ((low <= made.records[name]) & (made.records[name] <= high)).all()
        moves = made.close[1:] / made.close[:-1] - 1.0
        usual = np.abs(own.close[1:] / own.close[:-1] - 1.0)
        np.testing.assert_allclose(np.abs(moves), usual, rtol=0.03, atol=1e-5)
        totals.append(moves.sum() / np.sqrt((moves**2).sum()))
    assert np.abs(np.mean(totals)) < 4.0 / np.sqrt(8)
    assert np.std(totals) < 2.5


@pytest.mark.parametrize("span", [1, 4])
def test_a_planted_signal_has_its_strength(span: int) -> None:
    """Where all moves are equally large, the directions are all there is."""
    own = walk(6_000)
    records = own.records.copy()
    close = 100.0 * np.exp(np.cumsum(np.where(np.arange(6_000) % 2, 0.001, -0.001)))
    opened = np.concatenate([[100.0], close[:-1]])
    records["open"], records["close"] = opened, close
    records["high"], records["low"] = np.maximum(opened, close), np.minimum(opened, close)
    flat = bs.Bars("FLAT", own.length_us, records)
    found = []
    for seed in range(12):
        path = np.log(world_like(flat, seed, r2=0.04, horizon_bars=span).close)
        past, ahead = path[span:-span] - path[: -2 * span], path[2 * span :] - path[span:-span]
        found.append(np.corrcoef(past, ahead)[0, 1])
    error = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0.2, abs=4.0 * error + 0.01)


def test_a_calibration_goes_on_and_counts(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    runs = tmp_path / "runs"
    options = {"folder": tmp_path, "runs": runs, "engine": "serial", "r2": 0.05}
    first = bs.calibrate(study, worlds=1, **options)  # type: ignore[arg-type]
    (kept,) = (runs / "calibration").iterdir()
    lines = kept.read_text().splitlines()
    assert len(lines) == 2
    kept.write_text("\n".join(lines) + '\n["cut o')
    kept.write_text(kept.read_text() + "\n")
    more = bs.calibrate(study, worlds=2, **options)  # type: ignore[arg-type]
    assert (first.found.of, more.found.of, more.fooled.of) == (1, 2, 2)
    assert kept.read_text().splitlines()[:2] == lines
    assert "2 worlds" in more.sentence
    assert not more.errors
    assert json.loads(json.dumps(more.to_json()))["found"]["of"] == 2


def test_wrong_use(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    for wrong in ({"worlds": 0}, {"r2": 1.5}):
        with pytest.raises(ConfigError):
            bs.calibrate(study, folder=tmp_path, runs=tmp_path, engine="serial", **wrong)
