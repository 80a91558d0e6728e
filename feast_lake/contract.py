"""Whether a view's table still is what the view was applied with."""

from __future__ import annotations

from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from feast_lake.errors import LakeError, explained
from feast_lake.value_types import fits
from feast_lake.view_read import ViewRead


def checked_key_types(connection: DuckDBPyConnection, views: Iterable[ViewRead]) -> dict[str, str]:
    """Check each view's columns and types; a value of another type would be a wrong value.

    Args:
        connection: a lake's.

    Returns:
        Join key of the entity rows → its DuckDB type in the lake.

    Raises:
        LakeError: a column is gone, or is no longer of the type that Feast was told.
    """
    types: dict[str, str] = {}
    for view in views:
        with explained(f"read {view.name}"):
            described = connection.execute(f"describe select * from {view.relation} as source").fetchall()
        # DuckDB's names do not tell cases apart.
        found = {str(row[0]).lower(): str(row[1]) for row in described}
        for column in view.columns:
            if column.lower() not in found:
                raise LakeError(f"{view.name} has no column {column!r} any more (it has {', '.join(found)}); {_MEND}")
        for column, declared in view.declared.items():
            kind = found[column.lower()]
            if not fits(declared, kind):
                raise LakeError(f"Column {column!r} of {view.name} was {declared.name}, and now is {kind}; {_MEND}")
        types |= {key: found[column.lower()] for key, column in view.keys.items()}
    return types


_MEND = "mend the table, or apply the feature repository again"
