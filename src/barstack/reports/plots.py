"""Figures of a run, those of its report among them, to show in a notebook or to change further.

Every function takes a run and returns a figure of plotly. `horizon` is by default the one of the
verdict; `dark` draws for a dark page.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from barstack.core.errors import ConfigError, did_you_mean
from barstack.core.horizon import Horizon
from barstack.experiments import Run
from barstack.forecasting import Predictor
from barstack.models import feature_shares

from . import _charts, _combining_charts, _member_charts, _quantile_charts, _run_charts
from ._theme import DARK, INK, PAPER, escaped, looks

if TYPE_CHECKING:
    from barstack.evaluation import Evaluation

__all__ = [
    "accuracy",
    "calibration",
    "contributions",
    "correlation",
    "disagreement",
    "equity",
    "fan",
    "features",
    "gains",
    "learning",
    "members_shuffled",
    "quantile_shares",
    "regime_weights",
    "regimes",
    "weights",
]

Chart = Callable[["Evaluation", str], "go.Figure | None"]


def equity(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Cumulative profit of the judged ensemble, after costs and before, and of holding.

    Those of all other forecasters are in the legend, hidden at first.
    """
    return _drawn(run, horizon, _charts.equity, "Cumulative profit", "no profits over time", dark)


def accuracy(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Directional accuracy in each fold, of the judged ensemble and the members."""
    return _drawn(
        run, horizon, _charts.fold_accuracy, "Directional accuracy by fold", "no accuracies", dark
    )


def calibration(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Forecasts against what was realised, by deciles of the forecast; 95 % intervals."""
    return _drawn(
        run,
        horizon,
        _charts.calibration,
        "Forecast and realised",
        "forecasts that do not differ, so that there is nothing to compare",
        dark,
    )


def weights(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Weights of the members over time: before each fold, and in the final fit."""
    return _drawn(
        run, horizon, _member_charts.weights, "Weights of the members", "no weights", dark
    )


def regime_weights(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Mean weights of the members while each regime was likely."""
    return _drawn(
        run,
        horizon,
        _combining_charts.regime_weights,
        "Weights by regime",
        "no ensemble that weighs members by regime",
        dark,
    )


def gains(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """By how much each ensemble's loss lies below equal weights, the best member and so on."""
    return _drawn(run, horizon, _combining_charts.gains, "Gains of combining", "no gains", dark)


def contributions(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Shapley value of each member, and what it adds to all the others."""
    return _drawn(
        run,
        horizon,
        _combining_charts.contributions,
        "What each member contributes",
        "no contributions",
        dark,
    )


def members_shuffled(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Rise of each ensemble's loss when the forecasts of one member are shuffled."""
    return _drawn(
        run,
        horizon,
        _combining_charts.importances,
        "Importance of each member",
        "no importances of members",
        dark,
    )


def correlation(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Correlations of the members' forecasts with one another."""
    return _drawn(
        run,
        horizon,
        _member_charts.correlation,
        "Correlation of forecasts",
        "one member only, or forecasts that do not vary",
        dark,
    )


def disagreement(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Share of decisions at which two members take opposite sides."""
    return _drawn(
        run, horizon, _combining_charts.disagreement, "Disagreement", "one member only", dark
    )


def fan(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Forecast quantiles of the newest decisions, and the realised returns."""
    return _drawn(
        run, horizon, _quantile_charts.fan, "Quantiles, newest decisions", "no quantiles", dark
    )


def quantile_shares(run: Run, horizon: str | None = None, *, dark: bool = False) -> go.Figure:
    """Share of outcomes below each forecast quantile, which should be its level."""
    return _drawn(
        run, horizon, _quantile_charts.shares, "Calibration of quantiles", "no quantiles", dark
    )


def learning(run: Run, *, dark: bool = False) -> go.Figure:
    """Losses of each network by epoch, a line for each fold."""
    found = _member_charts.learning(run.fits())
    if found is None:
        raise ConfigError("No member of this run is a network, so there is no learning curve.")
    return _standing(found, "Learning curves", dark)


def features(run: Run, *members: str, dark: bool = False) -> go.Figure:
    """What the final fits look at: each feature's share of a linear model's weights or of splits.

    It says what a member looks at, and not whether that helps. `members` are by default all whose
    form shows it: linear models, trees and boosting.
    """
    known = run.artifact.members
    for name in members:
        if name not in known:
            raise ConfigError(f"{name!r} has no final fit here. {did_you_mean(name, known)}")
    found = {name: feature_shares(known[name]) for name in members or known}
    shares = {name: each for name, each in found.items() if each is not None}
    if not shares:
        raise ConfigError(
            f"The form of {', '.join(found)} does not show what it looks at. Linear models, "
            "trees and boosting do."
        )
    look = looks(run.evaluation)
    colours = {name: look[name].color for name in shares}
    return _standing(_run_charts.feature_bars(shares, colours), "Features looked at", dark)


def regimes(run: Run, symbol: str | None = None, *, dark: bool = False) -> go.Figure:
    """Closes marked by the likeliest regime, and the probability of each, as the artifact has them.

    The detector was fitted on all bars, so this is no forecast. symbol  by default the first.
    """
    bars = run.bars
    name = next(iter(bars)) if symbol is None else symbol
    if name not in bars:
        raise ConfigError(f"This run has no bars of {name!r}. {did_you_mean(name, bars)}")
    if run.artifact.detector is None:
        raise ConfigError(
            "The judged ensemble weighs members without regimes, so this run has none. Judge one "
            "that does, such as regime_aware."
        )
    found = Predictor(run.artifact).regimes(bars)
    own = found[found["symbol"] == name].iloc[:, 2:].to_numpy()
    return _standing(_run_charts.regimes_over_prices(bars[name], own), f"Regimes of {name}", dark)


def _drawn(
    run: Run, horizon: str | None, chart: Chart, title: str, lacking: str, dark: bool
) -> go.Figure:
    """The report's chart at a horizon; `ConfigError` where the run has nothing to draw."""
    evaluation = run.evaluation
    name = run.verdict.horizon if horizon is None else evaluation.horizon_called(horizon)
    found = chart(evaluation, name)
    if found is None:
        raise ConfigError(f"This run has {lacking} at {name}.")
    return _standing(found, f"{title}, {Horizon.parse(name).in_words} ahead", dark)


def _standing(figure: go.Figure, title: str, dark: bool) -> go.Figure:
    """The figure with what the report's page has around it: title, legend and ground."""
    named = set()
    for trace in figure.data:
        group = trace.legendgroup or trace.name
        trace.showlegend = bool(group) and trace.showlegend is not False and group not in named
        named.add(group)
    figure.update_layout(
        title={
            **{"text": escaped(title), "font": {"size": 16, "color": INK}},
            **{"x": 0, "xref": "container", "y": 1, "yref": "container", "yanchor": "top"},
            "pad": {"t": 14, "l": 16},
        },
        showlegend=len(named) > 1,
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}
        | {"itemsizing": "constant"},
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        height=(figure.layout.height or 400) + 90,
        margin={"l": 16, "r": 16, "t": 56 + (figure.layout.margin.t or 0), "b": 70},
    )
    figure.update_xaxes(fixedrange=False)
    figure.update_yaxes(fixedrange=False)
    if not dark:
        return figure
    text = figure.to_json()
    for light, partner in DARK.items():
        text = text.replace(f'"{light}"', f'"{partner}"')
    return go.Figure(json.loads(text))
