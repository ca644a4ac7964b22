"""Which experiments a page is about: filters, as they stand in its address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from barstack.tracking import Experiment

from ._measures import name_of

_COLUMNS = {
    "sweep": "sweep_id",
    "model": "model_name",
    "horizon": "horizon_name",
    "period": "period",
    "symbol": "symbol",
    "status": "status",
}


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What an experiment must have; an empty text leaves all.

    find  text that the name, the id or the error contains, whatever the case

    >>> Filters.of({"model": "lstm", "page": "2"}).query(sort="ic")
    '?model=lstm&sort=ic'
    """

    sweep: str = ""
    model: str = ""
    horizon: str = ""
    period: str = ""
    symbol: str = ""
    status: str = ""
    find: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Filters:
        """From the query of an address; what is no filter is ignored."""
        return cls(**{each.name: given.get(each.name, "") for each in fields(cls)})

    def rows(self, rows: Iterable[Experiment]) -> list[Experiment]:
        """Experiments that pass, in their order."""
        wanted = [(column, getattr(self, name)) for name, column in _COLUMNS.items()]
        wanted = [(column, value) for column, value in wanted if value]
        text = self.find.casefold()
        return [
            row
            for row in rows
            if all(getattr(row, column) == value for column, value in wanted)
            and (not text or text in f"{name_of(row)}\n{row.experiment_id}\n{row.error}".casefold())
        ]

    def query(self, **more: object) -> str:
        """As the query of an address; a filter that is given as None or empty is dropped."""
        pairs = {each.name: getattr(self, each.name) for each in fields(self)} | more
        text = urlencode({name: value for name, value in pairs.items() if value not in ("", None)})
        return f"?{text}" if text else "?"

    def without(self, *names: str) -> Filters:
        """The same, with these left open."""
        return replace(self, **dict.fromkeys(names, ""))

    def choices(self, rows: Sequence[Experiment]) -> dict[str, list[str]]:
        """By filter, the values that experiments have, in the order people expect."""
        own = self.without(*(name for name in _COLUMNS if name != "sweep"), "find").rows(rows)
        found = {}
        for name, column in _COLUMNS.items():
            of = rows if name == "sweep" else own
            values = {getattr(row, column) for row in of} - {""}
            found[name] = sorted(values, key=natural)
        return found


_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 604800, "mo": 2592000}
_UNITS |= {"y": 31536000, "yr": 31536000}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|mo|m|h|d|w|yr|y)")


def natural(text: str) -> tuple[float, str]:
    """A key for sorting: lengths of time by their length, everything else by its letters.

    >>> sorted(["1d", "60min", "2h", "15min", "3mo"], key=natural)
    ['15min', '60min', '2h', '1d', '3mo']
    """
    match = _LENGTH.fullmatch(text)
    return (float(match[1]) * _UNITS[match[2]], "") if match else (float("inf"), text)
