"""Stages from members to artifact. Each says what it needs and how it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from barstack.bars import Panel
from barstack.core.forecast import Forecast, concatenate
from barstack.core.times import as_time
from barstack.ensembles import FittedEnsemble, align, fit_known, walk_forward
from barstack.evaluation import Evaluation, Verdict, evaluate, judge, leaderboard
from barstack.evaluation.audit import Data
from barstack.features import FeatureTable, history_bars
from barstack.forecasting import GivenVerdict, Provenance, TrainedEnsemble, check_reloads
from barstack.models import FittedModel, Model
from barstack.splits import Fold
from barstack.tracking import OutOfFold

from ._audit import Audited, before_supported
from ._chain import Chain, Step, Values, Workplace, stage
from ._data_stages import length_us
from ._label_stages import FINAL
from ._member_fits import MemberFits, fit_facts, in_words, untrained
from ._series_stage import data_fingerprint, series_of
from ._study import Study
from ._trials import count_trials


@dataclass(frozen=True, eq=False)
class Member:
    """One member of a study.

    final  fitted on everything
    fits   facts on the fit of each fold, and last on the final one
    """

    final: FittedModel
    fits: list[dict[str, Any]]


@stage("members")
def members(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """For each member its forecasts out of fold, in the column store, and a final fit."""
    shared: list[MemberFits] = []  # made by the first member that is not stored, for all of them
    for name, model in study.members.items():
        yield _member(study, name, model, workplace, shared)


def _member(
    study: Study, name: str, model: Model, workplace: Workplace, shared: list[MemberFits]
) -> Step:
    def make(inputs: Values, key: str) -> Member:
        features: FeatureTable = inputs["features"]
        folds: list[Fold] = inputs["split"]
        if not shared:
            shared.append(MemberFits(study, features, inputs["labels"], folds))
        (member_fits,) = shared
        checkpoints = workplace.store / "training" / key
        parts, stopped_by, fits = [], {}, []
        with workplace.progress.step(f"fitting {name}", len(folds) + 1) as progress:
            for number, fold in enumerate(folds):
                dataset = member_fits.dataset(number)
                fitted = member_fits.fit(model, number, dataset, checkpoints / str(number))
                asked = fold.test[dataset.labels.eligible[fold.test]]
                rows = fitted.forecastable(dataset, asked)
                parts.append(fitted.forecast(features, rows, fold.kind))
                waiting = untrained(fitted, dataset, asked)
                if waiting:
                    workplace.progress.note(in_words(name, number, waiting))
                fits.append(fit_facts(fitted, number) | {"untrained": waiting})
                if fitted.stop_rows is not None and len(fitted.stop_rows):
                    own_stop = fitted.forecast(features, fitted.stop_rows, "in_sample")
                    stopped_by[number] = own_stop
                progress.advance()
            everything = member_fits.dataset(FINAL)
            final = member_fits.fit(model, FINAL, everything, checkpoints / "final")
            for folder in (*checkpoints.glob("*"), checkpoints):
                with suppress(OSError):  # there was none, or another process is still at it
                    folder.rmdir()
            progress.advance()
        workplace.forecasts.write(key, _by_fold(dict(enumerate(parts))))
        if stopped_by:
            workplace.forecasts.write(validation_key(key), _by_fold(stopped_by))
        return Member(final, [*fits, fit_facts(final, FINAL)])

    def save(member: Member, folder: Path, key: str) -> None:
        member.final.save(folder / "final")
        write_json(folder / "fits.json", member.fits)

    seen = [study.scaler.id, study.weights.id, study.max_gap]
    return Step(
        name=f"member {name}",
        needs=("features", "labels", "split", "audit"),
        spec=lambda: [model.id, model.files_id(), study.seed, *seen, _versions(model.packages)],
        make=make,
        save=save,
        load=lambda folder, key: Member(
            FittedModel.load(folder / "final"), json.loads((folder / "fits.json").read_text())
        ),
    )


def validation_key(key: str) -> str:
    """Where the column store has what a member said of the rows that its fits stopped early by."""
    return f"{key}-validation"


def _by_fold(parts: Mapping[int, Forecast]) -> OutOfFold:
    """Forecasts one after the other, with the fold of each."""
    fold_of = np.repeat(np.array(list(parts)), [len(part) for part in parts.values()])
    return OutOfFold(concatenate(list(parts.values())), fold_of)


@stage("ensemble")
def ensemble(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Every ensemble, fitted fold by fold and finally, from the column store alone."""
    needs = tuple(f"member {name}" for name in study.members)

    def make(inputs: Values, key: str) -> dict[str, dict[int, FittedEnsemble]]:
        table = inputs["labels"].judged(inputs["split"])
        aligned = align(out_of_fold(study, workplace, chain), table)
        fitted = {}
        for each, name in zip(study.ensembles, study.ensemble_names, strict=True):
            forecasts, by_fold = walk_forward(each, aligned, seed=study.seed)
            workplace.forecasts.write(f"{key}-{name}", forecasts)
            fitted[name] = by_fold | {FINAL: fit_known(each, aligned, seed=study.seed)}
        return fitted

    def save(fitted: dict[str, dict[int, FittedEnsemble]], folder: Path, key: str) -> None:
        for name, by_fold in fitted.items():
            for fold, each in by_fold.items():
                about = {"trained_through": str(each.trained_through), "members": each.members}
                stem = f"{name}.{fold}"
                (folder / f"{stem}.json").write_text(json.dumps(about))
                each.save(folder / f"{stem}.learned")

    def load(folder: Path, key: str) -> dict[str, dict[int, FittedEnsemble]]:
        fitted: dict[str, dict[int, FittedEnsemble]] = {}
        for spec, name in zip(study.ensembles, study.ensemble_names, strict=True):
            files = folder.glob(f"{name}.*.json")
            by_fold = {int(file.name.split(".")[1]): file for file in files}
            for fold in sorted(by_fold, key=lambda number: (number == FINAL, number)):
                about = json.loads(by_fold[fold].read_text())
                fitted.setdefault(name, {})[fold] = FittedEnsemble.load(
                    spec,
                    folder / f"{name}.{fold}.learned",
                    tuple(about["members"]),
                    as_time(about["trained_through"]),
                )
        return fitted

    yield Step(
        name="ensemble",
        needs=(*needs, "labels", "split"),
        spec=lambda: [[each.id for each in study.ensembles], list(study.members)],
        make=make,
        save=save,
        load=load,
    )


