"""Plugins that misbehave, one by one: each must be answered by one sentence that names it.

Every plugin is a package of its own with an entry point, and a study that uses it runs as the
command line runs it. It must end with the exit code that docs/plugins.md gives, without a
traceback, with a sentence that has the part's kind, name and package, and with nothing published.
Series are no plugins but tables of others: their sentence has the series' name and file.

    python benchmarks/_doors_plugins.py          prints every case and what it was told
    python benchmarks/_doors_plugins.py NAME     those whose name holds NAME
"""

from __future__ import annotations

import io
import os
import signal
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import yaml

import barstack.experiments  # noqa: F401 (before the first child)
from barstack.cli import main
from barstack.testing import walk

WRONG, INTERRUPTED = 2, 130
PACKAGE = "odd_parts"
LONGEST_S = 60

HEAD = """
import json
import numpy as np
import polars as pl
import barstack as bs
from pathlib import Path
from barstack.bars import Provider, register as provider
from barstack.datasets import Scaler
from barstack.datasets._scaler import register as scaler
from barstack.ensembles import Ensemble, register as ensemble
from barstack.labels import Label, Outcome, ReturnLabel, register as label
from barstack.models import Model, register as model
from barstack.splits import Span, Splitter, register as splitter
"""

# A part of each kind that does as it should; cases replace one of its methods.
WHOLE = {
    "model": """
class Whole(Model):
    def fit(self, train, stop, target, seed):
        return {"mean": train.y.mean(axis=0)}
    def predict(self, learned, inputs, target):
        return np.tile(learned["mean"], (len(inputs), 1))[:, :, None]
    def save(self, learned, folder):
        (folder / "mean.json").write_text(json.dumps(learned["mean"].tolist()))
    def load(self, folder, target):
        return {"mean": np.array(json.loads((folder / "mean.json").read_text()))}
""",
    "label": """
class Whole(ReturnLabel):
    def encode(self, returns, bars, horizon):
        return returns
""",
    "split": """
class Whole(Splitter):
    def spans(self, n_times):
        edges = np.linspace(n_times // 2, n_times, 4).astype(int)
        return [Span(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:])]
""",
    "ensemble": """
class Whole(Ensemble):
    def fit(self, stacked):
        n_members = len(stacked.members)
        return np.full((len(stacked.target.horizons), n_members), 1.0 / n_members)
    def predict(self, learned, stacked):
        return stacked.forecasts.mean(axis=1)
    def weights(self, learned):
        return learned
    def save(self, learned, folder):
        (folder / "weights.json").write_text(json.dumps(learned.tolist()))
    def load(self, folder):
        return np.array(json.loads((folder / "weights.json").read_text()))
""",
    "scaler": """
class Whole(Scaler):
    learns = ("centre", "scale")
    def learn(self, values, rows):
        return {"centre": values[rows].mean(axis=0), "scale": values[rows].std(axis=0)}
    def apply(self, values, learned):
        return (values - learned["centre"]) / learned["scale"]
""",
    "provider": """
class Whole(Provider):
    def read(self, folder):
        bars = pl.read_parquet(folder / "WALK.parquet")
        return {"WALK": bars}
""",
}
DECORATOR = {
    "model": '@model("odd", family="classical", tasks=("return", "direction"))',
    "label": '@label("odd", task="{task}")',
    "split": '@splitter("odd")',
    "ensemble": '@ensemble("odd")',
    "scaler": '@scaler("odd")',
    "provider": '@provider("odd")',
}
ARGUMENTS = {
    "fit": "self, train, stop, target, seed",
    "predict": "self, learned, inputs, target",
    "save": "self, learned, folder",
    "load": "self, folder, target",
    "curves": "self, learned",
    "encode": "self, returns, bars, horizon",
    "outcome": "self, bars, horizon",
    "spans": "self, n_times",
    "weights": "self, learned",
    "learn": "self, values, rows",
    "apply": "self, values, learned",
    "read": "self, folder",
}
OF_ENSEMBLES = {
    "fit": "self, stacked",
    "predict": "self, learned, stacked",
    "save": "self, learned, folder",
    "load": "self, folder",
}
OUTCOME = """
from barstack.labels import forward_return
found = ReturnLabel.outcome(self, bars, horizon)
"""


class Case(NamedTuple):
    """One plugin.

    name   says what is wrong with it
    kind   as a study names it
    place  the method that is replaced
    code   what stands there instead
    rc     exit code
    task   of the study's label
    """

    name: str
    kind: str
    place: str
    code: str
    rc: int = WRONG
    task: str = "return"


def _cases(kind: str, task: str = "return", rc: int = WRONG, **codes: str) -> list[Case]:
    """`place__what` to the code of that method."""
    return [
        Case(f"{kind} {name}", kind, name.split("__")[0], code, rc, task)
        for name, code in codes.items()
    ]


