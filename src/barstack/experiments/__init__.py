"""Experiments: a study, its chain of stages, and one run of it."""

from . import (  # noqa: F401 (each registers its stages)
    _data_stages,
    _forecaster_files,
    _label_stages,
    _learning_stages,
    _series_stage,
)
from ._audit import Audited, audit, audited
from ._chain import STAGES, Chain, Done, Step, Workplace, chain_of, stage
from ._compare_runs import compare_runs, named_runs
from ._learning_stages import Judged
from ._run import Run, run_study
from ._series_stage import data_fingerprint
from ._study import Study

__all__ = [
    "STAGES",
    "Audited",
    "Chain",
    "Done",
    "Judged",
    "Run",
    "Step",
    "Study",
    "Workplace",
    "audit",
    "audited",
    "chain_of",
    "compare_runs",
    "data_fingerprint",
    "named_runs",
    "run_study",
    "stage",
]
