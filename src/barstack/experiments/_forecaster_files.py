"""The stage that lays out, for each member and ensemble, what it forecast and how it did.

members/NAME/test.parquet        forecasts out of fold, with what came of them
members/NAME/validation.parquet  forecasts of the rows that each fold's fit stopped early by
members/NAME/metrics.json        settings, scores by horizon, accuracy by fold, each fit
ensembles/NAME/...               likewise, without what only members have
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from barstack.evaluation import Evaluation
from barstack.labels import LabelTable
from barstack.tracking import OutOfFold

from ._chain import Chain, Step, Values, Workplace, stage
from ._learning_stages import Member, out_of_fold, validation_key, write_json
from ._study import Study


class Files(NamedTuple):
    """What goes into one forecaster's folder: tables by name, and metrics."""

    folder: Path
    tables: dict[str, pl.DataFrame]
    metrics: dict[str, Any]


@stage("files")
def files(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Folders of members and of ensembles, for people and their own tools."""
    members = [f"member {name}" for name in study.members]

    def make(inputs: Values, key: str) -> list[Files]:
        judged = inputs["labels"].judged(inputs["split"])
        found: Evaluation = inputs["evaluation"].evaluation
        laid_out = []
        for name, out in out_of_fold(study, workplace, chain).items():
            member: Member = inputs[f"member {name}"]
            tables = {"test": with_outcome(out, judged)}
            validation = validation_key(chain.key(f"member {name}"))
            if any(fit["stop_rows"] for fit in member.fits[:-1]):
                read = workplace.forecasts.read(validation)
                tables["validation"] = with_outcome(read, judged)
            about = {"model": study.members[name].content(), "fits": member.fits}
            laid_out.append(Files(Path("members", name), tables, _metrics(found, name, about)))
        for spec, name in zip(study.ensembles, study.ensemble_names, strict=True):
            out = workplace.forecasts.read(f"{chain.key('ensemble')}-{name}")
            about = {"ensemble": spec.content()}
            metrics = _metrics(found, name, about)
            table = {"test": with_outcome(out, judged)}
            laid_out.append(Files(Path("ensembles", name), table, metrics))
        return laid_out

    def save(laid_out: list[Files], folder: Path, key: str) -> None:
        for each in laid_out:
            own = folder / each.folder
            own.mkdir(parents=True)
            for name, table in each.tables.items():
                table.write_parquet(own / f"{name}.parquet")
            write_json(own / "metrics.json", each.metrics)

    yield Step(
        name="files",
        needs=("labels", "split", "ensemble", "evaluation", *members),
        spec=lambda: [],
        make=make,
        save=save,
        publish=("members", "ensembles"),
    )


def with_outcome(found: OutOfFold, labels: LabelTable) -> pl.DataFrame:
    """Forecasts, one row a decision, and what came of them.

    Columns decided_at, symbol, fold, trained_through and what was forecast such as return_4h; then
    for each horizon known_at_4h, label_4h (the return, or the class) and came_4h (the return).
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
            f"came_{horizon}": labels.returns[rows, place],
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