CASES = [
    *_cases(
        "model",
        fit__returns_nothing="pass",
        fit__raises_key_error="raise KeyError('close')",
        fit__recurses="return self.fit(train, stop, target, seed)",
        fit__memory_error="raise MemoryError",
        fit__leaves="raise SystemExit(0)",
        fit__asserts="assert len(train) < 0",
        fit__text_fails=(
            "class Mute(Exception):\n    def __str__(self): raise ValueError\nraise Mute"
        ),
        fit__of_barstack="raise bs.core.errors.DataError('These rows will not do.')",
        predict__complex="return np.zeros((len(inputs), 1, 1)) + 1j",
        predict__strings="return np.full((len(inputs), 1, 1), '0.1')",
        predict__objects="return np.full((len(inputs), 1, 1), None)",
        predict__flat="return np.zeros(len(inputs))",
        predict__row_short="return np.zeros((len(inputs) - 1, 1, 1))",
        predict__outputs="return np.zeros((len(inputs), 1, 3))",
        predict__ragged="return [[1.0], [1.0, 2.0]]",
        predict__nan="return np.full((len(inputs), 1, 1), np.nan)",
        predict__infinite="return np.full((len(inputs), 1, 1), np.inf)",
        predict__nothing="pass",
        predict__stops="raise StopIteration",
        save__raises="raise OSError('no room')",
        save__nothing="pass",
        load__nothing="pass",
        load__another="return {'mean': np.array([3.0])}",
        load__key="return {'median': np.array([3.0])}",
        load__leaves_a_fresh_process=(
            "import os, sys\n"
            "if 'barstack.experiments' not in sys.modules: os._exit(0)\n"
            "return Whole.load(self, folder, target)"
        ),
        load__differs_in_a_fresh_process=(
            "import sys\n"
            "away = 'barstack.experiments' not in sys.modules\n"
            "return {'mean': Whole.load(self, folder, target)['mean'] + away}"
        ),
        curves__no_data="return [{'loss': np.zeros(3)}]",
    ),
    *_cases("model", rc=INTERRUPTED, fit__interrupted="raise KeyboardInterrupt"),
    *_cases(
        "model",
        "direction",
        predict__above_one="return np.full((len(inputs), 1, 1), 1.5)",
        predict__below_zero="return np.full((len(inputs), 1, 1), -0.5)",
    ),
    Case("model lookback of text", "model", "", "lookback_bars = property(lambda self: 'two')"),
    Case("model abstract", "model", "", "load = Model.load"),
    *_cases(
        "label",
        encode__nothing="pass",
        encode__short="return returns[:-1]",
        encode__complex="return returns + 0j",
        encode__strings="return returns.astype(str)",
        encode__infinite="return np.where(np.isnan(returns), np.nan, np.inf)",
        encode__filled="return np.nan_to_num(returns)",
        encode__raises="raise ZeroDivisionError('no price')",
        outcome__tuple=f"{OUTCOME}return tuple(found)",
        outcome__known_at_once=f"{OUTCOME}return found._replace(known_at=bars.closed_at)",
        outcome__numbers_as_times=(
            f"{OUTCOME}return found._replace(known_at=np.arange(len(bars)))"
        ),
        outcome__eligible_as_text=(
            f"{OUTCOME}return found._replace(eligible=np.full(len(bars), 'yes'))"
        ),
    ),
    *_cases("label", "direction", encode__classes="return np.where(returns > 0, 7.0, returns * 0)"),
    *_cases(
        "split",
        spans__none="return []",
        spans__nothing="pass",
        spans__empty="return [Span(200, 200), Span(300, 400)]",
        spans__reversed="return [Span(400, 300), Span(500, 600)]",
        spans__beyond="return [Span(300, 400), Span(400, n_times + 50)]",
        spans__overlapping="return [Span(300, 500), Span(400, 600)]",
        spans__out_of_order="return [Span(500, 600), Span(300, 400)]",
        spans__negative="return [Span(-100, 400), Span(400, 500)]",
        spans__fractions="return [Span(300.0, 400.0), Span(400.0, 500.0)]",
        spans__pairs="return [(300, 400), (400, 500)]",
        spans__raises="return [1][2]",
    ),
    *_cases(
        "ensemble",
        fit__nothing="pass",
        fit__raises="raise AttributeError('no such thing')",
        predict__members="return stacked.forecasts",
        predict__complex="return stacked.forecasts.mean(axis=1) + 1j",
        predict__nan="return stacked.forecasts.mean(axis=1) * np.nan",
        weights__short="return learned[:, :1]",
        weights__strings="return learned.astype(str)",
        save__raises="raise TypeError('not this')",
    ),
    *_cases(
        "scaler",
        learn__nothing="pass",
        learn__names="return {'middle': values[rows].mean(axis=0)}",
        learn__shape="return {'centre': np.zeros(1), 'scale': np.ones(1)}",
        learn__nan=(
            "return {'centre': values.mean(axis=0) * np.nan, 'scale': values[rows].std(axis=0)}"
        ),
        learn__raises="raise RuntimeError",
        apply__shape="return values[:, :1]",
        apply__strings="return values.astype(str)",
        apply__infinite="return np.full(values.shape, np.inf)",
        apply__nothing="pass",
    ),
    *_cases(
        "provider",
        read__nothing="pass",
        read__no_symbol="return {}",
        read__list="return [pl.read_parquet(folder / 'WALK.parquet')]",
        read__numbered="return {1: pl.read_parquet(folder / 'WALK.parquet')}",
        read__numbers="return {'WALK': 5}",
        read__columns="return {'WALK': pl.read_parquet(folder / 'WALK.parquet').drop('close')}",
        read__text=(
            "return {'WALK': pl.read_parquet(folder / 'WALK.parquet').with_columns("
            "close=pl.lit('high'))}"
        ),
        read__raises="raise ConnectionError('unplugged')",
    ),
    *(
        Case(f"feature {name}", "feature", "", code)
        for name, code in {
            "writes far outside its memory": "state[5000] = bar.close\n    return 1.0",
            "writes before its memory": "state[-9] = bar.close\n    return 1.0",
            "writes outside in the end": (
                "state[0] += 1.0\n    if state[0] > 500.0: state[int(state[0])] = 1.0\n"
                "    return bar.close"
            ),
            "writes outside in a helper": "return put(state, bar.close)",
            "missing nearly everywhere": "return np.nan if bar.close > 1.0 else 1.0",
            "infinite": "return bar.close / (bar.close - bar.close)",
            "outside its bounds": "return 1e6",
            "raises": "if bar.close > 1.0: raise ValueError('never')\n    return bar.close",
            "returns text": "return 'up'",
            "reads what bars have not": "return bar.spread",
            "reads a global table": "return TABLE[0]",
        }.items()
    ),
    *(
        Case(f"series {name}", "series", name, "")
        for name in ("strings", "infinite", "dates", "doubled", "missing", "contradicting")
    ),
    Case("plugin raises", "plugin", "", "raise KeyError('oops')"),
    Case("plugin leaves", "plugin", "", "raise SystemExit(0)"),
    Case("plugin imports nothing", "plugin", "", "import no_such_package"),
    Case(
        "plugin takes a name",
        "plugin",
        "",
        '@model("ridge", family="classical", tasks=("return",))\nclass Other(Model): pass',
    ),
]