class Judged(NamedTuple):
    """An evaluation with the verdict on it, as `evaluation.json` in a run's folder holds them."""

    evaluation: Evaluation
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        verdict = self.verdict.to_json()
        audits = verdict.pop("audits")
        scores = leaderboard(self.evaluation, self.verdict.trials)
        more = {"scores": scores, "verdict": verdict, "audits": audits}
        return self.evaluation.to_json() | more

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Judged:
        """The pair that `to_json` wrote."""
        evaluation = Evaluation.from_json(data)
        return cls(evaluation, Verdict.from_json(data["verdict"] | {"audits": data["audits"]}))


@stage("evaluation")
def evaluation(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Scores, curves and the verdict, for the number of trials that the ledger holds."""

    def make(inputs: Values, key: str) -> Judged:
        ensemble_key = chain.key("ensemble")
        tried = count_trials(study, workplace, chain)
        found = evaluate(
            inputs["bars"],
            inputs["labels"].judged(inputs["split"]),
            align(out_of_fold(study, workplace, chain)),
            {
                name: workplace.forecasts.read(f"{ensemble_key}-{name}")
                for name in study.ensemble_names
            },
            inputs["ensemble"],
            cost_bps=study.cost_bps,
            features=inputs["features"],
        )

        def verdict(audits: list[Audited]) -> Verdict:
            return judge(
                found,
                trials=tried.trials,
                looks=tried.looks,
                leaks=sum(len(each.leaks) for each in audits),
                audits=[each.record for each in audits],
                expected=study.large_effect,
            )

        short: Audited = inputs["audit"]
        first = verdict([short])
        if first.edge != "supported":
            return Judged(found, first)
        with workplace.progress.step("audit of a fold in full", total=1) as progress:
            data = Data(inputs["bars"], series_of(study, chain))
            full = before_supported(study, data, short)
            progress.advance()
        return Judged(found, verdict([short, full]))

    yield Step(
        name="evaluation",
        needs=("bars", "features", "labels", "split", "audit", "ensemble"),
        spec=lambda: [study.cost_bps, study.large_effect, *count_trials(study, workplace, chain)],
        make=make,
        publish="evaluation.json",
        save=lambda found, folder, key: write_json(folder / "evaluation.json", found.to_json()),
        load=lambda folder, key: Judged.from_json(
            json.loads((folder / "evaluation.json").read_text())
        ),
    )


@stage("artifact")
def artifact(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """The first ensemble with its members' final fits, ready to forecast new bars."""
    needs = tuple(f"member {name}" for name in study.members)

    def make(inputs: Values, key: str) -> TrainedEnsemble:
        panel: Panel = inputs["bars"]
        verdict = inputs["evaluation"].verdict
        features = study.feature_set(length_us(panel))
        return TrainedEnsemble(
            features=features,
            target=study.label.target,
            members={name: inputs[f"member {name}"].final for name in study.members},
            ensemble=inputs["ensemble"][study.ensemble_names[0]][FINAL],
            bars=replace(
                study.bars.bar_format(workplace.folder, panel),
                history_bars=history_bars(features, panel),
            ),
            provenance=Provenance(
                study=study.content(),
                study_id=study.id,
                label=inputs["labels"].of(FINAL).label.content(),
                data_sha256=data_fingerprint(study, chain),
                series={
                    name: {"sha256": table.fingerprint, "rows": len(table)}
                    for name, table in series_of(study, chain).items()
                },
            ),
            verdict=GivenVerdict(
                verdict.edge,
                verdict.sentence,
                verdict.horizon,
                given_at=datetime.now(UTC).isoformat(timespec="seconds"),
                trials=verdict.trials,
            ),
        )

    def save(trained: TrainedEnsemble, folder: Path, key: str) -> None:
        trained.save(folder / "artifact")
        check_reloads(trained, folder / "artifact", chain.value("features"))

    yield Step(
        name="artifact",
        needs=("bars", "features", "labels", "ensemble", "evaluation", *needs),
        spec=lambda: [study.id, TrainedEnsemble.format],
        make=make,
        publish="artifact",
        save=save,
        load=lambda folder, key: TrainedEnsemble.load(folder / "artifact"),
    )


def out_of_fold(study: Study, workplace: Workplace, chain: Chain) -> dict[str, OutOfFold]:
    """What each member forecast out of fold, from the column store."""
    return {name: workplace.forecasts.read(chain.key(f"member {name}")) for name in study.members}


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found


def write_json(file: Path, content: Any) -> None:
    """Plain data as a file."""
    file.write_text(json.dumps(content, indent=1))
