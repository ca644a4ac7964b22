"""AutoGluon Tabular on the folds of one series, in an environment of its own.

    python _autogluon_child.py JOB.npz OUT.npz PRESET SECONDS

JOB holds X_train_0, y_train_0, X_test_0 and so on, and hold_0, how many of the latest training rows
come after all labels of the earlier ones are known. OUT gets test_0 and so on, and facts as JSON. A
preset that ends in "+later" judges its models on those rows, where it would by default draw rows by
lot. Imports nothing of barstack.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]

LABEL = "y"


def fold(job: Any, number: int, preset: str, seconds: float) -> tuple[Any, dict[str, Any]]:
    """(n_test,) forecasts, and how long it took and what it thinks of itself."""
    columns = [f"f{place}" for place in range(job[f"X_train_{number}"].shape[1])]
    train = pd.DataFrame(job[f"X_train_{number}"], columns=columns)
    train[LABEL] = job[f"y_train_{number}"]
    test = pd.DataFrame(job[f"X_test_{number}"], columns=columns)
    preset, _, later = preset.partition("+")
    held = None
    if later:
        first, last = (int(each) for each in job[f"hold_{number}"])
        train, held = train.iloc[:first], train.iloc[last:]
    wall, cpu = time.perf_counter(), time.process_time()
    # Its own check whether stacking pays off may find no time; it then goes without that check.
    for check in ("auto", False):
        with tempfile.TemporaryDirectory() as folder:
            predictor = TabularPredictor(
                label=LABEL,
                problem_type="regression",
                eval_metric="mean_squared_error",
                path=folder,
                verbosity=0,
            )
            try:
                predictor.fit(
                    train,
                    tuning_data=held,
                    presets=preset,
                    time_limit=seconds - (time.perf_counter() - wall),
                    dynamic_stacking=check,
                    num_cpus=1,
                    num_gpus=0,
                )
            except (AssertionError, RuntimeError):
                if not check:  # no model in time
                    mean = np.full(len(test), float(train[LABEL].mean()))
                    facts: dict[str, Any] = {
                        "s": time.perf_counter() - wall,
                        "cpu_s": time.process_time() - cpu,
                    }
                    return mean, facts | {"best": "none", "models": 0, "own_loss": 1.0}
                wall = time.perf_counter()
                continue
            forecasts = predictor.predict(test).to_numpy()
            board = predictor.leaderboard()
            break
    best = board[board["model"] == predictor.model_best].iloc[0]
    facts = {
        "s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "best": str(best["model"]),
        "models": len(board),
        "checked_stacking": bool(check),
        # Of what it holds out, over the loss of the naive forecast of the same rows.
        "own_loss": float(
            -best["score_val"] / np.mean((train if held is None else held)[LABEL] ** 2)
        ),
    }
    return forecasts, facts


def main() -> None:
    job_file, out_file, preset, seconds = sys.argv[1:]
    with np.load(job_file, allow_pickle=False) as opened:
        job = dict(opened)
    out: dict[str, Any] = {}
    every = []
    for number in range(sum(name.startswith("y_train_") for name in job)):
        out[f"test_{number}"], facts = fold(job, number, preset, float(seconds))
        every.append(facts)
    np.savez(out_file, facts=np.array(json.dumps(every)), **out)


if __name__ == "__main__":
    main()