def unnamed(only: str = "", *, show: bool = False) -> int:
    """How many of the cases are not answered as they should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _in_child(lambda: _write_tables(folder))
        found = [(case, *_ended(case, folder)) for case in CASES if only in case.name]
    for case, why, said in found:
        if show or why:
            print(f"{case.name}: {why or 'named'}\n    {said}", flush=True)
    return sum(bool(why) for _, why, _ in found)


def _in_child(work: Callable[[], int | None]) -> int:
    """Exit code of a forked process that does the work.

    What all cases import is imported once. This process itself must never use polars, whose
    threads would be missing in the children.
    """
    child = os.fork()
    if not child:
        signal.alarm(LONGEST_S)
        os._exit(work() or 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _write_tables(folder: Path) -> None:
    """The bars of all cases, and the tables of those that are series."""
    for case in CASES:
        if case.kind == "series":
            _series(case).write_parquet(folder / f"odd_{case.place}.parquet")
    bars = walk(900, symbol="WALK")
    columns = {name: bars.records[name] for name in ("open", "high", "low", "close", "volume")}
    times = pl.Series(bars.opened_at).dt.replace_time_zone("UTC")
    pl.DataFrame({"timestamp": times} | columns).write_parquet(folder / "WALK.parquet")


def _source(case: Case) -> str:
    """The plugin's module."""
    if case.kind == "plugin":
        return HEAD + case.code
    if case.kind == "feature":
        return (
            f"{HEAD}import numba\nTABLE = np.arange(9.0)\n"
            "@numba.njit\ndef put(state, x):\n    state[70000] = x\n    return x\n\n"
            '@bs.feature(group="odd", memory=1, unit="x", low=-1e5, high=1e5)\n'
            f"def odd(state, bar):\n    {case.code}\n"
        )
    if case.kind == "series":
        return HEAD
    arguments = OF_ENSEMBLES if case.kind == "ensemble" else {}
    body = case.code
    if case.place:
        takes = (ARGUMENTS | arguments)[case.place]
        body = f"def {case.place}({takes}):\n{textwrap.indent(case.code.strip(), '    ')}"
    decorator = DECORATOR[case.kind].format(task=case.task)
    return (
        f"{HEAD}{WHOLE[case.kind]}\n{decorator}\nclass Odd(Whole):\n{textwrap.indent(body, '    ')}"
    )


