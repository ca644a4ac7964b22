"""Fetching bars from those who sell or keep them: only what is missing, whatever goes wrong."""

from ._direct import read_directly
from ._faults import Fault, causes, http_fault, in_words, status_fault
from ._fetch import fetch
from ._fetched import Fetched, FetchedSymbol
from ._patience import Patience
from ._remote import Page, Remote

__all__ = [
    "Fault",
    "Fetched",
    "FetchedSymbol",
    "Page",
    "Patience",
    "Remote",
    "causes",
    "fetch",
    "http_fault",
    "in_words",
    "read_directly",
    "status_fault",
]
