"""Where bars come from: providers, and fetching from remote ones only what is missing."""

from ._fetch import Fetched, FetchedSymbol, fetch, read_directly
from ._http import (
    MOST_BYTES,
    Fault,
    TooLargeError,
    bound_session,
    causes,
    http_fault,
    in_words,
    status_fault,
)
from ._paged import Page, PagedProvider
from ._provider import PROVIDERS, Provider, moment_us, register
from ._remote import Remote
from ._retry import Patience

__all__ = [
    "MOST_BYTES",
    "PROVIDERS",
    "Fault",
    "Fetched",
    "FetchedSymbol",
    "Page",
    "PagedProvider",
    "Patience",
    "Provider",
    "Remote",
    "TooLargeError",
    "bound_session",
    "causes",
    "fetch",
    "http_fault",
    "in_words",
    "moment_us",
    "read_directly",
    "register",
    "status_fault",
]
