"""The contract of every provider of bars that can be read again and again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from barstack.bars import PROVIDERS, Panel, Provider
from barstack.core.errors import BarstackError
from barstack.core.times import iso

from ._expect import expect, fail, same


def check_gives_bars(provider: Provider, folder: Path) -> None:
    """Bars of one length for each symbol, in order of time, each known after it has begun."""
    panel = provider.load(folder)
    expect(panel, f"{provider} gives no symbol.")
    same(len({bars.length_us for bars in panel.values()}), 1, "The number of bar lengths")
    for symbol, bars in panel.items():
        same(bars.symbol, symbol, "The symbol of bars under a name")
        expect(len(bars), f"{provider} gives no bar of {symbol}.")
        expect((np.diff(bars.closed_at) > 0).all(), f"Bars of {symbol} are out of order.")
        expect(
            (bars.closed_at > bars.opened_at).all(),
            f"{symbol} has bars that are known when they open.",
        )


def check_repeats(provider: Provider, folder: Path) -> None:
    """Read again, the bars are the same to the bit."""
    _same_bars(provider.load(folder), provider.load(folder), "read again")


def check_start_and_end_cut(provider: Provider, folder: Path) -> None:
    """`start` and `end` leave bars out, and change none of the others."""
    whole = provider.load(folder)
    first = next(iter(whole.values()))
    start, end = first.opened_at[len(first) // 4], first.closed_at[3 * len(first) // 4]
    cut = provider.model_copy(update={"start": _moment(start), "end": _moment(end)})
    expected = {
        symbol: bars[
            int(np.searchsorted(bars.opened_at, start)) : int(
                np.searchsorted(bars.closed_at, end, side="right")
            )
        ]
        for symbol, bars in whole.items()
    }
    expected = {symbol: bars for symbol, bars in expected.items() if len(bars)}
    if len(expected) == len(whole):  # with less, a symbol has no bar between them: an error
        _same_bars(cut.load(folder), expected, f"from {_moment(start)} to {_moment(end)}")


def check_symbols_are_chosen(provider: Provider, folder: Path) -> None:
    """Of those it has, `symbols` takes some; one that it has not is an error with a sentence."""
    if "symbols" not in type(provider).model_fields:
        return
    whole = provider.load(folder)
    one = list(whole)[-1]
    chosen = provider.model_copy(update={"symbols": (one,)}).load(folder)
    _same_bars(chosen, {one: whole[one]}, f"with symbols: [{one}]")
    try:
        provider.model_copy(update={"symbols": ("NO-SUCH-SYMBOL",)}).load(folder)
    except BarstackError:
        return
    fail(f"{provider} gives bars though symbols names one that it has not.")


def check_can_be_written_down(provider: Provider, folder: Path) -> None:
    """Its content is plain data, from which an equal provider can be made."""
    again = PROVIDERS.parse(json.loads(json.dumps(provider.content())))
    same(again, provider, "What content() makes again")


PROVIDER_CHECKS = (
    check_gives_bars,
    check_repeats,
    check_start_and_end_cut,
    check_symbols_are_chosen,
    check_can_be_written_down,
)


def _moment(at: np.datetime64) -> str:
    return iso(at).removesuffix(" UTC").replace(" ", "T")


def _same_bars(found: Panel, expected: Panel, when: str) -> None:
    same(list(found), list(expected), f"Symbols, {when},")
    for symbol, bars in expected.items():
        same(len(found[symbol]), len(bars), f"The number of bars of {symbol}, {when},")
        np.testing.assert_array_equal(found[symbol].records, bars.records, f"{symbol}, {when}")
