"""Damaged and hostile files of what was learned: an error or a finite forecast, never a crash."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models.cases import dataset_of, settings

from barstack.core.errors import ArtifactError
from barstack.core.files import seal
from barstack.core.forecast import Task
from barstack.datasets import Dataset
from barstack.models import MODELS, FittedModel, train
from barstack.testing import small_dataset, training_rows

dataset_for: Callable[[Task], Dataset] = cache(small_dataset)
ROWS = np.arange(400, 420)
SMALL: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"trees": 12},
    "lightgbm": {"trees": 12},
    "xgboost": {"trees": 12},
    "catboost": {"trees": 12},
    "random_forest": {"trees": 6},
    "extra_trees": {"trees": 6},
    "svm": {"exact_rows": 0, "landmarks": 30},
    "knn": {"most_rows": 120},
}
FAMILIES = ("classical", "boosting", "regime")
CASES = [
    (name, task)
    for name in MODELS.names()
    if MODELS.get(name).family in FAMILIES and MODELS.get(name).__module__.startswith("barstack.")
    for task in MODELS.get(name).tasks
]
# Arrays in a form of its own, which another test spoils.
FOREIGN = ("sklearn",)
OWN = [case for case in CASES if case[0] not in FOREIGN]


def ids(cases: list[tuple[str, Task]]) -> list[str]:
    return [f"{name}-{task}" for name, task in cases]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Task], Path]:
    @cache
    def save(name: str, task: Task) -> Path:
        model = MODELS.parse(settings(name, task, SMALL.get(name)))
        dataset = dataset_of(model, task)
        folder = tmp_path_factory.mktemp(name) / "model"
        train(model, dataset, training_rows(dataset), seed=0).save(folder)
        return folder

    return save


def answers(folder: Path, task: Task) -> str:
    """How loading and forecasting end: "refused", or "finite"."""
    with np.errstate(all="ignore"):
        try:
            fitted = FittedModel.load(folder)
            values = fitted.predict(dataset_of(fitted.model, task).features, ROWS)
        except ArtifactError:
            return "refused"
    assert np.isfinite(values).all()
    return "finite"


def largest(folder: Path) -> Path:
    """Of what is read: a library's own file, beside the arrays of its trees, is not."""
    files = [file for file in (folder / "learned").iterdir() if file.name != "sealed.json"]
    arrays = [file for file in files if file.suffix == ".npz"]
    return max(arrays or files, key=lambda file: file.stat().st_size)


@pytest.mark.parametrize(("name", "task"), CASES, ids=ids(CASES))
def test_damage_is_found_before_anything_is_parsed(
    name: str, task: Task, saved: Callable[[str, Task], Path], tmp_path: Path
) -> None:
    """Bits that flip, files cut short or lengthened: nothing of them is used."""
    whole = saved(name, task)
    assert answers(whole, task) == "finite"
    for seed in range(25):
        rng = np.random.default_rng(seed)
        folder = Path(shutil.copytree(whole, tmp_path / str(seed)))
        files = sorted((folder / "learned").iterdir())
        file = files[seed % len(files)]
        data = bytearray(file.read_bytes())
        if seed % 3 == 0:
            data = data[: rng.integers(len(data))]
        elif seed % 3 == 1:
            data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        else:
            data += rng.bytes(9)
        file.write_bytes(data)
        ended = answers(folder, task)
        assert ended == "refused" or file.suffix == ".npz" or file.name == "sealed.json"
        shutil.rmtree(folder)


@pytest.mark.parametrize(("name", "task"), OWN, ids=ids(OWN))
def test_hostile_arrays_are_refused_or_forecast_finitely(
    name: str, task: Task, saved: Callable[[str, Task], Path], tmp_path: Path
) -> None:
    """Whatever numbers a file holds, with all hashes right: no crash, no hang, nothing infinite."""
    whole = saved(name, task)
    refused = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        folder = Path(shutil.copytree(whole, tmp_path / str(seed)))
        file = largest(folder)
        if file.suffix == ".json":
            file.write_text(rng.choice(["[]", "[1e999]", "{}", "[[[1]]]", "null", "[1,2,3,4]"]))
        else:
            with np.load(file, allow_pickle=False) as read:
                arrays = dict(read)
            np.savez(file, allow_pickle=False, **_spoilt(arrays, rng))
        if (folder / "learned" / "sealed.json").is_file():
            seal(folder / "learned")
        refused += answers(folder, task) == "refused"
        shutil.rmtree(folder)
    assert refused >= 10


