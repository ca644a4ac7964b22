"""The catalog: bars kept on disk, point-in-time, whole after any interruption."""

from ._catalog import Catalog, catalog_folder
from ._collection import Collection
from ._facts import Facts
from ._manifest import Summary, TimeRange
from ._rows import Added

__all__ = ["Added", "Catalog", "Collection", "Facts", "Summary", "TimeRange", "catalog_folder"]
