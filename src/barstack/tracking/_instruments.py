"""Which trials of a ledger are on the same instruments, by name or by the content of the bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from ._bar_prints import BarPrint, alike, part_keys
from ._store import Store, Trial

_CURRENCIES = frozenset(
    "USD EUR JPY GBP CHF AUD CAD NZD CNY CNH HKD SGD SEK NOK DKK PLN MXN ZAR TRY BTC ETH".split()  # noqa: SIM905 (one line)
)
_TELLING = 120  # bytes of a part: a day or more of returns that no other instrument has


def plain_name(symbol: str) -> str:
    """A symbol without its spelling: letters and digits alone, a pair in one order.

    >>> plain_name("eur/usd"), plain_name("USDEUR"), plain_name("Brk.B")
    ('EURUSD', 'EURUSD', 'BRKB')
    """
    name = "".join(each for each in symbol if each.isalnum()).upper()
    halves = sorted((name[:3], name[3:]))
    return ("".join(halves) if set(halves) <= _CURRENCIES else name) or symbol


def trials_on(store: Store, symbols: Iterable[str], bars: str = "") -> list[Trial]:
    """All trials on any of the instruments, plans left out, in the order of the ledger.

    An instrument is known by its symbol, whatever its spelling, and by its bars: where returns
    agree, two names are of one instrument. What is known of it by either is followed on.

    Parameters
    ----------
    symbols
        Of the instruments.
    bars
        Key of their prints, from `Store.keep_bars`; "" where they are not known.

    >>> from barstack.testing import made_up_trial
    >>> from barstack.tracking import MemoryStore
    >>> store = MemoryStore()
    >>> store.record([made_up_trial(0, symbols=["SPY"]), made_up_trial(1, symbols=["QQQ"])])
    >>> [trial.name for trial in trials_on(store, ["spy"])]
    ['ridge 0']
    """
    trials = [trial for trial in store.trials() if trial.kind != "plan"]
    ours = _names(store, trials, symbols, bars)
    return [trial for trial in trials if not ours.isdisjoint(map(plain_name, trial.symbols))]


def _names(store: Store, trials: Sequence[Trial], symbols: Iterable[str], bars: str) -> set[str]:
    """Plain names of the instruments, those that other bars of them go by included."""
    symbols = tuple(symbols)
    names = {plain_name(each) for each in symbols}
    keys = {trial.bars for trial in trials if trial.bars} | ({bars} - {""})
    by_name: dict[str, set[str]] = {}  # keys of an instrument's parts, a text for each print
    for each in store.kept(keys).values():
        for symbol, parts in part_keys(each).items():
            if parts:
                by_name.setdefault(plain_name(symbol), set()).add(" ".join(parts))
    others = {name for name in by_name if name not in names}
    waiting = [name for name in names if name in by_name]
    while waiting and others:
        name = waiting.pop()
        same = {other for other in others if _same(store, by_name[name], by_name[other])}
        others -= same
        names |= same
        waiting += same
    return names


def _same(store: Store, ones: set[str], others: set[str]) -> bool:
    """Whether any print of one name is of the same instrument as any of another."""
    shared = {part for each in ones for part in each.split()} & {
        part for each in others for part in each.split()
    }
    if any(len(part) >= _TELLING for part in store.kept(shared).values()):
        return True
    return any(_alike(one, other, store) for one in _widest(ones) for other in _widest(others))


def _widest(prints: set[str]) -> list[str]:
    """Prints without those that another begins with, as bars that grow leave them."""
    kept: list[str] = []
    for each in sorted(prints, key=len, reverse=True):
        head = each.rpartition(" ")[0]  # the newest part of bars that have grown differs
        if not head or not any(one.startswith(head) for one in kept):
            kept.append(each)
    return kept


_known: dict[tuple[str, str], bool] = {}


def _alike(one: str, other: str, store: Store) -> bool:
    """Whether two prints agree; what was found is remembered in this process."""
    pair = (one, other) if one < other else (other, one)
    if pair not in _known:
        _known[pair] = alike(_print(pair[0], store), _print(pair[1], store))
    return _known[pair]


@lru_cache(maxsize=16)
def _print(parts: str, store: Store) -> BarPrint:
    keys = parts.split()
    found = store.kept(keys)
    return BarPrint.from_parts([found[key] for key in keys])
