"""What a person may be named in: tables of the lake, and raw files as staging unites them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
from duckdb import DuckDBPyConnection

from feast_lake.connection import literal
from millpond import csv_records
from millpond.errors import UnreadableFile

CSV_OPTIONS = (
    "union_by_name = true, all_varchar = true, header = true, skip = 0, delim = ',', quote = '\"', escape = '\"', "
    "max_line_size = 16777216, buffer_size = 33554432"
)

LAYOUTS = """
select list(file_name order by file_name)
from (
    select
        file_name,
        string_agg(concat_ws(' ', name, duckdb_type, num_children), ', ' order by column_id) as layout
    from parquet_schema({})
    group by file_name
)
group by layout order by min(file_name)
"""


class Relation(NamedTuple):
    """Something to select from: a table of the lake, or the files of one folder.

    Attributes:
        columns: their names in lower case; to a build CUSTOMER_KEY and customer_key are the same.
    """

    name: str
    sql: str
    columns: list[str]


def lake_tables(connection: DuckDBPyConnection) -> list[Relation]:
    """Tables of the lake, not views, with their columns."""
    rows = connection.execute(
        """
        select tables.schema_name || '.' || tables.table_name, list(lower(column_name) order by column_index)
        from duckdb_tables() as tables
        inner join duckdb_columns() as columns using (database_name, schema_name, table_name)
        where tables.database_name = 'lake'
        group by all order by all
        """
    ).fetchall()
    return [Relation(name, f"lake.{name}", columns) for name, columns in rows]


def raw_tables(connection: DuckDBPyConnection, raw: Path) -> Iterator[Relation]:
    """Raw files by folder and format, united as staging unites them.

    Raises:
        UnreadableFile: names the folder.
    """
    for folder in sorted(raw.glob("*/*/")):
        name = f"{folder.parent.name}/{folder.name}"
        found = {
            suffix: [file for file in sorted(folder.glob(f"*.{suffix}")) if file.stat().st_size]
            for suffix in ("parquet", "csv")
        }
        for files in _files_alike(connection, found["parquet"]):
            yield describe(connection, name, f"read_parquet({_list(files)}, hive_partitioning = false)")
        if files := found["csv"]:
            yield from _csv_tables(connection, name, files)


def _files_alike(connection: DuckDBPyConnection, files: list[Path]) -> list[list[Path]]:
    """Parquet files by their columns and types: beside one in which keys are fractions 7 would be read as 7.0."""
    if not files:
        return []
    try:
        rows = connection.execute(LAYOUTS.format(_list(files))).fetchall()
    except duckdb.Error:
        # Who describes them says which cannot be read.
        return [files]
    return [[Path(file) for file in names] for (names,) in rows]


def _list(files: list[Path]) -> str:
    return "[" + ", ".join(file_name(file) for file in files) + "]"


def file_name(file: Path) -> str:
    """The name of a file as the engine's readers take it: brackets, stars and question marks stand for themselves."""
    return literal(re.sub(r"[\[*?]", r"[\g<0>]", str(file)))


def _csv_tables(connection: DuckDBPyConnection, name: str, files: list[Path]) -> Iterator[Relation]:
    """CSV files at once, or one by one where the engine refuses a row of any."""
    read = f"read_csv({_list(files)}, {CSV_OPTIONS})"
    try:
        connection.execute(f"select count(columns(*)) from {read}").fetchall()
    except duckdb.Error:
        for number, file in enumerate(files, start=1):
            yield csv_table(connection, f"{name} {number}", file)
    else:
        yield describe(connection, name, read)


def csv_table(connection: DuckDBPyConnection, name: str, file: Path) -> Relation:
    """The sound records of a CSV file, in a table of the connection's own."""
    records = csv_records.batches(file)
    if not records.schema.names or any("\x00" in column for column in records.schema.names):
        raise UnreadableFile(f"{file} is no CSV in UTF-8, so nobody can be erased from it: convert or remove it")
    connection.register("csv_records", records)
    connection.execute(f'create or replace temp table "{name}" as from csv_records')
    connection.unregister("csv_records")
    return describe(connection, name, f'temp.main."{name}"')


def describe(connection: DuckDBPyConnection, name: str, sql: str) -> Relation:
    """Raises UnreadableFile."""
    try:
        described = connection.execute(f"describe select * from {sql}").fetchall()
        return Relation(name, sql, [column.lower() for column, *_ in described])
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise UnreadableFile(
            f"{name} cannot be read, so nobody can be erased from it: {reason}: mend or remove it"
        ) from None
