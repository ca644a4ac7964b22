"""Every hand-made day gives the fills, the log and the equity that the rulebook demands."""

from __future__ import annotations

import numpy as np
import pytest
from tests.simulation.days import Day, all_days, joined, same

from barstack.bars import Bars
from barstack.simulation import Book, Reason
from barstack.simulation import _kernel as kernel

DAYS = {day.name: day for day in all_days()}


def check(day: Day, book: Book) -> None:
    expected = [_rounded(line) for line in day.fills]
    assert [_rounded(line) for line in day.found_fills(book)] == expected
    if day.log is not None:
        found = day.found_log(book)
        if not any("accepted" in line for line in day.log):
            found = [line for line in found if not line.endswith(" accepted")]
        assert found == day.log
    if "equity" in day.expected:
        assert same(book.equity, day.expected["equity"]), book.equity
    if "held" in day.expected:
        assert book.quantities["A"] == day.expected["held"]
    if "working" in day.expected:
        assert book.working == {"A": day.expected["working"]}
    if "trades" in day.expected:
        assert len(book.trades) == day.expected["trades"]


def _rounded(line: str) -> str:
    slot, *symbol, quantity, price, reason = line.split()
    return " ".join([slot, *symbol, f"{float(quantity):+g}", f"{float(price[1:]):g}", reason])


@pytest.mark.parametrize("name", DAYS)
def test_day_at_once(name: str) -> None:
    check(DAYS[name], DAYS[name].run())


@pytest.mark.parametrize("name", DAYS)
def test_day_bar_by_bar_with_restores(name: str) -> None:
    """As live: each close comes alone, with what was decided then, into a restored book."""
    day = DAYS[name]
    whole = day.run()
    book = Book(list(day.bars), day.settings)
    parts: dict[str, list[np.ndarray]] = {"fills": [], "log": [], "trades": [], "curve": []}
    closes = np.unique(np.concatenate([own.closed_at for own in day.bars.values()]))
    left = list(day.targets)
    for now in closes:
        restored = Book(list(day.bars), day.settings)
        restored.restore(book.snapshot())
        book = restored
        news: dict[str, Bars] = {}
        halted = {}
        for symbol, own in day.bars.items():
            (rows,) = np.nonzero(own.closed_at == now)
            if len(rows):
                news[symbol] = own[rows[0] : rows[0] + 1]
                halted[symbol] = day.halted[symbol][rows]
        due = [each for each in left if each[2].decisions.decided_at[0] <= now]
        left = [each for each in left if each not in due]
        targets = joined([each[2] for each in due]) if due else None
        events = day.events if now == closes[0] else None
        book.advance(news, targets, events=events, halted=halted)
        for output, rows_of in parts.items():
            rows_of.append(getattr(book, output))
    if day.expected.get("finish") and day.settings.fills.at_end == "close":
        book.close()
        parts["fills"].append(book.fills[-1:])
        parts["trades"].append(book.trades[-1:])
        parts["curve"][-1] = book.curve
    for output, rows_of in parts.items():
        assert np.concatenate(rows_of).tobytes() == getattr(whole, output).tobytes(), output


def test_there_are_sixty_days() -> None:
    assert len(DAYS) >= 60
    assert len(all_days()) == len(DAYS), "two days share a name"


def test_kernel_constants_are_those_of_the_enumerations() -> None:
    assert (kernel.BY_STOP, kernel.BY_LEVERAGE) == (Reason.STOP, Reason.LEVERAGE)
    for name, value in {
        "BY_ORDER": Reason.ORDER,
        "BY_TARGET": Reason.TARGET,
        "BY_TRAIL": Reason.TRAIL,
        "BY_TIME": Reason.TIME,
        "BY_SESSION": Reason.SESSION_END,
        "BY_END": Reason.END_OF_DATA,
        "BY_KILL": Reason.KILL_SWITCH,
        "ACCEPTED": Reason.ACCEPTED,
        "NO_SHORTS": Reason.REJECTED_SHORT,
        "COLLAR": Reason.REJECTED_COLLAR,
        "DUPLICATE": Reason.REJECTED_DUPLICATE,
        "KILLED": Reason.REJECTED_KILLED,
        "NO_PRICE": Reason.REJECTED_NO_PRICE,
        "TOO_SMALL": Reason.REJECTED_TOO_SMALL,
        "NO_EQUITY": Reason.REJECTED_NO_EQUITY,
        "REPLACED": Reason.REPLACED,
        "EXPIRED": Reason.EXPIRED,
        "EXITED": Reason.CANCELLED_BY_EXIT,
        "CANCELLED": Reason.CANCELLED_BY_KILL,
        "WAITED": Reason.WAITED_UNTRADED,
    }.items():
        assert getattr(kernel, name) == value, name
    limits = ("POSITION", "GROSS", "NET", "SECTOR", "ORDER_SIZE", "TURNOVER")
    for number, name in enumerate(limits, start=1):
        assert kernel.CUT + number == Reason[f"CUT_{name}"]
        assert kernel.REJECTED + number == Reason[f"REJECTED_{name}"]
