"""The stage that reads a study's series, and what they add to the identity of its data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from barstack.bars import SeriesTable
from barstack.core.spec import content_id

from ._chain import Chain, Step, Values, Workplace, stage
from ._study import Study


@stage("series")
def series(study: Study, workplace: Workplace, chain: Chain) -> Iterable[Step]:
    """Checked tables by name, read afresh each time; their content is their key."""

    def make(inputs: Values, key: str) -> dict[str, SeriesTable]:
        return {name: file.load(workplace.folder, name) for name, file in study.series.items()}

    def fingerprint(tables: Mapping[str, SeriesTable]) -> str:
        return content_id({name: table.fingerprint for name, table in tables.items()})

    if study.series:
        yield Step(name="series", needs=(), spec=dict, make=make, fingerprint=fingerprint)


def series_of(study: Study, chain: Chain) -> dict[str, SeriesTable]:
    """The tables of a study's series; none where it has none."""
    found: dict[str, SeriesTable] = chain.value("series") if study.series else {}
    return found


def data_fingerprint(study: Study, chain: Chain) -> str:
    """Of bars and series together; of the bars alone where there are no series."""
    bars = chain.key("bars")
    return content_id([bars, chain.key("series")]) if study.series else bars
