"""Tasks on members' forecasts: ensembles, what an evaluation finds, the artifact, and tables.

Nothing here fits a member. What depends on the number of trials, such as the verdict, is not a
task but a view: see `_views`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from barstack.bars import Panel, SeriesTable
from barstack.core.decisions import shared_rows
from barstack.core.spec import content_id
from barstack.core.times import as_time
from barstack.ensembles import (
    Ensemble,
    FittedEnsemble,
    RegimeView,
    align,
    fit_known,
    walk_forward,
)
from barstack.evaluation import Evaluation, evaluate
from barstack.features import FeatureTable, history_bars
from barstack.forecasting import Provenance, TrainedEnsemble, check_reloads
from barstack.labels import LabelTable
from barstack.splits import Fold
from barstack.tracking import OutOfFold

from ._data import length_us, series_fingerprint
from ._fits import FinalFit, MemberForecasts, fit_name, versions, write_json
from ._labels import StudyLabels
from ._study import Study
from ._task import Operation, Place, Task, Workspace, stage


@dataclass(frozen=True, eq=False)
class EnsembleFits:
    """An ensemble as fitted before each fold and finally, and its forecasts.

    Its members have numbers in place of names, which `named` puts back: what they are called in a
    study is not part of what is learned.
    """

    out_of_fold: OutOfFold
    by_fold: dict[int, FittedEnsemble]
    final: FittedEnsemble

    def named(self, members: tuple[str, ...]) -> EnsembleFits:
        """With its members called as a study calls them."""
        by_fold = {fold: replace(each, members=members) for fold, each in self.by_fold.items()}
        return EnsembleFits(self.out_of_fold, by_fold, replace(self.final, members=members))


def fit_ensemble(
    workspace: Workspace,
    labels: StudyLabels,
    folds: list[Fold],
    *more: Any,
    ensemble: Ensemble,
    seed: int,
) -> EnsembleFits:
    """An ensemble fitted fold by fold and finally, from forecasts out of fold alone.

    more  a table for each entry of context that it needs, then what it combines
    """
    needs = ensemble.needs
    context = {
        name: (table.decisions, table.values) for name, table in zip(needs, more, strict=False)
    }
    combined: Iterable[MemberForecasts | EnsembleFits] = more[len(needs) :]
    by_number = {str(number): each.out_of_fold for number, each in enumerate(combined)}
    stacked = align(by_number, labels.judged(folds), context=context)
    forecasts, by_fold = walk_forward(ensemble, stacked, seed=seed)
    final = fit_known(ensemble, stacked, seed=seed)
    if (note := final.note) is not None:
        name = ensemble.registered_as[1] if ensemble.registered_as else type(ensemble).__name__
        workspace.progress.note(f"{name}: {note}")
    return EnsembleFits(forecasts, by_fold, final)


def save_ensemble(fits: EnsembleFits, place: Place) -> None:
    place.forecasts.write(place.key, fits.out_of_fold)
    spec = fits.final.ensemble.content()
    write_json(place.folder / "ensemble.json", {"ensemble": spec, "folds": list(fits.by_fold)})
    for stem, each in (*((str(n), fit) for n, fit in fits.by_fold.items()), ("final", fits.final)):
        about = {"trained_through": str(each.trained_through), "members": each.members}
        write_json(place.folder / f"{stem}.json", about)
        each.save(place.folder / f"{stem}.learned")


def load_ensemble_fits(place: Place) -> EnsembleFits:
    from barstack.ensembles import ENSEMBLES  # noqa: PLC0415

    about = json.loads((place.folder / "ensemble.json").read_text())
    spec = ENSEMBLES.parse(about["ensemble"])

    def one(stem: str) -> FittedEnsemble:
        own = json.loads((place.folder / f"{stem}.json").read_text())
        through = as_time(own["trained_through"])
        file = place.folder / f"{stem}.learned"
        return FittedEnsemble.load(spec, file, tuple(own["members"]), through)

    by_fold = {int(fold): one(str(fold)) for fold in about["folds"]}
    return EnsembleFits(place.forecasts.read(place.key), by_fold, one("final"))


def evaluate_study(
    workspace: Workspace,
    panel: Panel,
    features: FeatureTable,
    labels: StudyLabels,
    folds: list[Fold],
    *parts: Any,
    members: tuple[str, ...],
    ensembles: tuple[str, ...],
    combined: Mapping[str, tuple[str, ...]],
    cost_bps: float,
) -> Evaluation:
    """What is found on members, ensembles and naive forecasts; no trials are counted.

    parts     of the members, then of the ensembles, then the regimes where any needs them
    combined  by ensemble, the names of what it combines
    """
    of_members = dict(zip(members, parts, strict=False))
    of_ensembles = dict(zip(ensembles, parts[len(members) :], strict=False))
    context = {"features": (features.decisions, features.values)}
    for regimes in parts[len(members) + len(ensembles) :]:
        context["regimes"] = (regimes.decisions, regimes.values)
    named = {name: each.named(combined[name]) for name, each in of_ensembles.items()}
    return evaluate(
        panel,
        labels.judged(folds),
        align({name: each.out_of_fold for name, each in of_members.items()}, context=context),
        shared({name: each.out_of_fold for name, each in named.items()}),
        {name: {**each.by_fold, "final": each.final} for name, each in named.items()},
        cost_bps=cost_bps,
        features=features,
    )


def shared(forecasts: Mapping[str, OutOfFold]) -> dict[str, OutOfFold]:
    """The decisions that all of them forecast: those of an ensemble of ensembles begin later."""
    picks = shared_rows([each.forecast.decisions for each in forecasts.values()])
    return {
        name: OutOfFold(each.forecast.take(rows), each.fold[rows])
        for (name, each), rows in zip(forecasts.items(), picks, strict=True)
    }


def save_evaluation(found: Evaluation, place: Place) -> None:
    write_json(place.folder / "evaluation.json", found.to_json())


def load_evaluation(place: Place) -> Evaluation:
    return Evaluation.from_json(json.loads((place.folder / "evaluation.json").read_text()))


def make_artifact(
    workspace: Workspace,
    panel: Panel,
    tables: Mapping[str, SeriesTable],
    features: FeatureTable,
    labels: StudyLabels,
    *parts: FinalFit | EnsembleFits,
    study: Study,
) -> tuple[TrainedEnsemble, FeatureTable]:
    """The judged ensemble with the final fits of all that is behind it, to forecast new bars.

    Beside it the features that its reloaded copy must forecast alike.
    """
    members, ensembles = study.behind(study.ensemble_names[0])
    by_name: Any = dict(zip((*members, *ensembles), parts, strict=False))
    detector: Any = parts[-1] if len(parts) > len(by_name) else None
    *lower, judged = (
        (name, by_name[name].named(study.combined_by(name)).final) for name in ensembles
    )
    chosen = study.feature_set(length_us(panel))
    trained = TrainedEnsemble(
        features=chosen,
        target=study.label.target,
        members={name: by_name[name].fitted for name in members},
        ensemble=judged[1],
        lower=dict(lower),
        name=judged[0],
        detector=None if detector is None else detector.fitted,
        bars=replace(
            study.bars.bar_format(workspace.folder, panel), history_bars=history_bars(chosen, panel)
        ),
        provenance=Provenance(
            study=study.content(),
            study_id=study.id,
            label=labels.final.content,
            data_sha256=data_id(panel, tables),
            series={
                name: {"sha256": table.fingerprint, "rows": len(table)}
                for name, table in tables.items()
            },
        ),
    )
    return trained, features


def data_id(panel: Panel, tables: Mapping[str, SeriesTable]) -> str:
    """Content id of bars and series together; of the bars alone where there are no series."""
    from barstack.bars import panel_fingerprint  # noqa: PLC0415

    bars = panel_fingerprint(panel)
    return content_id([bars, series_fingerprint(tables)]) if tables else bars


def save_artifact(made: tuple[TrainedEnsemble, FeatureTable], place: Place) -> None:
    trained, features = made
    trained.save(place.folder / "artifact")
    check_reloads(trained, place.folder / "artifact", features)


def write_tables(
    workspace: Workspace,
    labels: StudyLabels,
    folds: list[Fold],
    found: Evaluation,
    *parts: MemberForecasts | EnsembleFits | FinalFit,
    study: Study,
) -> dict[Path, dict[str, Any]]:
    """For each member and ensemble, tables of what it forecast and what was realised, and metrics.

    members/NAME/test.parquet        forecasts out of fold, with what was realised
    members/NAME/validation.parquet  forecasts of the rows that each fold's fit stopped early by
    members/NAME/metrics.json        settings, scores by horizon, accuracy by fold, each fit
    ensembles/NAME/...               likewise, without what only members have
    """
    judged, left = labels.judged(folds), list(parts)
    laid_out: dict[Path, dict[str, Any]] = {}
    n_members = len(study.members)
    for place, (name, model) in enumerate(study.members.items()):
        member: Any = left[place]
        final: Any = left[n_members + place]
        files: dict[str, Any] = {"test.parquet": with_outcome(member.out_of_fold, judged)}
        if member.validation is not None:
            files["validation.parquet"] = with_outcome(member.validation, judged)
        about = {"model": model.content(), "fits": [*member.facts, final.facts]}
        files["metrics.json"] = _metrics(found, name, about)
        laid_out[Path("members", name)] = files
    for name, ensemble in zip(study.ensemble_names, left[2 * n_members :], strict=True):
        fits: Any = ensemble
        final = fits.named(study.combined_by(name)).final
        about = {"ensemble": study.ensembles[name].content(), "note": final.note}
        if (view := RegimeView.of(final, judged.target.horizons)) is not None:
            about["performance_by_regime"] = view.performance()
        laid_out[Path("ensembles", name)] = {
            "test.parquet": with_outcome(fits.out_of_fold, judged),
            "metrics.json": _metrics(found, name, about),
        }
    return laid_out


def save_tables(laid_out: dict[Path, dict[str, Any]], place: Place) -> None:
    for folder, files in laid_out.items():
        (place.folder / folder).mkdir(parents=True)
        for name, content in files.items():
            if isinstance(content, pl.DataFrame):
                content.write_parquet(place.folder / folder / name)
            else:
                write_json(place.folder / folder / name, content)


def with_outcome(found: OutOfFold, labels: LabelTable) -> pl.DataFrame:
    """Forecasts, one row a decision, and what was realised.

    Columns decided_at, symbol, fold, trained_through and what was forecast such as return_4h; then
    for each horizon known_at_4h, label_4h (the return, or the class) and realised_4h (the return).
    What is still open is null.
    """
    forecast = found.forecast
    rows = labels.decisions.find(forecast.decisions)
    columns: dict[str, Any] = forecast.columns() | {"fold": found.fold}
    first = {name: columns.pop(name) for name in ("decided_at", "symbol", "fold")}
    for place, horizon in enumerate(labels.target.horizons):
        columns |= {
            f"known_at_{horizon}": labels.known_at[rows, place],
            f"label_{horizon}": labels.values[rows, place],
            f"realised_{horizon}": labels.returns[rows, place],
        }
    return pl.DataFrame(first | columns, nan_to_null=True)


def _metrics(found: Evaluation, name: str, about: dict[str, Any]) -> dict[str, Any]:
    """Scores by horizon and accuracy by fold of one forecaster, with what it is."""
    return {
        "name": name,
        **about,
        "scores": [asdict(score) for score in found.scores if score.name == name],
        "folds": [asdict(fold) for fold in found.folds if fold.name == name],
    }


ENSEMBLE = Operation("ensemble", fit_ensemble, ("ensembles",), save_ensemble, load_ensemble_fits)
EVALUATION = Operation(
    "evaluation", evaluate_study, ("evaluation",), save_evaluation, load_evaluation
)
ARTIFACT = Operation("artifact", make_artifact, ("forecasting",), save_artifact)
TABLES = Operation("tables", write_tables, ("evaluation",), save_tables)


@stage("results")
def result_tasks(study: Study, n_folds: int) -> Iterable[Task]:
    """Ensembles, the evaluation, the artifact and tables of forecasts."""
    names = study.ensemble_names
    members = tuple(f"member {name}" for name in study.members)
    finals = tuple(fit_name(name, None) for name in study.members)
    ensembles = tuple(f"ensemble {name}" for name in names)
    task_of = dict(zip((*study.members, *names), (*members, *ensembles), strict=True))
    for task, name in zip(ensembles, names, strict=True):
        ensemble = study.ensembles[name]
        combined = tuple(task_of[each] for each in study.combined_by(name))
        yield Task(
            task,
            ENSEMBLE,
            ("labels", "split", *ensemble.needs, *combined),
            # What it combines is among the inputs, whatever that is called.
            {"ensemble": ensemble.model_copy(update={"of": ()}), "seed": study.seed},
            environment=versions(ensemble.packages),
        )
    yield Task(
        "evaluation",
        EVALUATION,
        (
            *("bars", "features", "labels", "split", *members, *ensembles),
            *(("regimes",) if study.detector else ()),
        ),
        {
            "members": tuple(study.members),
            "ensembles": names,
            "combined": {name: study.combined_by(name) for name in names},
            "cost_bps": study.cost_bps,
        },
        publish=("evaluation.json",),
    )
    served, layers = study.behind(names[0])
    behind = [*(fit_name(name, None) for name in served), *(task_of[name] for name in layers)]
    if any("regimes" in study.ensembles[name].needs for name in layers):
        behind.append("detector")
    yield Task(
        "artifact",
        ARTIFACT,
        ("bars", "series", "features", "labels", *behind),
        {"study": study},
        environment=TrainedEnsemble.format,
        publish=("artifact",),
    )
    yield Task(
        "tables",
        TABLES,
        ("labels", "split", "evaluation", *members, *finals, *ensembles),
        {"study": study},
        publish=("members", "ensembles"),
    )
