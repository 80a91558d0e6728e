"""Files without the rows of a person: rewritten beside the old file, then put in its place in one step."""

import csv
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from duckdb import DuckDBPyConnection

from feast_lake.connection import literal
from millpond import person, settings
from millpond.person import KEYS, Names

STAGED = ".erasing-"
"""Beginning of the names of files that are being written: no reader of *.parquet or *.csv sees them."""

Row = dict[str, str]


def tables_outside_lake() -> Iterator[Path]:
    """Every Parquet and CSV file of this home but those of the lake: raw, truth, exports."""
    for folder, below, names in os.walk(settings.home(), followlinks=True):
        here = Path(folder)
        below[:] = sorted(name for name in below if here / name != settings.data_folder().parent)
        for name in sorted(names):
            if name.startswith(STAGED):
                # Left by an erasure that was killed.
                (here / name).unlink()
            elif name.endswith((".parquet", ".csv")) and (here / name).stat().st_size:
                yield here / name


def forget_in(connection: DuckDBPyConnection, file: Path, names: Names) -> int:
    """Rewrite a file without a person, if it names them; other rows stay as they are and where they are.

    Args:
        connection: with the names remembered (`person.remember`).
        file: Parquet or CSV.

    Returns:
        Rows removed, or kept without their customer.
    """
    target = file.resolve()
    staged = target.with_name(f"{STAGED}{file.name}.tmp")
    write = _without_in_parquet if file.suffix == ".parquet" else _without_in_csv
    count = write(connection, file, staged, names)
    if count:
        shutil.copymode(file, staged)
        with staged.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(staged, target)
    staged.unlink(missing_ok=True)
    return count


def _without_in_parquet(connection: DuckDBPyConnection, file: Path, staged: Path, names: Names) -> int:
    # One file, read as it is: no columns from the names of its folders.
    source = f"read_parquet({literal(str(file))}, hive_partitioning = false)"
    relation = person.describe(connection, str(file.relative_to(settings.home())), source)
    condition = person.rows_naming(relation.columns)
    if condition is None:
        return 0
    count = int(connection.execute(f"select count(*) from {source} where {condition}").fetchall()[0][0])
    if count:
        kept = person.kept_columns(relation.columns, condition) or "*"
        rows = f"select {kept} from {source} where not ({person.rows_to_delete(relation.columns, condition)})"
        codec = connection.execute(
            f"select any_value(compression) from parquet_metadata({literal(str(file))})"
        ).fetchall()[0][0]
        connection.execute(
            f"copy ({rows}) to {literal(str(staged))} (format parquet, compression {str(codec or 'snappy').lower()})"
        )
    return count


def _without_in_csv(connection: DuckDBPyConnection, file: Path, staged: Path, names: Names) -> int:
    """Other records are copied byte by byte, so quotes and line ends stay as they came."""
    csv.field_size_limit(sys.maxsize)
    text = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with file.open(**text) as source, staged.open("w", **text) as target:  # type: ignore[call-overload]
        records = _records(source)
        header, as_written = next(records)
        target.write(as_written)
        columns = [column.removeprefix("\ufeff") for column in header]
        named = _row_test(columns, names)
        count = 0
        for values, as_written in records:
            row = dict(zip(columns, values, strict=False))
            if not named(row):
                target.write(as_written)
                continue
            count += 1
            if "invoice_id" in columns:
                target.write(_anonymous(values, columns, as_written))
    return count


def _records(source: IO[str]) -> Iterator[tuple[list[str], str]]:
    """Each record of a CSV with its own text, which may span lines."""
    lines: list[str] = []

    def remembered() -> Iterator[str]:
        for line in source:
            lines.append(line)
            yield line

    for values in csv.reader(remembered()):
        yield values, "".join(lines)
        lines.clear()


def _row_test(columns: list[str], names: Names) -> Callable[[Row], bool]:
    naming = person.naming_columns(columns)
    pairs = [(column, column.replace(key, "source_system"), key) for key in KEYS for column in naming[key]]
    known = {
        key: names.get(key, set()) | {"/" + value.partition("/")[2] for value in names.get(key, set())} for key in KEYS
    }

    def named(row: Row) -> bool:
        if any(row.get(column, "").strip(" ") in names["customer_id"] for column in naming["customer_id"]):
            return True
        return any(
            f"{row.get(system, '').strip(' ')}/{row.get(column, '').strip(' ')}" in known[key]
            for column, system, key in pairs
        )

    return named


def _anonymous(values: list[str], columns: list[str], as_written: str) -> str:
    """The record of an invoice without its customer."""
    naming = person.naming_columns(columns)
    hidden = {columns.index(column) for column in naming["customer_id"] + naming["customer_key"]}
    kept = ["" if place in hidden else value for place, value in enumerate(values)]
    end = as_written[len(as_written.rstrip("\r\n")) :]
    return (
        ",".join('"' + value.replace('"', '""') + '"' if set(value) & set(',"\r\n') else value for value in kept) + end
    )
