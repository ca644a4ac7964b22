"""Writing rows: new part files first, then the one manifest that lists them.

A writer that is interrupted leaves files that no manifest lists. They are never read, and the next
writer removes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from barstack.core.clock import epoch_s
from barstack.core.files import sweep_scratch, sync_folder
from barstack.core.times import DAY_US

from .._columns import stamps_of
from .._frames import bars_from_table, closed_at
from ._facts import Facts
from ._manifest import UNLISTED, Period, SymbolManifest, TimeRange, merged_ranges, refuse_lost
from ._parts import CANONICAL, STORED, fingerprint, missing, periods, read_part, write_part
from ._rows import Added, Overlap, refuse_conflicts, refuse_half_adjusted, refuse_overlaps

MOST_PARTS = 8  # of one period: the next top-up makes them one
# Replaced files are kept this long, for lazy scans that were planned before.
RETIRED_KEPT_S = 3600
# A few days may be all pre-market; a fortnight outside the sessions means a wrong calendar.
LONG_US = 14 * DAY_US


@dataclass(frozen=True)
class Writer:
    """Writes one symbol's folder; its user holds the symbol's lock."""

    folder: Path
    symbol: str
    facts: Facts
    where: str  # the collection, in error messages

    def add(self, given: pl.DataFrame, covered: Iterable[TimeRange], revise: bool) -> Added:
        """Store a canonical table's rows; returns when the disk has them."""
        before = self.manifest()
        self.sweep(before)
        after, added = self._with_rows(before, given, revise)
        after = replace(after, covered=merged_ranges([*before.covered, *covered]))
        if after != before:
            self._retire(before, after).save(self.folder)
            (self.folder / UNLISTED).unlink(missing_ok=True)
        return added

    def manifest(self) -> SymbolManifest:
        """The current manifest, empty for a new symbol; `StorageError` where it was lost."""
        try:
            return SymbolManifest.load(self.folder)
        except FileNotFoundError:
            refuse_lost(self.folder)
            (self.folder / UNLISTED).touch()
            sync_folder(self.folder)
            return SymbolManifest(self.symbol)

    def sweep(self, manifest: SymbolManifest) -> None:
        """Remove files of killed writers, and those replaced long enough ago."""
        stay = {part.file for part in manifest.parts} | _fresh(manifest.retired).keys()
        sweep_scratch(self.folder)
        for file in self.folder.glob("*.parquet"):
            if file.name not in stay:
                with suppress(PermissionError):  # on Windows while a reader has it open
                    file.unlink(missing_ok=True)

    def _with_rows(
        self, before: SymbolManifest, given: pl.DataFrame, revise: bool
    ) -> tuple[SymbolManifest, Added]:
        """The manifest that lists `given` too; its new files are written, and not yet visible."""
        spans = dict(periods(stamps_of(given), self.facts.length_us))
        known = [name for name in spans if name in before.periods]
        stored = {name: self._read(before.periods[name]) for name in known}
        overlap = Overlap.of(_canonical(stored.values()), given)
        if overlap.differs.any() and before.parts:
            if not revise:
                refuse_conflicts(overlap, self.symbol, self.where)
            ends = before.parts[0].first_us, before.parts[-1].last_us
            refuse_half_adjusted(overlap, *ends, self.symbol, self.where)
        changed = overlap.new | overlap.differs
        after = dict(before.periods)
        for name, rows in spans.items():
            if changed[rows].any():
                fresh = given[rows].filter(changed[rows])
                after[name] = self._changed(name, after.get(name), stored.get(name), fresh)
        by_time = dict(sorted(after.items(), key=lambda item: item[1].parts[0].first_us))
        manifest = replace(before, periods=by_time)
        self._refuse_overlapping_parts(manifest)
        new, revised = int(overlap.new.sum()), int(overlap.differs.sum())
        return manifest, Added(new, len(given) - new - revised, revised)

    def _changed(
        self, name: str, period: Period | None, stored: pl.DataFrame | None, fresh: pl.DataFrame
    ) -> Period:
        """A period with `fresh` rows, which replace stored ones of the same time."""
        fresh = self._completed(fresh)
        if period is None or stored is None:
            return Period(fingerprint(fresh), (write_part(self.folder, name, fresh),))
        whole = pl.concat([stored.join(fresh, on="timestamp", how="anti"), fresh])
        whole = whole.sort("timestamp")
        self._check(whole)
        stamps = stamps_of(fresh)
        disjoint = all(
            stamps[-1] < part.first_us or stamps[0] > part.last_us for part in period.parts
        )
        if disjoint and len(period.parts) < MOST_PARTS:
            parts = [*period.parts, write_part(self.folder, name, fresh)]
            parts.sort(key=lambda part: part.first_us)
        else:
            parts = [write_part(self.folder, name, whole)]
        return Period(fingerprint(whole), tuple(parts))

    def _completed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Canonical rows with the derived columns."""
        facts = self.facts
        closes = closed_at(
            stamps_of(rows), facts.length_us, facts.calendar, facts.hours, facts.day_zone
        )
        self._check(rows)
        return rows.select(
            pl.lit(self.symbol).alias("symbol"),
            "timestamp",
            pl.Series("closed_at", closes).cast(STORED["closed_at"]),
            *list(CANONICAL)[1:],
        )

    def _check(self, rows: pl.DataFrame) -> None:
        """`DataError` unless all rows of a period are one series of bars."""
        stamps, length_us = stamps_of(rows), self.facts.length_us
        refuse_overlaps(stamps, self.symbol, self.facts, self.where)
        bars_from_table(
            rows,
            self.symbol,
            length_us=length_us,
            calendar=self.facts.calendar,
            hours=self.facts.hours,
            day_zone=self.facts.day_zone,
            mostly_inside=length_us >= DAY_US or int(stamps[-1] - stamps[0]) >= LONG_US,
            where=self.where,
        )

    def _refuse_overlapping_parts(self, manifest: SymbolManifest) -> None:
        for earlier, later in pairwise(manifest.parts):
            stamps = np.array([earlier.last_us, later.first_us])
            refuse_overlaps(stamps, self.symbol, self.facts, self.where)

    def _read(self, period: Period) -> pl.DataFrame:
        try:
            return pl.concat([read_part(self.folder, part) for part in period.parts])
        except FileNotFoundError as gone:  # listed files are not removed while we hold the lock
            raise missing(gone) from None

    def _retire(self, before: SymbolManifest, after: SymbolManifest) -> SymbolManifest:
        listed = {part.file for part in after.parts}
        replaced = {part.file for part in before.parts} - listed
        now = int(epoch_s())
        retired = _fresh(before.retired) | dict.fromkeys(sorted(replaced), now)
        stay = {file: at for file, at in retired.items() if file not in listed}
        return replace(after, retired=stay)


def _fresh(retired: dict[str, int]) -> dict[str, int]:
    """Those replaced so recently that a scan may still read them."""
    oldest = epoch_s() - RETIRED_KEPT_S
    return {file: at for file, at in retired.items() if at > oldest}


def _canonical(tables: Iterable[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([CANONICAL.to_frame(), *(table.select(list(CANONICAL)) for table in tables)])
