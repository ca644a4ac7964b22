"""How many trials a verdict is given for, and what a reader must know about the count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from barstack.core.errors import StorageError
from barstack.tracking import (
    USER_LEDGER,
    Anchor,
    Store,
    open_store,
    plain_name,
    trials_on,
)

VERDICT = "verdict.json"
_NAMES = {"runs": "the ledger of this folder of runs", "server": "the server's ledger"}
_NAMES["user"] = "this user's ledger of all folders"


class LookedAt(Protocol):
    """What is counted for: a trial, or as much of one as a verdict has."""

    @property
    def id(self) -> str:
        """Of the configuration."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What it was judged on."""

    @property
    def bars(self) -> str:
        """Key of their prints."""


@dataclass(frozen=True)
class Looked:
    """A trial that a verdict is on."""

    id: str
    symbols: tuple[str, ...]
    bars: str


@dataclass(frozen=True)
class Counted:
    """The count behind a verdict.

    Attributes
    ----------
    trials   on the same instruments, in all ledgers
    looks    states of its data that the judged configuration was judged on
    remarks  sentences on the count
    ledger   the state of the ledgers in words, of which others may keep a copy
    """

    trials: int
    looks: int
    remarks: list[str]
    ledger: str


def count_trials(store: Store, trial: LookedAt, runs: Path, *, at_least: int = 1) -> Counted:
    """The trials on the instruments of a trial, as the ledgers are now.

    runs      folder of runs, in which verdicts of before hold what the ledger then was
    at_least  counted where the ledger has fewer, as one that is elsewhere
    """
    found = trials_on(store, trial.symbols, trial.bars)
    ours = {plain_name(symbol) for symbol in trial.symbols}
    ours |= {plain_name(symbol) for each in found for symbol in each.symbols}
    lost = lost_verdicts(store, runs)
    before = [each.trials for each in lost if not ours.isdisjoint(map(plain_name, each.symbols))]
    looks = len({each.data for each in found if each.id == trial.id})
    return Counted(
        max([len(found), at_least, *before]),
        max(looks, 1),
        [*_remarks(store, lost), *_elsewhere(store, len(found))],
        "; ".join(map(in_words, anchors_of(store))),
    )


def in_words(anchor: Anchor) -> str:
    """The state of a ledger, with its head.

    >>> in_words(Anchor("runs", 4, "3f2a", "2026-01-05T10:00:00"))
    'runs: 4 rows since 2026-01-05, head 3f2a'
    """
    since = f" since {anchor.since[:10]}" if anchor.since else ""
    return f"{anchor.ledger}: {anchor.rows:,} rows{since}, head {anchor.head}"


