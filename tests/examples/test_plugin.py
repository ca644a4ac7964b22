"""The example package: built, installed elsewhere, checked, and used by its name in a study."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from barstack.models import MODELS
from barstack.testing import MODEL_CHECKS

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"

USED = """
import sys
import numpy as np
import barstack as bs
from barstack.forecasting import TrainedEnsemble

study = bs.Study(
    bars={"provider": "sample", "start": "2025-09-01"},
    features=["rsi", "body"],
    label={"label": "return", "horizons": [2]},
    split={"split": "walk_forward", "folds": 2},
    members={"ridge": {}, "median": {"penalty": 0.2}},
)
run = bs.run(study, runs=sys.argv[1])
table = run.artifact.features.compute(run.bars)
rows = np.arange(len(table.values) - 50, len(table.values))
loaded = TrainedEnsemble.load(run.folder / "artifact")
before, after = (each.members["median"].predict(table, rows) for each in (run.artifact, loaded))
np.testing.assert_array_equal(before, after)
print(sorted(set(run.leaderboard()["name"]) & {"ridge", "median"}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the package beside barstack."""
    folder = tmp_path_factory.mktemp("plugin")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "barstack_median.py"):
        (source / name).write_text((EXAMPLE / name).read_text())
    site = folder / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    built = [*pip, "--no-build-isolation", "--target", str(site), str(source)]
    done = subprocess.run(built, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path = [str(site), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path)}


def ran(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_passes_the_contract(installed: dict[str, str]) -> None:
    assert "$ python examples/plugin/check.py\n" in (EXAMPLE / "README.md").read_text()
    printed = ran(installed, str(EXAMPLE / "check.py"))
    assert printed.splitlines() == [f"passed {check.__name__}" for check in MODEL_CHECKS]


def test_a_study_uses_it_by_name_and_its_artifact_loads(
    installed: dict[str, str], tmp_path: Path
) -> None:
    assert ran(installed, "-c", USED, str(tmp_path)).strip() == "['median', 'ridge']"


def test_it_is_listed_and_nothing_stays_behind(installed: dict[str, str]) -> None:
    listed = ran(installed, "-m", "barstack", "list", "models")
    assert "median" in listed
    assert "median" not in MODELS.names()
