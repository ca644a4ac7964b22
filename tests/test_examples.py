"""Every public class and function shows an example, which runs as a test of its file.

What packages list in `__all__` counts; `test_uses_classes.py` has what `barstack` exports.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

from tests.public_api import rooms

# Why something has no example, and what: names by package. It may only become shorter.
EXCUSED: dict[str, dict[str, str]] = {
    "docs/plugins.md has it at work, and a doctest would register a part for all other tests": {
        "barstack.bars.checks": "check",
        "barstack.experiments": "stage view Task",
    },
    "it needs a server, or an answer of one": {
        "barstack.bars.sources": "bound_session fetch http_fault read_directly status_fault",
        "barstack.tracking": "PostgresStore SharedLedgerStore open_tracker",
    },
    "a step of a run or of an import, which packages hand to one another": {
        "barstack.bars": "Collection catalog_folder no_bar_forming",
        "barstack.bars.importing": "batches fit_hours guess_time is_text opened together",
        "barstack.bars.sources": "kept_frame standard_table",
        "barstack.datasets": "Inputs check_free export_folds narrowed",
        "barstack.ensembles": "Layers align",
        "barstack.evaluation": "evaluate score_combined",
        "barstack.evaluation.audit": "Fit assert_clean files_read",
        "barstack.experiments": "Addition TrainingData TuneWatch check_free fit_fold",
        "barstack.features": "check_known check_values read_series",
        "barstack.forecasting": "Manifest ReloadCheck check_reloads read_verdict regimes_at "
        "with_features_of write_verdict",
        "barstack.models": "FoldTrainer OneRow detect_regime",
        "barstack.models.training": "Prepared prepare",
        "barstack.portfolio": "holdings_of",
    },
    "another name's example makes it": {
        "barstack.bars": "Series",  # SeriesFile
        "barstack.evaluation": "compare",  # compare_runs
        "barstack.evaluation.judging": "Exported history_of judge_history",  # bs.judge
        "barstack.experiments": "TunePlan TuneResult run_tune",  # bs.tune
        "barstack.features": "FeaturePanelStream FeatureStream",  # FeatureSet.stream
        "barstack.forecasting": "LiveEnsemble OneRowEnsemble PanelStream Stream "
        "TrainedEnsemble sign",
        "barstack.splits": "SklearnFolds",
        "barstack.testing": "regime_filter_share",
        "barstack.worlds": "Likeness Planted",
    },
    "it is new, and docs/ will have it": {
        "barstack.evaluation": "plain_scores",
        "barstack.experiments": "ExperimentResult SweepResult Watch estimate_sweep run_sweep",
    },
}


def excused() -> set[str]:
    return {
        f"{room}.{name}"
        for rooms_of in EXCUSED.values()
        for room, names in rooms_of.items()
        for name in names.split()
    }


def public(room: str) -> Iterator[tuple[str, Any]]:
    module = importlib.import_module(room)
    for name in module.__all__:
        value = getattr(module, name)
        own = getattr(value, "__module__", "").startswith("barstack.")
        if own and (inspect.isclass(value) or inspect.isfunction(value)):
            yield name, value


def needs_none(value: Any) -> bool:
    """Errors, records that functions return, and bases, of which docs/plugins.md has an example."""
    if not inspect.isclass(value):
        return False
    methods = [
        name
        for name, each in vars(value).items()
        if inspect.isfunction(each) and not name.startswith("_") and name != "to_json"
    ]
    record = (dataclasses.is_dataclass(value) or issubclass(value, tuple)) and not methods
    protocol = getattr(value, "_is_protocol", False)
    return record or protocol or inspect.isabstract(value) or issubclass(value, BaseException)


def has_example(value: Any) -> bool:
    """In its own docstring or, for a class, in that of a public method."""
    texts = [value.__doc__ or ""]
    if inspect.isclass(value):
        members = (getattr(each, "__func__", each) for each in vars(value).values())
        texts += [each.__doc__ or "" for each in members if inspect.isfunction(each)]
    return any(">>> " in text for text in texts)


def lacking() -> set[str]:
    found: set[str] = set()
    seen: set[int] = set()
    for room in rooms():
        for name, value in public(room):
            if id(value) not in seen and not needs_none(value) and not has_example(value):
                found.add(f"{room}.{name}")
            seen.add(id(value))
    return found


def test_every_public_class_and_function_shows_an_example() -> None:
    found = sorted(lacking() - excused())
    assert found == [], "Give each a doctest, or leave it out of `__all__`."


def test_what_has_an_example_is_not_excused() -> None:
    assert sorted(excused() - lacking()) == []
