"""Hand-made days: bars, decisions and the fills that the rules demand, from `hand_made`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from barstack.bars import BAR, Bars
from barstack.simulation import Book, Events, Reason, Settings, Targets

FOLDER = Path(__file__).parent / "hand_made"
_START = np.datetime64("2026-01-05T15:00", "us")
_MINUTE = np.timedelta64(60_000_000, "us")
_KINDS = {"limit": "limit", "stop_order": "stop", "close": "close"}
_USUAL_FILLS = {"levels": "price", "at_end": "carry"}
_COLUMNS = ("position", "kind", "price", "stop", "take", "trail", "hold_bars", "valid_bars")


@dataclass
class Day:
    """One hand-made day.

    slots  (n_slots,) times at which bars open, missing ones included
    rows   by symbol, slot -> row of its bars
    """

    name: str
    says: str
    bars: dict[str, Bars]
    rows: dict[str, dict[int, int]]
    halted: dict[str, Any]
    targets: list[tuple[int, str, Targets]]
    events: Events
    settings: Settings
    decide: list[str]
    fills: list[str]
    log: list[str] | None
    expected: dict[str, Any] = field(default_factory=dict)

    def run(self) -> Book:
        """All bars in one call."""
        book = Book(list(self.bars), self.settings)
        book.advance(self.bars, self.all_targets(), events=self.events, halted=self.halted)
        if self.expected.get("finish") and self.settings.fills.at_end == "close":
            book.close()
        return book

    def all_targets(self) -> Targets:
        return joined([each for _, _, each in self.targets])

    def found_fills(self, book: Book) -> list[str]:
        several = len(self.bars) > 1
        found = []
        for fill in book.fills:
            symbol = book.symbols[fill["symbol"]]
            slot = slot_of(self.rows[symbol], int(fill["row"]))
            name = f"{symbol} " if several else ""
            reason = Reason(fill["reason"]).name.lower()
            found.append(f"{slot} {name}{fill['quantity']:+g} @{fill['price']:g} {reason}")
        return found

    def found_log(self, book: Book) -> list[str]:
        return [
            f"{slot_of(self.rows[book.symbols[each['symbol']]], int(each['row']))} "
            f"{Reason(each['reason']).name.lower()}"
            for each in book.log
        ]


def slot_of(rows: dict[int, int], row: int) -> int:
    if row < 0:
        return max(rows)
    return next(slot for slot, own in rows.items() if own == row)


def joined(parts: list[Targets]) -> Targets:
    """Decisions of several `Targets` in one, in the order of time."""
    symbols = np.concatenate([each.decisions.symbol for each in parts])
    times = np.concatenate([each.decisions.decided_at for each in parts])
    columns = {name: np.concatenate([getattr(each, name) for each in parts]) for name in _COLUMNS}
    order = np.lexsort((times, symbols))
    plain = Targets.of(symbols, times, columns["position"])
    return Targets(plain.decisions, *(values[order] for values in columns.values()))


@dataclass
class Chapter:
    title: str
    rule: str
    days: list[Day]


def chapters() -> list[Chapter]:
    found = []
    for file in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(file.read_text())
        days = [_day(each) for each in content["days"]]
        found.append(Chapter(content["title"], " ".join(content["rule"].split()), days))
    return found


def all_days() -> list[Day]:
    return [day for chapter in chapters() for day in chapter.days]


def _day(content: dict[str, Any]) -> Day:
    own = content["bars"]
    by_symbol = own if isinstance(own, dict) else {"A": own}
    bars, rows, halted = {}, {}, {}
    for symbol, lines in by_symbol.items():
        bars[symbol], rows[symbol], halted[symbol] = _bars(symbol, lines)
    opens = _opens(next(iter(by_symbol.values())))
    targets = [_target(line, opens, len(by_symbol) > 1) for line in content["decide"]]
    events = []
    for line in content.get("events", []):
        slot, kind, value = line.split()
        events.append(("A", opens[int(slot)], kind, float(value)))
    given = content.get("settings", {})
    settings = Settings(
        **{"unit": "units"} | given | {"fills": _USUAL_FILLS | given.get("fills", {})}
    )
    known = {"name", "says", "bars", "decide", "events", "settings", "fills", "log"}
    expected = {key: value for key, value in content.items() if key not in known}
    assert set(expected) <= {"equity", "working", "held", "trades", "finish"}, expected
    return Day(
        content["name"],
        content["says"],
        bars,
        rows,
        halted,
        targets,
        Events.of(events),
        settings,
        content["decide"],
        content["fills"],
        content.get("log"),
        expected,
    )


def _opens(lines: list[str]) -> list[np.datetime64]:
    """Each slot is a minute; a new session opens a day later."""
    found: list[np.datetime64] = []
    for line in lines:
        before = found[-1] + _MINUTE if found else _START
        found.append(before + np.timedelta64(1, "D") if line.startswith("new ") else before)
    return found


def _bars(symbol: str, lines: list[str]) -> tuple[Bars, dict[int, int], Any]:
    opens = _opens(lines)
    last_of_session = [
        place + 1 == len(lines) or lines[place + 1].startswith("new ")
        for place in range(len(lines))
    ]
    rows: dict[int, int] = {}
    records: list[tuple[float, ...]] = []
    halted, session = [], 20_000
    for slot, line in enumerate(lines):
        words = line.split()
        session += words[0] == "new"
        if words[0] == "-":
            continue
        close = (
            next(opens[later] for later in range(slot, len(lines)) if last_of_session[later])
            + _MINUTE
        )
        halted.append(words[0] == "halt")
        numbers = [float(word) for word in words if word[0].isdigit()]
        volume = next((float(word[1:]) for word in words if word[0] == "v"), 1e9)
        rows[slot] = len(records)
        opened = int(opens[slot].astype(np.int64))
        records.append(
            (opened, opened + 60_000_000, session, opened, int(close.astype(np.int64)), *numbers,
             volume)
        )  # fmt: skip
    return Bars(symbol, 60_000_000, np.array(records, BAR)), rows, np.array(halted)


def _target(line: str, opens: list[np.datetime64], several: bool) -> tuple[int, str, Targets]:
    words = line.split()
    slot = int(words.pop(0))
    symbol = words.pop(0) if several else "A"
    position = float(words.pop(0))
    options: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if "=" in word:
            name, value = word.split("=")
            name = {"hold": "hold_bars", "valid": "valid_bars"}.get(name, name)
            options[name] = float(value) if name in ("stop", "take", "trail") else int(value)
        else:
            options["kind"] = _KINDS[word]
            if word != "close":
                options["price"] = float(words.pop(0))
    decided_at = opens[slot] + _MINUTE
    return slot, symbol, Targets.of(symbol, decided_at, position, **options)


def same(found: float, expected: float) -> bool:
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6)