def _remarks(store: Store, lost: Sequence[KeptVerdict]) -> Iterator[str]:
    if lost:
        named = ", ".join(each.run for each in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        yield (
            f"It is a new ledger: run {named}{more} in this folder was judged by one that is no "
            "longer here, so that trials made before are missing from the count. Restore that "
            "ledger, or take the p-values for lower than they should be."
        )
    if "user" not in store.ledgers():
        yield (
            f"The user's ledger is switched off (${USER_LEDGER}): trials in other folders of runs "
            "are not counted."
        )


def _elsewhere(store: Store, counted: int) -> Iterator[str]:
    others = sum(trial.kind != "plan" for trial in store.trials()) - counted
    if others > 0:
        yield (
            f"On other instruments {others:,} more {'trial was' if others == 1 else 'trials were'} "
            "made; whoever picks this result among those of all instruments must count them too."
        )


@dataclass(frozen=True)
class KeptVerdict:
    """What the folder of a run says of the ledgers that its verdict was counted from.

    Attributes
    ----------
    run      id of the run
    trials   counted then
    symbols  on which
    anchors  of the ledgers
    """

    run: str
    trials: int
    symbols: tuple[str, ...]
    anchors: tuple[Anchor, ...]


def verdicts_in(runs: Path) -> Iterator[KeptVerdict]:
    """Verdicts in a folder of runs, each with the state of the ledger that it was given for."""
    for file in sorted(runs.glob(f"*/{VERDICT}")):
        try:
            yield kept_verdict(json.loads(file.read_text()), file.parent.name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StorageError(
                f"{file} is damaged: {error!r}. Run the study again; finished tasks are reused."
            ) from error


def kept_verdict(data: Any, run: str) -> KeptVerdict:
    """From a verdict as plain data. Before there were anchors it held the head alone."""
    anchors = tuple(Anchor(**each) for each in data.get("anchors", ()))
    if not anchors and data.get("ledger_head"):
        anchors = (Anchor("runs", -1, str(data["ledger_head"]), ""),)
    trials = int(data["verdict"]["trials"])
    return KeptVerdict(run, trials, tuple(data["symbols"]), anchors)


def anchors_of(store: Store) -> tuple[Anchor, ...]:
    """The state of each ledger behind a store.

    >>> from barstack.tracking import MemoryStore
    >>> [(each.ledger, each.rows) for each in anchors_of(MemoryStore())]
    [('runs', 0)]
    """
    return tuple(replace(each.anchor(), ledger=name) for name, each in store.ledgers().items())


def lost_verdicts(store: Store, runs: Path) -> list[KeptVerdict]:
    """Verdicts in a folder of runs that were counted from ledgers which are no longer there."""
    verdicts = list(verdicts_in(runs))
    heads = {name: each.hashes() for name, each in store.ledgers().items()} if verdicts else {}
    return [
        verdict
        for verdict in verdicts
        if any(
            each.ledger in heads and not contains(heads[each.ledger], each)
            for each in verdict.anchors
        )
    ]


def contains(heads: Sequence[str], anchor: Anchor) -> bool:
    """Whether a ledger that has had these heads once was in this state."""
    if anchor.rows < 0:
        return anchor.head in heads
    return anchor.rows < len(heads) and heads[anchor.rows] == anchor.head


@dataclass(frozen=True)
class LedgerCheck:
    """What `verify_ledger` found.

    Attributes
    ----------
    ledgers   state of each
    verdicts  number of verdicts in the folder of runs that were compared
    altered   sentences on what was edited, removed, reordered or cut off; empty where all is well
    remarks   what is no proof of that, but worth knowing

    >>> LedgerCheck((), 0, [], []).to_json()["whole"]
    True
    """

    ledgers: tuple[Anchor, ...]
    verdicts: int
    altered: list[str]
    remarks: list[str]

    def to_json(self) -> dict[str, Any]:
        """What the command line prints with --json."""
        return asdict(self) | {"whole": not self.altered}


def verify_ledger(
    runs: Path | str, *, head: str = "", verdicts: Iterable[Path | str] = ()
) -> LedgerCheck:
    """Check that nothing in the ledgers was edited, removed, reordered or cut off.

    The chain of hashes shows any change but one: a ledger that was cut, replaced by an older copy
    or deleted is whole in itself. That is found by comparing it with the heads that verdicts hold,
    all of those in the folder of runs, and others that somebody kept.

    Parameters
    ----------
    runs
        Folder of runs.
    head
        Hash that the ledger once had as its newest.
    verdicts
        Further verdict.json, or folders of runs that hold one.

    >>> import tempfile
    >>> import barstack as bs
    >>> from barstack.testing import small_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = bs.run(small_study(Path(folder)), folder=folder, runs=f"{folder}/runs")
    ...     verify_ledger(f"{folder}/runs").altered
    []
    """
    runs = Path(runs)
    store = open_store(runs)
    ledgers, altered, remarks = store.ledgers(), list[str](), list[str]()
    for name, each in ledgers.items():
        try:
            each.verify()
        except StorageError as error:
            altered.append(str(error))
        remarks += _clock(name, each)
    heads = {name: each.hashes() for name, each in ledgers.items()}
    kept = [*verdicts_in(runs), *map(_verdict_at, verdicts)]
    if head:
        kept.append(KeptVerdict("given", 0, (), (Anchor("", -1, head, ""),)))
    for verdict in kept:
        for anchor in verdict.anchors:
            _compare(verdict, anchor, heads, altered, remarks)
    return LedgerCheck(anchors_of(store), len(kept), altered, remarks)


def _compare(
    verdict: KeptVerdict,
    anchor: Anchor,
    heads: dict[str, list[str]],
    altered: list[str],
    remarks: list[str],
) -> None:
    if not anchor.ledger:  # a hash of whichever
        having = [name for name, each in heads.items() if contains(each, anchor)]
        if not having:
            altered.append(f"No ledger here ever had the head {anchor.head}.")
        elif having == ["user"]:
            remarks.append(
                f"Only {_NAMES['user']} has had the head {anchor.head}. Where that was the head of "
                f"{_NAMES[next(iter(heads))]}, this was cut or replaced."
            )
        return
    if anchor.ledger not in heads:
        remarks.append(
            f"Run {verdict.run} was counted from {_NAMES[anchor.ledger]}, which is not in use now."
        )
        return
    if contains(heads[anchor.ledger], anchor):
        return
    n_rows = len(heads[anchor.ledger]) - 1
    what = (
        f"it has {n_rows:,} rows, and had {anchor.rows:,} when run {verdict.run} was judged, so "
        "that it was cut, deleted or replaced by an older copy"
        if n_rows < anchor.rows
        else f"its rows are not those by which run {verdict.run} was judged"
    )
    if anchor.ledger == "user":
        remarks.append(
            f"Of {_NAMES['user']}: {what}. Where this is another user or machine, that is as it "
            "should be."
        )
    else:
        altered.append(f"Of {_NAMES[anchor.ledger]}: {what}.")


def _clock(name: str, ledger: Store) -> Iterator[str]:
    before = ""
    for row, trial in enumerate(ledger.trials(), 1):
        if trial.recorded_at < before:
            yield (
                f"Of {_NAMES[name]}: row {row:,} is dated {trial.recorded_at}, before the row "
                f"ahead of it ({before}). The clock was set back; rows are in their true order."
            )
            return
        before = trial.recorded_at


def _verdict_at(path: Path | str) -> KeptVerdict:
    file = Path(path) / VERDICT if Path(path).is_dir() else Path(path)
    try:
        return kept_verdict(json.loads(file.read_text()), file.parent.name)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{file} is no verdict of a run: {error!r}.") from error
