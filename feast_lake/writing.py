"""Writes to the lake: saved training sets, pushed feature rows, serving logs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from duckdb import DuckDBPyConnection
from feast.errors import SavedDatasetLocationAlreadyExists

from feast_lake.branch import one_writer
from feast_lake.connection import LAKE, identifier, literal, qualified
from feast_lake.errors import LakeError, explained
from feast_lake.lake import Lake

_ROWS = "__lake_rows"
# A build holds the lake for minutes; Feast's writes wait for it as long as a caller may be expected to.
_PATIENCE_SECONDS = 60
_CUTTING = ("DATE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT")


def save(lake: Lake, *, table: str, rows: pa.Table | pa.RecordBatchReader, overwrite: bool) -> None:
    """Write rows as a table of the lake, in one transaction.

    Raises:
        SavedDatasetLocationAlreadyExists: the table exists and overwrite is False.
        LakeError: the lake cannot be written to.
    """
    with _writer(lake, table, rows) as connection:
        if not overwrite and _exists(connection, table):
            raise SavedDatasetLocationAlreadyExists(location=table)
        connection.execute(f"create or replace table {qualified(table)} as from {_ROWS}")


def append(lake: Lake, *, table: str, rows: pa.Table | Path, create: bool = False) -> None:
    """Add rows to a table of the lake, by the names of their columns, in one transaction.

    Args:
        rows: the rows, or a Parquet file, or a folder of them.
        create: make the table if there is none.

    Raises:
        LakeError: columns that the table lacks, values that its types would cut, or a lake that cannot be written to.
    """
    with _writer(lake, table, rows) as connection:
        if create:
            connection.execute(f"create table if not exists {qualified(table)} as from {_ROWS} limit 0")
        _require_exact(connection, table)
        connection.execute(f"insert into {qualified(table)} by name from {_ROWS}")


@contextmanager
def _writer(lake: Lake, table: str, rows: pa.Table | pa.RecordBatchReader | Path) -> Iterator[DuckDBPyConnection]:
    with (
        one_writer(lake.catalog, wait_seconds=_PATIENCE_SECONDS) as branch,
        lake.write(branch.place()) as connection,
        explained(f"write {table}"),
    ):
        if isinstance(rows, Path):
            files = rows / "**" / "*.parquet" if rows.is_dir() else rows
            parquet = f"read_parquet({literal(str(files))}, union_by_name = true)"
            connection.execute(f"create temp view {_ROWS} as from {parquet}")
        else:
            connection.register(_ROWS, rows)
        connection.begin()
        if "." in table:
            connection.execute(f"create schema if not exists {LAKE}.{identifier(table.split('.')[0])}")
        yield connection
        connection.commit()


def _require_exact(connection: DuckDBPyConnection, table: str) -> None:
    """Refuse what DuckDB would cut to fit: a fraction, or the hour of a row, which would be known from midnight on."""
    kinds = dict(connection.execute(f"select column_name, column_type from (describe {qualified(table)})").fetchall())
    for name, kind, *_ in connection.execute(f"describe {_ROWS}").fetchall():
        wanted = kinds.get(name, kind)
        if wanted == kind or wanted not in _CUTTING:
            continue
        column = identifier(name)
        found = connection.execute(
            f"select any_value({column}) from {_ROWS} where cast({column} as {wanted}) != {column}"
        ).fetchall()[0][0]
        if found is not None:
            raise LakeError(f"Column {name!r} of {table} is {wanted}, which does not hold {found}; nothing was written")


def _exists(connection: DuckDBPyConnection, table: str) -> bool:
    schema, _, name = ("." + table).rpartition(".")
    found = connection.execute(
        "select 1 from duckdb_tables() where database_name = ? and schema_name = ? and table_name = ?",
        [LAKE, schema.removeprefix(".") or "main", name],
    )
    return found.fetchone() is not None
