"""Streams saved at any bar and restored, here or in another process, continue to the same bits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barstack.bars import Series
from barstack.core.arrays import Array
from barstack.core.errors import DataError
from barstack.features import Feature, FeatureSet
from barstack.testing import walk

BARS = walk(200)
PANEL = {"A": BARS, "B": walk(200, seed=1, symbol="B")}
OF_BARS = (
    *(Feature(feature=name) for name in ("rsi", "hurst", "donchian_position", "volume_above")),
    *(Feature(feature=name, timeframe="1d") for name in ("rsi", "body", "prior_high_distance")),
)
OF_PANEL = FeatureSet(features=(*OF_BARS, Feature(feature="beta"), Feature(feature="breadth")))
WITH_SERIES = FeatureSet(
    features=OF_BARS,
    series={
        "macro": Series(columns=("rate",), per_symbol=False),
        "news": Series(columns=("mood",), max_age="6h", fill=0.0, age=True),
    },
)
RESTORE = """
import sys
import numpy as np
from test_snapshots import stream_of, update
kind, folder, row = sys.argv[1], sys.argv[2], int(sys.argv[3])
stream = stream_of(kind)
stream.restore(np.load(f"{folder}/held.npz", allow_pickle=False))
np.save(f"{folder}/rest.npy", update(stream, kind, slice(row, None)))
"""


def series() -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(7)
    closes = pl.Series(BARS.closed_at[rng.choice(200, 40, replace=False)]).sort()
    known_at = closes.dt.replace_time_zone("UTC")
    return {
        "macro": pl.DataFrame({"known_at": known_at, "rate": rng.normal(size=40)}),
        "news": pl.DataFrame(
            {"known_at": known_at, "symbol": ["A", "B"] * 20, "mood": rng.normal(size=40)}
        ),
    }


def stream_of(kind: str) -> Any:
    if kind == "panel":
        return OF_PANEL.panel_stream(tuple(PANEL), BARS.length_us)
    if kind == "series":
        return WITH_SERIES.stream(BARS.length_us, "A", series())
    return FeatureSet(features=OF_BARS).stream(BARS.length_us)


def update(stream: Any, kind: str, rows: slice) -> Array:
    if kind != "panel":
        return np.asarray(stream.update(BARS.records[rows]))
    values = stream.feed({symbol: bars.records[rows] for symbol, bars in PANEL.items()})
    return np.concatenate(list(values.values()))


@pytest.mark.parametrize("kind", ["bars", "panel", "series"])
@settings(max_examples=15, deadline=None)
@given(row=st.integers(0, 200))
def test_a_stream_restored_at_any_bar_continues_to_the_same_bits(kind: str, row: int) -> None:
    stream, again = stream_of(kind), stream_of(kind)
    update(stream, kind, slice(row))
    update(again, kind, slice(200 - row))  # whatever it has seen is replaced
    again.restore(stream.snapshot())
    rest = slice(row, None)
    assert update(again, kind, rest).tobytes() == update(stream, kind, rest).tobytes()


@pytest.mark.parametrize("kind", ["panel", "series"])
def test_a_snapshot_continues_in_another_process(kind: str, tmp_path: Path) -> None:
    stream = stream_of(kind)
    update(stream, kind, slice(117))
    np.savez(tmp_path / "held.npz", **stream.snapshot())
    command = [sys.executable, "-c", RESTORE, kind, str(tmp_path), "117"]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)
    expected = update(stream, kind, slice(117, None))
    assert np.load(tmp_path / "rest.npy").tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["bars", "panel", "series"])
def test_an_array_of_another_form_is_named_and_nothing_is_restored(kind: str) -> None:
    stream, after = stream_of(kind), stream_of(kind)
    update(stream, kind, slice(100))
    held = stream.snapshot()
    for name, array in held.items():
        wrong: list[Any] = [array.astype(object), array[None], array.tolist()]
        if array.dtype == float:
            wrong.append(array.astype(np.float32))
        for each in wrong:
            with pytest.raises(DataError, match=f"'{name.split('/')[-1]}' in this snapshot is "):
                after.restore(held | {name: each})
        with pytest.raises(DataError, match=f"snapshot has no '{name.split('/')[-1]}'"):
            after.restore({other: held[other] for other in held if other != name})
    assert update(after, kind, slice(None)).tobytes() == (
        update(stream_of(kind), kind, slice(None)).tobytes()
    )
