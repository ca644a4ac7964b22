"""Figures of a run: what they draw is what the run holds; each stands alone, light and dark."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import barstack as bs
from barstack.core.errors import ConfigError
from barstack.core.forecast import REGIMES
from barstack.models import feature_shares
from barstack.models.boosting._boosting import Boosted
from barstack.reports._theme import DARK

StudyFile = Callable[..., Path]
FUNCTIONS = {name: getattr(bs.plots, name) for name in bs.plots.__all__}


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory, study_file: StudyFile) -> bs.Run:
    """Linear members, trees and a naive one; an ensemble that weighs by regime is judged."""
    folder = tmp_path_factory.mktemp("rich")
    members = ["ridge", "elastic_net", "lightgbm", "extra_trees", "naive_mean"]
    ensembles = ["regime_aware", "inverse_variance"]
    return bs.run(study_file(folder, members=members, ensembles=ensembles), runs=folder / "runs")


@pytest.fixture(scope="module")
def of_quantiles(tmp_path_factory: pytest.TempPathFactory, study_file: StudyFile) -> bs.Run:
    folder = tmp_path_factory.mktemp("quantiles")
    changes: dict[str, Any] = {"label": {"label": "quantiles", "horizons": [1]}}
    changes |= {"members": ["lightgbm"], "ensembles": ["average"]}
    return bs.run(study_file(folder, **changes), runs=folder / "runs")


DRAWN = set(FUNCTIONS) - {"fan", "quantile_shares", "learning"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_draws_or_says_why_not(name: str, rich: bs.Run) -> None:
    draw = FUNCTIONS[name]
    if name not in DRAWN:
        with pytest.raises(ConfigError, match=r"no quantiles at|no learning curve"):
            draw(rich)
        return
    light, dark = draw(rich), draw(rich, dark=True)
    assert isinstance(light, go.Figure)
    assert light.layout.title.text
    assert len(light.data) == len(dark.data) > 0
    # One entry for each name, however many panels it is drawn in.
    entries = [trace.name for trace in light.data if trace.showlegend]
    assert len(entries) == len(set(entries))
    text = dark.to_json()
    assert not [colour for colour in DARK if f'"{colour}"' in text]
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor


@pytest.mark.parametrize("name", ["fan", "quantile_shares"])
def test_quantiles(name: str, of_quantiles: bs.Run) -> None:
    assert FUNCTIONS[name](of_quantiles).data


def test_all_functions_are_public_and_take_a_run() -> None:
    own = {
        name
        for name, each in inspect.getmembers(bs.plots, inspect.isfunction)
        if each.__module__ == bs.plots.__name__ and not name.startswith("_")
    }
    assert own == set(FUNCTIONS)
    for each in FUNCTIONS.values():
        assert next(iter(inspect.signature(each).parameters)) == "run"


def test_profit_ends_where_the_evaluation_has_it(rich: bs.Run) -> None:
    for horizon in rich.evaluation.horizons:
        figure = bs.plots.equity(rich, horizon)
        (curve,) = [
            each
            for each in rich.evaluation.equity
            if (each.name, each.horizon) == ("regime_aware", horizon)
        ]
        assert figure.data[0].name == "regime_aware after costs"
        assert figure.data[0].y[-1] == pytest.approx(100 * (curve.net[-1] - 1), abs=1e-4)
    with pytest.raises(ConfigError):
        bs.plots.equity(rich, "3d")


def test_regimes_are_those_of_the_predictor(rich: bs.Run) -> None:
    figure = bs.plots.regimes(rich)
    expected = bs.load(rich.folder).regimes(rich.bars["WALK"])
    stacked = [trace for trace in figure.data if trace.stackgroup]
    drawn = np.column_stack([trace.y for trace in stacked])
    np.testing.assert_allclose(drawn, 100 * expected[list(REGIMES)].to_numpy())
    marks = [trace for trace in figure.data if trace.mode == "markers"]
    marked = np.column_stack([np.isfinite(trace.y) for trace in marks])
    assert (marked.sum(axis=1) == 1).all()
    with pytest.raises(ConfigError, match="no bars of 'SPY'"):
        bs.plots.regimes(rich, "SPY")


def test_a_run_without_regimes(finished: bs.Run) -> None:
    with pytest.raises(ConfigError, match="weighs members without regimes"):
        bs.plots.regimes(finished)


def test_what_members_look_at(rich: bs.Run) -> None:
    import lightgbm  # noqa: PLC0415

    for name in ("ridge", "elastic_net", "lightgbm", "extra_trees"):
        fitted = rich.members[name].fitted
        assert fitted is not None
        shares = feature_shares(fitted)
        assert shares is not None
        assert tuple(shares) == fitted.columns
        assert sum(shares.values()) == pytest.approx(1.0) or not any(shares.values())
        if name == "ridge":
            sizes = np.abs(fitted.learned.weights).sum(axis=1)
            assert list(shares.values()) == pytest.approx(list(sizes / sizes.sum()))
        if name == "lightgbm":  # the library's own counts of splits, of each horizon
            counts = []
            for learned in fitted.learned:
                assert isinstance(learned, Boosted)
                (native,) = learned.natives
                text = native if isinstance(native, bytes) else native.read_bytes()
                splits = lightgbm.Booster(model_str=text.decode()).feature_importance("split")
                counts.append(splits / splits.sum())
            assert list(shares.values()) == pytest.approx(list(np.mean(counts, axis=0)))
    naive = rich.members["naive_mean"].fitted
    assert naive is not None
    assert feature_shares(naive) is None
    with pytest.raises(ConfigError, match="form of naive_mean does not show what it looks at"):
        bs.plots.features(rich, "naive_mean")
    with pytest.raises(ConfigError, match=r"'rigde' has no final fit here\. Did you mean 'ridge'"):
        bs.plots.features(rich, "rigde")
    drawn = bs.plots.features(rich, "ridge", "lightgbm")
    assert [trace.name for trace in drawn.data] == ["ridge", "lightgbm"]


def test_a_figure_holds_no_markup_of_others(rich: bs.Run) -> None:
    from barstack.reports.plots import _standing  # noqa: PLC0415

    figure = _standing(go.Figure(), "<b>SPY</b>", dark=True)
    assert json.loads(figure.to_json())["layout"]["title"]["text"] == "&lt;b&gt;SPY&lt;/b&gt;"
