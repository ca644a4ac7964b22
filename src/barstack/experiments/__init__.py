"""Experiments: a study, the graph of its tasks, and one run of it."""

# Each registers its stages.
from . import _audit, _data, _fits, _labels, _regimes, _results  # noqa: F401
from ._audit import Audited, audit, audited
from ._compare_runs import compare_runs, named_runs
from ._each_symbol import SymbolRuns, run_each_symbol
from ._engine import Done, Engine
from ._first_study import FirstStudy, first_study, open_settings
from ._fits import TrainingData, fit_fold
from ._presets import PRESETS, completed, preset_within
from ._recombine import Recombination, Recombined, method_of, recombine
from ._run import VIEWS, Run, RunMember, run_study, view
from ._study import Study
from ._task import STAGES, Operation, Place, Task, Workspace, stage, tasks_of
from ._verdicts import DatedVerdict, Judged, judged_now

__all__ = [
    "PRESETS",
    "STAGES",
    "VIEWS",
    "Audited",
    "DatedVerdict",
    "Done",
    "Engine",
    "FirstStudy",
    "Judged",
    "Operation",
    "Place",
    "Recombination",
    "Recombined",
    "Run",
    "RunMember",
    "Study",
    "SymbolRuns",
    "Task",
    "TrainingData",
    "Workspace",
    "audit",
    "audited",
    "compare_runs",
    "completed",
    "first_study",
    "fit_fold",
    "judged_now",
    "method_of",
    "named_runs",
    "open_settings",
    "preset_within",
    "recombine",
    "run_each_symbol",
    "run_study",
    "stage",
    "tasks_of",
    "view",
]