def _study(case: Case, folder: Path) -> dict[str, object]:
    """A small study that uses the plugin."""
    study: dict[str, object] = {
        "bars": {"provider": "files", "path": str(folder / "WALK.parquet")},
        "features": ["log_return", "body"],
        "label": {"label": case.task, "horizons": [2]},
        "split": {"split": "walk_forward", "folds": 2},
        "members": ["naive_mean", "ridge" if case.task == "return" else "logistic"],
        "ensembles": ["average"],
    }
    if case.kind == "feature":
        study["features"] = ["log_return", "odd"]
    elif case.kind == "series":
        file = folder / f"odd_{case.place}.parquet"
        study["series"] = {"odd": {"path": str(file), "columns": ["mood"]}}
    elif case.kind == "model":
        study["members"] = ["naive_mean", "odd"]
    elif case.kind == "ensemble":
        study["ensembles"] = ["odd"]
    elif case.kind == "provider":
        study["bars"] = "odd"
    elif case.kind == "label":
        study["label"] = {"label": "odd", "horizons": [2]}
    elif case.kind in ("split", "scaler"):
        study[case.kind] = "odd"
    return study


def _series(case: Case) -> pl.DataFrame:
    closed_at = walk(900, symbol="WALK").closed_at[::50]
    times = pl.Series(closed_at).dt.replace_time_zone("UTC")
    mood = np.arange(float(len(times)))
    table = pl.DataFrame({"known_at": times, "symbol": "WALK", "mood": mood})
    if case.place == "strings":
        table = table.with_columns(mood=pl.lit("fine"))
    elif case.place == "infinite":
        table = table.with_columns(mood=pl.lit(np.inf))
    elif case.place == "dates":
        table = table.with_columns(pl.col("known_at").dt.date())
    elif case.place == "doubled":
        table = pl.concat([table, table.with_columns(pl.col("mood") + 1.0)])
    elif case.place == "missing":
        table = table.rename({"mood": "moods"})
    elif case.place == "contradicting":
        table = table.with_columns(symbol=pl.lit("WALKER"))
    return table


def _ended(case: Case, folder: Path) -> tuple[str, str]:
    """Why a case is not answered as it should be, or nothing; and what it was told."""
    home = Path(tempfile.mkdtemp(dir=folder))
    site = home / "site"
    about = site / f"{PACKAGE}-1.0.dist-info"
    about.mkdir(parents=True)
    (site / f"{PACKAGE}.py").write_text(_source(case))
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[barstack]\n{PACKAGE} = {PACKAGE}\n")
    (home / "study.yaml").write_text(yaml.safe_dump(_study(case, folder)))
    rc = _in_child(lambda: _run(home, site))
    said = (home / "said.txt").read_text()
    return _why(case, rc, said, home / "runs"), " ".join(said.split())[-400:]


def _run(home: Path, site: Path) -> int:
    """Exit code of the command line in this process."""
    os.chdir(home)
    sys.path.insert(0, str(site))
    sys.argv = ["barstack", "run", "study.yaml", "--runs", "runs"]
    sys.stdout = io.StringIO()
    rc = 0
    with Path("said.txt").open("w") as sys.stderr:
        try:
            main()
        except SystemExit as leaving:
            rc = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 (what no user must see)
            traceback.print_exc()
            rc = 99
    return rc


def _why(case: Case, rc: int, said: str, runs: Path) -> str:
    """What is wrong with an answer; nothing where it is as it should be."""
    plain = " ".join(said.split())
    name = {
        "series": "series odd",
        "plugin": f"'{PACKAGE}' ({PACKAGE})",
    }.get(case.kind, f"{case.kind} 'odd'")
    published = list(runs.glob("[!.]*")) if runs.is_dir() else []
    named = name.lower() in plain.lower() and (case.kind == "series" or PACKAGE in plain)
    wrong = {
        f"{len(published)} run(s) published": bool(published),
        f"exit code {rc}, not {case.rc}": rc != case.rc,
        "a traceback": "Traceback" in plain or "╭" in plain,
        f"{name} of {PACKAGE} is not named": case.rc == WRONG and not named,
        "named more than once": case.rc == WRONG and plain.lower().count(name.lower()) > 1,
    }
    return next((what for what, holds in wrong.items() if holds), "")


if __name__ == "__main__":
    wrong = unnamed(sys.argv[1] if len(sys.argv) > 1 else "", show=True)
    print(f"{wrong} of {len(CASES)} unnamed")
    sys.exit(1 if wrong else 0)
