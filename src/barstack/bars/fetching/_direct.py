"""Reading a source whole, without a catalog: for sources that are stores themselves."""

from __future__ import annotations

import time
from functools import partial

import polars as pl

from ._answers import answers
from ._patience import Asker, Patience, Tries
from ._remote import Remote


def read_directly(remote: Remote, patience: Patience | None = None) -> dict[str, pl.DataFrame]:
    """All bars of `remote` by symbol, in the form that is stored; errors as those of `fetch`."""
    patience = patience or Patience()
    asker = Asker(patience, remote.fault, lambda text: None, remote.secrets())
    client = asker.ask(partial(remote.connect, patience.timeout_s), remote.name, Tries())
    try:
        wanted = remote.wanted(time.time_ns() // 1000)
        return {
            symbol: pl.concat(
                answer.table for answer in answers(remote, client, asker, symbol, wanted, Tries())
            )
            for symbol in remote.symbols
        }
    finally:
        remote.disconnect(client)
