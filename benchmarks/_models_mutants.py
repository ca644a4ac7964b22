"""Artifacts spoilt in thousands of ways, of every registered model and many of scikit-learn.

Child processes load them under a limit of memory, watched by the clock and by an audit hook. Every
hash is made right again, so that what is tested lies behind the hashes. Three quarters break a rule
of their format and must be refused; the rest is spoilt at random and ends in an `ArtifactError`, or
in the same finite forecasts by two loads. What was done is kept; a run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from barstack.bars import BarFormat
from barstack.core.files import new_folder
from barstack.core.forecast import Task
from barstack.core.spec import content_id
from barstack.ensembles import ENSEMBLES, FittedEnsemble
from barstack.features import Feature, FeatureSet
from barstack.forecasting import TrainedEnsemble
from barstack.models import MODELS, Model, train
from barstack.testing import small_dataset, training_rows

HERE = Path(__file__).parent
LONGEST_S = 30
CHILDREN = 2
PER_CHILD = 1000  # then a fresh one, so that what leaks a little does not add up
SMALL: dict[str, dict[str, Any]] = {
    "svm": {"exact_rows": 0, "landmarks": 30},
    "knn": {"most_rows": 120},
    "hierarchical": {"lookback": 36},
    "sklearn": {"estimator": "sklearn.linear_model.QuantileRegressor"},  # quantiles are its task
}
_TREE = {"estimator": "sklearn.tree.DecisionTreeRegressor", "params": {"max_depth": 3}}
_MACHINE = {"estimator": "sklearn.svm.SVC"}
_LINE = {"estimator": "sklearn.linear_model.Ridge"}
# Members of scikit-learn, one for each form that they come to.
ESTIMATORS: dict[str, tuple[Task, dict[str, Any]]] = {
    "linear_model.BayesianRidge": ("return", {}),
    "linear_model.SGDClassifier": ("direction", {"loss": "log_loss"}),
    "svm.SVR": ("return", {"C": 0.1}),
    "svm.NuSVR": ("three_class", {"C": 0.1, "kernel": "poly", "degree": 2}),
    "calibration.CalibratedClassifierCV": (
        "direction",
        {"estimator": {"estimator": "sklearn.svm.SVC"}},
    ),
    "gaussian_process.GaussianProcessRegressor": ("return", {"alpha": 9.0, "optimizer": None}),
    "ensemble.GradientBoostingRegressor": ("return", {"n_estimators": 5}),
    "ensemble.GradientBoostingClassifier": ("three_class", {"n_estimators": 5}),
    "ensemble.RandomForestClassifier": ("direction", {"n_estimators": 5, "max_depth": 3}),
    "ensemble.HistGradientBoostingRegressor": ("return", {"max_iter": 5}),
    "ensemble.BaggingRegressor": ("return", {"n_estimators": 3, "estimator": _LINE}),
    "ensemble.StackingRegressor": ("return", {"estimators": [["a", _LINE], ["b", _TREE]]}),
    "ensemble.VotingRegressor": ("three_class", {"estimators": [["a", _LINE], ["b", _TREE]]}),
    "naive_bayes.GaussianNB": ("three_class", {}),
    "neural_network.MLPClassifier": ("direction", {"max_iter": 5, "hidden_layer_sizes": [8]}),
    "pipeline.Pipeline": (
        "return",
        {
            "steps": [
                ["scale", {"estimator": "sklearn.preprocessing.RobustScaler"}],
                ["products", {"estimator": "sklearn.preprocessing.PolynomialFeatures"}],
                ["kernel", {"estimator": "sklearn.kernel_ridge.KernelRidge"}],
            ]
        },
    ),
}


def mutants(options: Any) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """Bars to hold to and figures, for `finish`."""
    base = Path(tempfile.gettempdir()) / f"barstack_mutants_{_what_runs()}_{options.seed}"
    whole = base / "whole"
    if not whole.is_dir():
        with new_folder(whole) as scratch:
            for name in MODELS.names():
                # Pretrained ones load beside their weights only, detectors are no members.
                if MODELS.get(name).family not in ("pretrained", "regime"):
                    _saved(MODELS.get(name), name, scratch / name)
            for name, (task, params) in ESTIMATORS.items():
                model = {"model": "sklearn", "estimator": f"sklearn.{name}", "params": params}
                _saved_as(MODELS.parse(model), "sklearn", task, scratch / name)
    kept = base / "ended.jsonl"
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    done = {each["number"] for each in found}
    left = [number for number in range(options.mutants) if number not in done]
    with kept.open("a") as stream:
        for told in _ended(whole, base, options.seed, left):
            stream.write(json.dumps(told) + "\n")
            stream.flush()
            found.append(told)
            if len(found) % 500 == 0:
                print(f"{len(found):6} of {options.mutants}", _kinds(found), flush=True)
    found = [each for each in found if each["number"] < options.mutants]
    return _summed_up(found)


def _summed_up(found: list[dict[str, Any]]) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    fine = ("refused", "refused to forecast", "finite")
    wrong = [each for each in found if each["ended"] not in fine or each["seen"]]
    for each in wrong[:40]:
        print(each)
    kinds = _kinds(found)
    crashed, hung = kinds.get("crashed", 0), kinds.get("hung", 0)
    most = max(each["mib"] for each in found)
    accepted = [each for each in found if each["hostile"] and each["ended"] == "finite"]
    for each in accepted[:40]:
        print("accepted:", each)
    bars = {
        "mutants": {"value": len(found), "at_least": 3_000},
        "mutants_crashed": {"value": crashed, "at_most": 0},
        "mutants_hung": {"value": hung, "at_most": 0},
        "hostile_accepted": {"value": len(accepted), "at_most": 0},
        "mutants_otherwise_wrong": {"value": len(wrong) - crashed - hung, "at_most": 0},
        "mutants_memory_mib": {"value": most, "at_most": 512},
    }
    ways: dict[str, Counter[str]] = {}
    for each in found:
        ways.setdefault(each["what"].partition(" ")[0], Counter())[_kind(each)] += 1
    return bars, {
        "hostile": sum(each["hostile"] for each in found),
        "ended": kinds,
        "refused_behind_right_hashes": sum(_behind(each) for each in found),
        "imported_late": sorted({name for each in found for name in each["imported"]}),
        "ways": {way: dict(ways[way]) for way in sorted(ways)},
        "artifacts": len({each["artifact"] for each in found}),
    }


def _behind(each: dict[str, Any]) -> bool:
    """Whether it was not the hashes that gave it away."""
    by_hash = ("SHA-256", "do not fit together", "not what was saved.", "does not list")
    return each["ended"].startswith("refused") and not any(said in each["why"] for said in by_hash)


def _kind(each: dict[str, Any]) -> str:
    return str(each["ended"]).partition(":")[0]


def _kinds(found: list[dict[str, Any]]) -> dict[str, int]:
    return dict(sorted(Counter(_kind(each) for each in found).items()))


def _what_runs() -> str:
    """Of the code that is tested: results of other code are not gone on from."""
    house = HERE.parent / "src" / "barstack"
    files = [*HERE.glob("_mut*.py"), HERE / "_hostile.py"]
    for room in ("core", "datasets", "models", "ensembles"):
        files += (house / room).rglob("*.py")
    return content_id([file.read_text() for file in sorted(files)])


def _saved(kind: type[Model], name: str, folder: Path) -> None:
    """An artifact with this model as its only member, at a small size."""
    task = kind.tasks[len(name) % len(kind.tasks)]
    settings = {"trees": 12, "epochs": 1, "lookback": 8}
    own = {key: value for key, value in settings.items() if key in kind.model_fields}
    _saved_as(MODELS.parse({"model": name} | own | SMALL.get(name, {})), name, task, folder)


def _saved_as(model: Model, name: str, task: Task, folder: Path) -> None:
    dataset = small_dataset(task)
    fitted = train(model, dataset, training_rows(dataset), seed=0)
    features = FeatureSet(
        features=tuple(
            Feature(feature=each)
            for each in ("log_return", "rsi", "body", "realized_volatility", "session_progress")
        )
    )
    average = ENSEMBLES.parse("average")
    weights = np.ones((len(dataset.target.horizons), 1))
    combined = FittedEnsemble(average, weights, (name,), fitted.trained_through)
    bars = BarFormat(length_us=60_000_000, symbols=("A", "B"))
    TrainedEnsemble(features, dataset.target, {name: fitted}, combined, bars).save(folder)


def _ended(whole: Path, base: Path, seed: int, left: list[int]) -> Iterator[dict[str, Any]]:
    """How each of these ended, from several children at once."""
    queue = list(reversed(left))
    children = [_Child(whole, base / f"work_{place}", seed) for place in range(CHILDREN)]
    try:
        while queue or any(child.number is not None for child in children):
            for child in children:
                if child.number is None and queue:
                    child.ask(queue.pop())
            busy = [child for child in children if child.number is not None]
            for child in busy:
                if (told := child.answer()) is not None:
                    yield told
    finally:
        for child in children:
            child.end()


class _Child:
    """A process that loads what it is told to, and is replaced when it dies or hangs."""

    def __init__(self, whole: Path, work: Path, seed: int) -> None:
        self._arguments = [sys.executable, str(HERE / "_mutant_child.py")]
        self._arguments += [str(whole), str(work), str(seed)]
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0
        self.number: int | None = None

    def ask(self, number: int) -> None:
        if self._process is None or self._asked >= PER_CHILD:
            self.end()
            self._process, self._asked = self._begun(), 0
        assert self._process.stdin is not None
        self.number, self._asked = number, self._asked + 1
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """What it says within the time it has."""
        assert self._process is not None
        assert self._process.stdout is not None
        number, self.number = self.number, None
        ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_S)
        line = self._process.stdout.readline() if ready else ""
        if line:
            told: dict[str, Any] = json.loads(line)
            return told
        ended = f"hung: more than {LONGEST_S} s"
        if ready:
            ended = f"crashed: {self._process.wait()}"
        self.end()
        return {
            "number": number,
            "artifact": "",
            "what": "? ",
            "why": "",
            "hostile": True,
            "imported": [],
            "ended": ended,
            "mib": 0,
            "seen": [],
        }

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _begun(self) -> subprocess.Popen[str]:
        alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        process = subprocess.Popen(
            self._arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | alone,
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("A child could not load the artifacts as they are.")
        return process
