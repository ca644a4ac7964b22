"""Experiments: a study, the graph of its tasks, and one run of it."""

# Each registers its stages, or an engine.
from . import (  # noqa: F401
    _audit,
    _data,
    _experiment,
    _fits,
    _labels,
    _local,
    _member_scores,
    _ray,
    _regimes,
    _results,
)
from ._audit import Audited, audit, audited
from ._calibrate import Calibration, ErrorRate, calibrate
from ._compare_runs import compare_runs, named_runs
from ._counting import LedgerCheck, anchors_of, in_words, verify_ledger
from ._each_symbol import SymbolRuns, run_each_symbol
from ._engine import Done, Engine
from ._feature_phase import Addition, FeaturePhase
from ._first_study import FirstStudy, first_study, open_settings
from ._fits import TrainingData, fit_fold
from ._holdout import HoldoutVerdict, open_holdout
from ._judge import judge
from ._plan import StatedPlan
from ._presets import PRESETS, completed, preset_within
from ._recombine import Recombination, Recombined, method_of, recombine
from ._run import VIEWS, Run, RunMember, run_study, view
from ._simulate import simulate_run, simulation_plan
from ._study import Study
from ._sweep import ExperimentResult, SweepResult, Watch, run_sweep
from ._sweep_estimate import SweepEstimate, estimate_sweep
from ._sweep_findings import SweepFindings, sweep_findings
from ._sweep_plan import PlannedExperiment, Sweep
from ._task import STAGES, Operation, Place, Task, Workspace, stage, tasks_of
from ._tune import TunePlan, TuneWatch, plan_tuning, run_tune
from ._tune_held_back import HeldBack
from ._tune_search import Tried, settings_in_words
from ._tuned import MemberTuned, TuneResult, check_free
from ._tuning import Tuning
from ._verdicts import DatedVerdict, Judged, judged_now

__all__ = [
    "PRESETS",
    "STAGES",
    "VIEWS",
    "Addition",
    "Audited",
    "Calibration",
    "DatedVerdict",
    "Done",
    "Engine",
    "ErrorRate",
    "ExperimentResult",
    "FeaturePhase",
    "FirstStudy",
    "HeldBack",
    "HoldoutVerdict",
    "Judged",
    "LedgerCheck",
    "MemberTuned",
    "Operation",
    "Place",
    "PlannedExperiment",
    "Recombination",
    "Recombined",
    "Run",
    "RunMember",
    "StatedPlan",
    "Study",
    "Sweep",
    "SweepEstimate",
    "SweepFindings",
    "SweepResult",
    "SymbolRuns",
    "Task",
    "TrainingData",
    "Tried",
    "TunePlan",
    "TuneResult",
    "TuneWatch",
    "Tuning",
    "Watch",
    "Workspace",
    "anchors_of",
    "audit",
    "audited",
    "calibrate",
    "check_free",
    "compare_runs",
    "completed",
    "estimate_sweep",
    "first_study",
    "fit_fold",
    "in_words",
    "judge",
    "judged_now",
    "method_of",
    "named_runs",
    "open_holdout",
    "open_settings",
    "plan_tuning",
    "preset_within",
    "recombine",
    "run_each_symbol",
    "run_study",
    "run_sweep",
    "run_tune",
    "settings_in_words",
    "simulate_run",
    "simulation_plan",
    "stage",
    "sweep_findings",
    "tasks_of",
    "verify_ledger",
    "view",
]
