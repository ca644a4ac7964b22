"""Pipelines with one mistake each, as people make them, and where the audit must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from _audit_bars import Source, frame_of
from _audit_clean import features_of, folds_of
from _audit_features import Column, draw, momentum, trend
from _audit_flow import Flow

from barstack.bars import SeriesTable
from barstack.core.times import KnownAt
from barstack.evaluation.audit import Data, Pipeline
from barstack.labels import LABELS

WALK = {"split": "walk_forward", "folds": 3}


@dataclass(frozen=True)
class Case:
    """A pipeline with a leak.

    stage, column  where it is; None where there is no column of its own
    """

    pipeline: Pipeline
    data: Data
    stage: str
    column: str | None


Builder = Callable[[np.random.Generator, Source], Case]
LEAKS: dict[str, Builder] = {}
Rows = Callable[[pd.DataFrame], "pd.Series[bool]"]  # flags of the rows of one symbol


def leak(name: str) -> Callable[[Builder], Builder]:
    """Enter a mistake under its name."""

    def enter(builder: Builder) -> Builder:
        LEAKS[name] = builder
        return builder

    return enter


@dataclass
class Draft:
    """An honest pipeline on intraday bars, to spoil."""

    data: Data
    columns: dict[str, Column]
    label: Any
    split: dict[str, Any]
    flow: Flow
    memory: int = 300

    def case(self, stage: str, column: str | None = None, **parts: Any) -> Case:
        """The case that is left; `parts` take the place of its functions."""
        label = self.label
        given: dict[str, Any] = {
            "features": features_of(self.columns),
            "labels": lambda data: label.compute(data.panel),
            "folds": folds_of(self.split, self.memory),
            "fit": self.flow.fit,
        } | parts
        return Case(Pipeline(**given), self.data, stage, column)


def draft(
    rng: np.random.Generator,
    source: Source,
    *,
    symbols: int | None = None,
    horizon: int | None = None,
    kind: str | None = None,
    rows: int = 1300,
) -> Draft:
    """Drawn by the seed: symbols, features, label and split."""
    data = source.draw(rng, symbols=symbols, rows=rows)
    horizon = horizon or int(rng.integers(3, 13))
    kinds = ("return", "direction", "three_class")
    label: dict[str, Any] = {"label": kind or kinds[int(rng.integers(3))], "horizons": [horizon]}
    splits = (WALK, {"split": "walk_forward", "folds": 2}, {"split": "chronological"})
    columns = draw(rng, data, count=4)
    return Draft(data, columns, LABELS.parse(label), splits[int(rng.integers(3))], Flow())


def column(
    name: str, made: Column, *, symbols: int | None = None, rows: Rows | None = None
) -> None:
    """A mistake in one column of the features.

    rows  which rows leak; bars that have none are drawn again, as nothing would be planted
    """

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, symbols=symbols)
        while rows and not any(rows(frame_of(own)).any() for own in made_of.data.panel.values()):
            made_of = draft(rng, source, symbols=symbols)
        made_of.columns[name.replace(" ", "_")] = made
        return made_of.case("features", name.replace(" ", "_"))

    LEAKS[name] = builder


def scoped(
    name: str, stage: str, scope: str, *, honest: bool = False, kind: str | None = None
) -> None:
    """A stage that learns from rows it must not see, and says so or not."""

    def builder(rng: np.random.Generator, source: Source) -> Case:
        made_of = draft(rng, source, kind=kind)
        flow = replace(
            made_of.flow,
            stages=_with(stage, rng),
            scope={stage: scope},
            honest=frozenset([stage] if honest else []),
        )
        return replace(made_of, flow=flow).case(stage)

    LEAKS[name] = builder


def _with(stage: str, rng: np.random.Generator) -> tuple[str, ...]:
    """The stages that every flow needs, one of interest, and some others."""
    optional = ("winsoriser", "pca", "target encoding", "weights", "tuning", "early stopping")
    others = rng.choice(optional, 3, replace=False)
    return ("imputer", "scaler", "member", "meta_learner", "conformal", stage, *others)


scoped("full-sample scaler", "scaler", "all")
scoped("imputing with the mean of all rows", "imputer", "all")
scoped("winsorising by quantiles of all rows", "winsoriser", "all")
scoped("PCA on all rows", "pca", "all")
scoped("feature selection on all rows", "selection", "all")
scoped("target encoding on all rows", "target encoding", "all")
scoped("threshold quantiles on all data", "thresholds", "all", kind="return")
scoped("sample weights from test labels", "weights", "all")
scoped("tuning on the test", "tuning", "test")
scoped("tuning on all rows", "tuning", "all")
scoped("early stopping on the test", "early stopping", "test")
scoped("member trained on all rows", "member", "all")
scoped("meta-learner fitted on the test", "meta_learner", "test", honest=True)
scoped("conformal calibrated on the test", "conformal", "test")
scoped("conformal calibrated on the test, and says so", "conformal", "test", honest=True)


@leak("stacker trained on early-stopping rows")
def _stacker(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    flow = Flow(scope={"meta_learner": "stop"}, honest=frozenset(["meta_learner"]))
    return replace(made_of, flow=flow).case("meta_learner", "early stopping")


@leak("overlap at an early-stopping edge")
def _blurred(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    flow = Flow(stages=("imputer", "scaler", "early stopping", "member"), blur=True)
    return replace(made_of, flow=flow).case("member boosted", "early stopping")


@leak("trained through later than it says")
def _claim(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    flow = Flow(claims={"scaler": np.timedelta64(-1, "D")})
    return replace(made_of, flow=flow).case("scaler", "trained_through")


@leak("test scaled by itself")
def _batch(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)
    return replace(made_of, flow=Flow(batch=True)).case("forecast")


def labels_with(change: Callable[[Any, Data], Any]) -> Callable[[Any], Callable[[Data], Any]]:
    """Labels of a draft, changed."""
    return lambda label: lambda data: change(label.compute(data.panel), data)


@leak("quantile classes of all returns")
def _classes(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, kind="return")

    def classes(table: Any, data: Data) -> Any:
        low, high = np.nanquantile(table.returns, [0.3, 0.7])
        side = 1.0 + (table.returns > high) - (table.returns < low)
        return replace(table, values=np.where(np.isnan(table.returns), np.nan, side))

    return made_of.case("labels", labels=labels_with(classes)(made_of.label))


@leak("labels scaled by the volatility of all data")
def _scaled_labels(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, kind="return")

    def scaled(table: Any, data: Data) -> Any:
        return replace(table, values=table.values / np.nanstd(table.values))

    return made_of.case("labels", labels=labels_with(scaled)(made_of.label))


@leak("label known a bar too early")
def _early(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)

    def early(table: Any, data: Data) -> Any:
        length = np.timedelta64(next(iter(data.panel.values())).length_us, "us")
        return replace(table, known_at=KnownAt(table.known_at - length))

    return made_of.case("labels", labels=labels_with(early)(made_of.label))


@leak("label known at once")
def _at_once(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source)

    def at_once(table: Any, data: Data) -> Any:
        known = np.where(
            np.isnat(table.known_at), table.known_at, table.decisions.decided_at[:, None]
        )
        return replace(table, known_at=KnownAt(known))

    return made_of.case("labels", labels=labels_with(at_once)(made_of.label))


@leak("barriers of the width of all data")
def _wide(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, horizon=8)

    def widths(data: Data) -> Any:
        steps = [np.diff(np.log(bars.close)) for bars in data.panel.values()]
        width = 1e4 * 2.0 * float(np.std(np.concatenate(steps)))
        label = {"label": "triple_barrier", "horizons": [8], "unit": "bps"}
        return LABELS.parse(label | {"upper": width, "lower": width}).compute(data.panel)

    return made_of.case("labels", labels=widths)


@leak("a vendor's column that is the next return")
def _vendor(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1)
    (bars,) = made_of.data.panel.values()
    steps = np.append(bars.close[1:] / bars.close[:-1] - 1.0, np.nan)
    return _told_early(made_of, bars, steps, "vendor")


@leak("a vendor's column that knows the label")
def _vendor_label(rng: np.random.Generator, source: Source) -> Case:
    made_of = draft(rng, source, symbols=1, horizon=6)
    (bars,) = made_of.data.panel.values()
    ahead = np.full(len(bars), np.nan)
    ahead[:-6] = bars.close[6:] / bars.close[:-6] - 1.0
    ahead += np.nanstd(ahead) * rng.normal(size=len(ahead))
    return _told_early(made_of, bars, ahead, "vendor")


def _told_early(made_of: Draft, bars: Any, numbers: Any, name: str) -> Case:
    told = SeriesTable(
        ("number",),
        None,
        np.zeros(len(bars), np.int32),
        KnownAt(np.array(bars.closed_at)),
        np.nan_to_num(numbers)[:, None],
        bars.closed_at[0],
    )
    made_of.data = Data(made_of.data.panel, {**made_of.data.series, name: told})

    def joined(frame: Any, data: Data) -> Any:
        values, _ = data.series[name].as_of("", np.asarray(frame.index, "datetime64[us]"))  # type: ignore[arg-type]
        return frame["close"] * 0.0 + values[:, 0]

    made_of.columns[name] = joined
    return made_of.case("features", name)


def steady(length: int = 10) -> dict[str, Column]:
    """Features that forget soon."""
    return {"momentum": momentum(length), "momentum_3": momentum(3), "trend": trend(length)}
