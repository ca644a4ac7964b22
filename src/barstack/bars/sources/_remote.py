"""Remote sources whose bars are kept in a collection of the catalog."""

from __future__ import annotations

import polars as pl

from barstack.core.errors import SourceError

from ..catalog import Catalog
from ._fetch import fetch
from ._paged import PagedProvider


class Remote(PagedProvider):
    """Bars that are fetched into a collection of the catalog, and read from there.

    Subclass it, write `connect` and `page`, and decorate with `register`. Retries, waits, order,
    duplicates and missing ranges are not the subclass's business.
    """

    def tables(self) -> dict[str, pl.DataFrame]:
        """The bars in the catalog, after fetching those that are missing there."""
        collection = self.collection_in(Catalog())
        failed = fetch(self, collection).errors
        if failed:
            raise SourceError(
                "\n".join(failed.values())
                + "\nWith an end that the catalog covers, a study requests nothing from the source."
            )
        return {
            symbol: collection.table(symbol, start_us=self.first_start()) for symbol in self.symbols
        }
