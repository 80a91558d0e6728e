"""Where a catalog is."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where a catalog is, as `connect` takes it.

    Attributes:
        catalog: `sqlite:<file>`, `postgres:<connection string>` or the file of a DuckDB catalog.
        schema: of PostgreSQL, that holds the catalog's tables; None elsewhere.
    """

    catalog: str
    schema: str | None = None
