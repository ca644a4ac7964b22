"""Fetching bars from those who sell or keep them: only what is missing, whatever goes wrong."""

from ._bounded import MOST_BYTES, TooLargeError, bound_session
from ._direct import read_directly
from ._faults import Fault, causes, http_fault, in_words, status_fault
from ._fetch import fetch
from ._fetched import Fetched, FetchedSymbol
from ._patience import Patience
from ._remote import Page, Remote

__all__ = [
    "MOST_BYTES",
    "Fault",
    "Fetched",
    "FetchedSymbol",
    "Page",
    "Patience",
    "Remote",
    "TooLargeError",
    "bound_session",
    "causes",
    "fetch",
    "http_fault",
    "in_words",
    "read_directly",
    "status_fault",
]