def _spoilt(arrays: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = sorted(arrays)
    name = str(rng.choice(names))
    array = arrays[name]
    how = int(rng.integers(6))
    if how == 0 and len(names) > 1:  # two arrays change places
        other = str(rng.choice([each for each in names if each != name]))
        return arrays | {name: arrays[other], other: array}
    if how == 1:
        return arrays | {name: array[:-1]}
    if how == 2:
        return arrays | {name: array.astype(str(rng.choice(["float32", "int64", "S8"])))}
    if how == 3:
        return {each: value for each, value in arrays.items() if each != name}
    spoilt = array.copy().reshape(-1)
    places = rng.integers(max(len(spoilt), 1), size=int(rng.integers(1, 4)) if len(spoilt) else 0)
    if array.dtype.kind == "i":
        spoilt[places] = rng.choice([-(2**31), -2, -1, 0, 1, 5, 2**31 - 1, len(spoilt)])
    else:
        spoilt[places] = rng.choice([np.nan, np.inf, -np.inf, 1e308, -1e99, 1e99, 0.0, 5e-324])
    return arrays | {name: spoilt.reshape(array.shape)}


def _with_header(header: bytes, data: bytes) -> bytes:
    """An array file of format 1.0."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + data


@pytest.mark.parametrize(
    "header",
    [
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (1125899906842624, 2), }\n",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (-5, -2), }\n",
        b"{'descr': '|O', 'fortran_order': False, 'shape': (5, 2), }\n",
        b"{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (5, 2), }\n",
        b"__import__('os').abort()\n",
        b"(" * 3000 + b"\n",
        b"\xff\xfe\n",
    ],
    ids=["huge", "negative", "objects", "records", "code", "nested", "bytes"],
)
def test_hostile_headers_are_refused(
    header: bytes, saved: Callable[[str, Task], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved("ridge", "return"), tmp_path / "model"))
    file = folder / "learned" / "linear.npz"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["weights.npy"] = _with_header(header, b"\0" * 80)
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert answers(folder, "return") == "refused"


def test_a_bomb_is_not_unpacked(saved: Callable[[str, Task], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved("ridge", "return"), tmp_path / "model"))
    stream = BytesIO()
    np.save(stream, np.zeros((5, 2_000_000)), allow_pickle=False)
    with zipfile.ZipFile(folder / "learned" / "linear.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.npy", stream.getvalue())
        archive.writestr("intercept.npy", stream.getvalue())
    with pytest.raises(ArtifactError, match="compressed"):
        FittedModel.load(folder)


def test_trees_that_go_round_in_circles_are_refused(
    saved: Callable[[str, Task], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved("random_forest", "return"), tmp_path / "model"))
    file = folder / "learned" / "horizon_0.npz"
    with np.load(file, allow_pickle=False) as read:
        arrays = dict(read)
    arrays["left"][0] = 0
    np.savez(file, allow_pickle=False, **arrays)
    seal(folder / "learned")
    with pytest.raises(ArtifactError, match="leads out of its tree, or back"):
        FittedModel.load(folder)


def test_arrays_of_another_training_are_refused(
    saved: Callable[[str, Task], Path], tmp_path: Path
) -> None:
    """Weights that fit together, but not the features of this model."""
    folder = Path(shutil.copytree(saved("ridge", "return"), tmp_path / "model"))
    file = folder / "learned" / "linear.npz"
    (folder / "learned" / "moments.npz").unlink()  # or it would be found out earlier
    np.savez(file, allow_pickle=False, weights=np.zeros((9, 2)), intercept=np.zeros(2))
    with pytest.raises(ArtifactError, match="trained on 9 features is given 5"):
        FittedModel.load(folder).predict(dataset_for("return").features, ROWS)


def test_no_pickle_is_opened_and_nothing_is_run_on_the_way_in(
    saved: Callable[[str, Task], Path],
) -> None:
    """Python itself tells of every pickled name that is looked up, and of every process."""
    folders = [str(saved(*case)) for case in CASES]
    code = """
import json, sys
from pathlib import Path
import numpy as np
from barstack.models import MODELS, FittedModel

MODELS.names()
folders = json.loads(sys.argv[1])
FittedModel.load(Path(folders[0]))  # whose libraries may look for others
seen = []
BANNED = ("pickle.", "marshal.", "subprocess.", "os.system", "os.exec", "os.spawn", "os.fork")

def hook(event, arguments):
    if event.startswith(BANNED):
        seen.append(event)

for folder in folders:
    FittedModel.load(Path(folder))  # imports what it needs, which unmarshals code of its own
sys.addaudithook(hook)
for folder in folders:
    FittedModel.load(Path(folder))
print(seen, "pickle" in sys.modules, len(folders))
import pickle
pickle.loads(pickle.dumps(np.float64))
print(bool(seen))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, json.dumps(folders)],
        capture_output=True,
        text=True,
        check=True,
    )
    seen, works = ran.stdout.splitlines()
    assert seen == f"[] True {len(CASES)}"
    assert works == "True"
