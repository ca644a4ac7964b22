"""Fetch what a collection lacks: several symbols at once, each page kept as it arrives."""

from __future__ import annotations

import time

import numpy as np

from barstack.core.errors import ConfigError
from barstack.core.progress import Progress
from barstack.core.times import DAY_US, iso

from ..catalog import Collection
from ._fetched import Fetched, FetchedSymbol
from ._patience import Patience
from ._remote import Remote
from ._stretches import Stretch, missing, whole_days
from ._workers import Workers


def fetch(
    remote: Remote,
    collection: Collection,
    progress: Progress | None = None,
    *,
    again: bool = False,
    workers: int = 4,
    patience: Patience | None = None,
    now_us: int | None = None,
) -> Fetched:
    """Ask `remote` for what `collection` does not cover, and keep each page as it arrives.

    again     ask for everything, and put what differs in the place of what is stored
    workers   symbols asked for at the same time
    patience  how often and how long to try
    now_us    the moment of asking; a bar that is still forming then is neither stored nor counted
              as asked for

    A symbol whose source fails is reported in `Fetched.errors`; the others go on. When nothing
    is missing no client is made. Raises `ConfigError` for wrong settings and missing
    credentials. May be interrupted anywhere: the same call continues.
    """
    progress = progress or Progress()
    now_us = time.time_ns() // 1000 if now_us is None else now_us
    wanted = remote.wanted(now_us)
    _check_clock(remote, collection, wanted, now_us)
    fetched = Fetched(collection.name, {symbol: FetchedSymbol() for symbol in remote.symbols})
    for symbol, each in fetched.symbols.items():
        each.asked = missing(wanted, [] if again else collection.covered(symbol))
    todo = {symbol: each for symbol, each in fetched.symbols.items() if each.asked}
    if not todo:
        return fetched
    stretches = [stretch for each in todo.values() for stretch in each.asked]
    done_us = done_days = 0
    work = Workers(remote, collection, todo, again, patience or Patience())
    with progress.step("days fetched", total=whole_days(stretches)) as step, work.begun(workers):
        while work.alive:
            event = work.heard()
            if event is None:
                work.alive -= 1
            elif isinstance(event, Exception):
                raise event
            elif isinstance(event, str):
                step.note(event)
            else:
                done_us += event
                step.advance(done_us // DAY_US - done_days)
                done_days = done_us // DAY_US
    return fetched


def _check_clock(remote: Remote, collection: Collection, wanted: Stretch, now_us: int) -> None:
    """`ConfigError` where nothing can be asked for because now lies before what is known."""
    now = iso(np.datetime64(now_us, "us"))
    if wanted[0] > wanted[1]:
        raise ConfigError(
            f"{remote.name}: no bar of {remote.bar} from {remote.start} on is complete at {now}, "
            "which is what this machine's clock says. Set an earlier start, or the clock right."
        )
    for symbol in remote.symbols:
        covered = collection.covered(symbol)
        if covered and covered[-1][1] > now_us + DAY_US:
            known = iso(np.datetime64(covered[-1][1], "us"))
            raise ConfigError(
                f"This machine's clock says {now}, and {symbol} was fetched through {known} "
                "before. The clock has been set back: set it right, and fetch again."
            )
