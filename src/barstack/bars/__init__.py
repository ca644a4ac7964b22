"""Market bars: what a bar is, when it could be known, and where bars come from.

The modules here hold the bars themselves. Sub-rooms build on them, each only on those before it:
`checks` (findings on whole bars), `catalog` (bars kept on disk), `importing` (files read, guessed
and imported), `sources` (providers, and fetching from remote ones).
"""

from ._bars import BAR, Bars, Panel, as_panel, panel_fingerprint
from ._format import BarFormat
from ._frames import bars_from_frame, bars_from_table, table_from_frame
from ._resample import aggregate, check_higher, no_bar_forming, resample
from ._series import Series, SeriesFile
from ._series_table import SeriesTable
from ._sessions import ALWAYS, Sessions, sessions
from .catalog import Added, Catalog, Collection, Facts, Summary, catalog_folder
from .sources import PROVIDERS, Provider, register

__all__ = [
    "ALWAYS",
    "BAR",
    "PROVIDERS",
    "Added",
    "BarFormat",
    "Bars",
    "Catalog",
    "Collection",
    "Facts",
    "Panel",
    "Provider",
    "Series",
    "SeriesFile",
    "SeriesTable",
    "Sessions",
    "Summary",
    "aggregate",
    "as_panel",
    "bars_from_frame",
    "bars_from_table",
    "catalog_folder",
    "check_higher",
    "no_bar_forming",
    "panel_fingerprint",
    "register",
    "resample",
    "sessions",
    "table_from_frame",
]
