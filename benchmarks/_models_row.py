"""One live row: a five-member stack by carried state, beside its members asked one after the other.

LightGBM, XGBoost, CatBoost, LSTM and TCN at reference sizes on the 52 features, three horizons.
A new row of features comes, and a forecast is wanted: `LiveEnsemble.update` keeps the row and moves
states by one step, as a stream does after `fast()`. What a user would write instead is
`FittedModel.predict` of each for a table of the latest rows. Timed too are the compiled forms of
whole windows, and the libraries by themselves, of rows already scaled. All take turns in one run.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from barstack.bars import BarFormat
from barstack.core.arrays import Rows
from barstack.core.decisions import Decisions
from barstack.core.forecast import Forecast
from barstack.core.times import DecidedAt
from barstack.datasets import Dataset
from barstack.ensembles import ENSEMBLES, FittedEnsemble
from barstack.features import FeatureTable, named_set
from barstack.forecasting import LiveEnsemble, OneRowEnsemble, TrainedEnsemble
from barstack.labels import LABELS
from barstack.models import MODELS, FittedModel, OneRow, train
from barstack.worlds import WORLDS

LOOKBACK, TREES, TIMED, COMPARED = 60, 300, 400, 1000
MEMBERS: dict[str, dict[str, Any]] = {
    "lightgbm": {"trees": TREES, "patience": TREES, "learning_rate": 0.004},
    "xgboost": {"trees": TREES, "patience": TREES, "learning_rate": 0.004},
    "catboost": {"trees": TREES, "patience": TREES, "learning_rate": 0.004},
    "lstm": {"lookback": LOOKBACK, "epochs": 2},
    "tcn": {"lookback": LOOKBACK, "epochs": 2},
}


def row(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    trained, table = stack(options)
    began = time.perf_counter()
    fast = OneRowEnsemble.fast(trained)
    compile_s = time.perf_counter() - began
    newest = np.arange(len(table.values) - COMPARED, len(table.values))
    windows = [table.values[end - LOOKBACK + 1 : end + 1] for end in newest]
    batch = trained.forecast(table, newest, kind="in_sample")
    live = begun(fast, table, newest[0])
    differences = {
        form: away(found, batch)
        for form, found in {
            "update": [live.update(table.values[end]) or {} for end in newest],
            "window": [fast.predict(window) for window in windows],
        }.items()
    }
    tables = [latest(table, end) for end in newest[:TIMED]]
    last = np.array([LOOKBACK - 1])
    members = trained.members.values()
    sides: dict[str, Callable[[int], Any]] = {
        "update": updates(fast, table, newest),
        "window": lambda at: fast.predict(windows[at]),
        "members": lambda at: [each.predict(tables[at], last) for each in members],
        "libraries": libraries(trained.members, windows[:TIMED]),
    }
    for name, one in fast.members.items():
        alone = replace(trained, members={name: trained.members[name]}, ensemble=of_one(name))
        sides[f"update {name}"] = updates(OneRowEnsemble(alone, {name: one}), table, newest)
        sides[f"window {name}"] = partial(_window, one, windows)
        sides[f"member {name}"] = partial(_asked, trained.members[name], tables, last)
    for ask in sides.values():
        ask(0)
    cold = in_turns({name: sides[name] for name in ("update", "members")}, turn=1)
    times = in_turns(sides, turn=25)
    for side, us in times.items():
        print(f"{side:20}", "   ".join(f"{what} {of:8.1f} us" for what, of in us.items()))
    ratio = {at: times["members"][at] / each for at, each in times["update"].items()}
    bars = {
        "stack_row_speedup": {"value": round(ratio["cpu_p50"], 2), "at_least": 5.0},
        "stack_row_difference": {"value": differences["update"][trained.name], "at_most": 1e-6},
    }
    figures = {
        "speedup_p50": round(ratio["p50"], 2),
        "speedup_p99": round(ratio["p99"], 2),
        "speedup_of_window": round(times["members"]["cpu_p50"] / times["window"]["cpu_p50"], 2),
        "speedup_cold_cache": round(cold["members"]["cpu_p50"] / cold["update"]["cpu_p50"], 2),
        "microseconds_cold_cache": cold,
        "speedup_of_libraries": round(
            times["libraries"]["cpu_p50"] / times["update"]["cpu_p50"], 2
        ),
        "compile_s": round(compile_s, 1),
        "how": {name: one.how for name, one in fast.members.items()},
        "microseconds": times,
        "differences_of_deviation": differences,
        "trees": {
            name: [len(one.trees.first) - 1 for one in each.learned]
            for name, each in trained.members.items()
            if isinstance(each.learned, list)
        },
    }
    return bars, figures


def begun(one_row: OneRowEnsemble, table: FeatureTable, before: int) -> LiveEnsemble:
    """A live ensemble that has forecast the row before `before`."""
    live = LiveEnsemble(one_row)
    live.take(table.values[before - LOOKBACK : before])
    live.forecast()
    return live


def updates(one_row: OneRowEnsemble, table: FeatureTable, newest: Rows) -> Callable[[int], Any]:
    """Rows come one after the other, whichever is asked for: one step each, as in a stream."""
    live, rows = begun(one_row, table, newest[0]), itertools.cycle(table.values[newest])
    return lambda _: live.update(next(rows))


def away(found: list[Any], batch: dict[str, Forecast]) -> dict[str, float]:
    """Of the ensemble and each member, the largest difference from a batch, in its deviations."""
    largest = {}
    for name, said in batch.items():
        differences = np.abs(np.array([each[name] for each in found]) - said.values)
        largest[name] = float((differences.max(axis=0) / said.values.std(axis=0)).max())
    return largest


def of_one(name: str) -> FittedEnsemble:
    """One member as it is."""
    through = np.datetime64("1970-01-01", "us")
    return FittedEnsemble(ENSEMBLES.parse("average"), np.ones((3, 1)), (name,), through)


def _window(one: OneRow, windows: list[Any], at: int) -> Any:
    return one.predict(windows[at])


def _asked(one: FittedModel, tables: list[FeatureTable], last: Rows, at: int) -> Any:
    return one.predict(tables[at], last)


def stack(options: Any) -> tuple[TrainedEnsemble, FeatureTable]:
    """The trained stack, and the features of all bars."""
    world = WORLDS.parse(
        {"world": "interaction", "bars": options.bars, "r2": 0.3, "seed": options.seed}
    )
    (bars,) = world.make().panel.values()
    features = named_set("stack52", bars.length_us)
    labels = LABELS.parse({"label": "return", "horizons": [1, 4, 24]}).compute(bars)
    dataset = Dataset(features.compute(bars), labels)
    rows = np.flatnonzero(~np.isnat(dataset.labels.all_known_at) & dataset.usable)
    members = {
        name: train(MODELS.parse({"model": name} | settings), dataset, rows, options.seed)
        for name, settings in MEMBERS.items()
    }
    through = max(each.trained_through for each in members.values())
    average = ENSEMBLES.parse("average")
    weights = np.full((3, len(members)), 1.0 / len(members))
    fitted = FittedEnsemble(average, weights, tuple(members), through)
    about = BarFormat(length_us=bars.length_us, symbols=(bars.symbol,))
    return TrainedEnsemble(features, labels.target, members, fitted, about), dataset.features


def latest(table: FeatureTable, end: int) -> FeatureTable:
    """The rows that one forecast needs, as a user holds them live."""
    rows = np.arange(end - LOOKBACK + 1, end + 1)
    own = np.zeros(LOOKBACK, np.int32)
    times = DecidedAt(table.decisions.decided_at[rows])
    decisions = Decisions(table.decisions.symbols, own, times)
    return FeatureTable(decisions, table.columns, table.values[rows])


def libraries(members: dict[str, FittedModel], windows: list[Any]) -> Callable[[int], Any]:
    """Each library's own predict, of scaled rows made before the clock starts."""
    import torch  # noqa: PLC0415 (only here)

    torch.set_num_threads(1)
    asked: list[tuple[Callable[[Any], Any], list[Any]]] = []
    for name, fitted in members.items():
        scaled = [fitted.scaler.apply(window) for window in windows]
        if isinstance(fitted.learned, list):
            for one in fitted.learned:
                (native,) = fitted.model.revive(one)  # type: ignore[attr-defined]  # boosters all
                if name == "xgboost":
                    native.set_param("nthread", 1)
                ask = {
                    "lightgbm": lambda x, b=native: b.predict(x, num_threads=1),
                    "xgboost": lambda x, b=native: b.inplace_predict(x),
                    "catboost": lambda x, b=native: b.predict(x, thread_count=1),
                }[name]
                asked.append((ask, [each[-1:].copy() for each in scaled]))
        else:
            asked.append(
                (fitted.learned.raw, [torch.from_numpy(x.astype(np.float32))[None] for x in scaled])
            )

    def all_of_them(at: int) -> None:
        with torch.inference_mode():
            for ask, inputs in asked:
                ask(inputs[at])

    return all_of_them


def in_turns(sides: dict[str, Callable[[int], Any]], turn: int) -> dict[str, dict[str, float]]:
    """Microseconds of each, all asked about the same rows before the next, `turn` rows at a time.

    With turns of one row each finds the processor's cache full of what the others left there.

    cpu_p50   computed for, which a busy machine changes little
    p50, p99  by the wall's clock
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for start in range(0, TIMED, turn):
        for name, ask in sides.items():
            if turn > 1:
                ask(start)
            for at in range(start, start + turn):
                wall, cpu = time.perf_counter(), time.process_time()
                ask(at)
                cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
                times[name].append((cpu * 1e6, wall * 1e6))
    found = {}
    for name, each in times.items():
        cpus, walls = np.array(each).T
        percentiles = (np.median(cpus), *np.percentile(walls, [50, 99]))
        numbers = (round(float(us), 1) for us in percentiles)
        found[name] = dict(zip(("cpu_p50", "p50", "p99"), numbers, strict=True))
    return found
