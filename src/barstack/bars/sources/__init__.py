"""Where bars come from: providers, and fetching from remote ones only what is missing."""

from ._fetch import Fetched, FetchedSymbol, fetch, read_directly
from ._frame_tables import UNNAMED, check_plain_table, frame_tables, standard_table
from ._http import RequestFault, bound_session, http_fault, status_fault
from ._paged import Page, PagedProvider
from ._provider import PROVIDERS, Provider, register
from ._remote import Remote
from ._retry import RetryPolicy
from .frame import FrameProvider, keep_frame, kept_frame

__all__ = [
    "PROVIDERS",
    "UNNAMED",
    "Fetched",
    "FetchedSymbol",
    "FrameProvider",
    "Page",
    "PagedProvider",
    "Provider",
    "Remote",
    "RequestFault",
    "RetryPolicy",
    "bound_session",
    "check_plain_table",
    "fetch",
    "frame_tables",
    "http_fault",
    "keep_frame",
    "kept_frame",
    "read_directly",
    "register",
    "standard_table",
    "status_fault",
]
