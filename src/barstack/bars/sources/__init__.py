"""Where bars come from: providers, and fetching from remote ones only what is missing."""

from ._fetch import Fetched, FetchedSymbol, fetch, read_directly
from ._http import RequestFault, bound_session, http_fault, status_fault
from ._paged import Page, PagedProvider
from ._provider import PROVIDERS, Provider, register
from ._remote import Remote
from ._retry import RetryPolicy

__all__ = [
    "PROVIDERS",
    "Fetched",
    "FetchedSymbol",
    "Page",
    "PagedProvider",
    "Provider",
    "Remote",
    "RequestFault",
    "RetryPolicy",
    "bound_session",
    "fetch",
    "http_fault",
    "read_directly",
    "register",
    "status_fault",
]
