"""Files without the rows of a person: rewritten beside the old file, then put in its place in one step."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from duckdb import DuckDBPyConnection

from feast_lake.connection import literal
from millpond import csv_records, person, relations, settings
from millpond.person import KEYS, Names
from millpond.traces import Search

STAGED = ".erasing-"
"""Beginning of the names of files that are being written: no reader of *.parquet or *.csv sees them."""

Row = dict[str, str]


def tables_outside_lake() -> Iterator[Path]:
    """Every Parquet and CSV file of this home but those of the lake: raw, truth, exports."""
    lake = (settings.data_folder().parent, Path(settings.data_path()).absolute())
    for folder, below, names in os.walk(settings.home(), followlinks=True):
        here = Path(folder)
        below[:] = sorted(name for name in below if here / name not in lake)
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
    source = f"read_parquet({relations.file_name(file)}, hive_partitioning = false)"
    relation = relations.describe(connection, str(file.relative_to(settings.home())), source)
    condition = person.rows_naming(relation.columns)
    if condition is None:
        return 0
    count = int(connection.execute(f"select count(*) from {source} where {condition}").fetchall()[0][0])
    if count:
        kept = person.kept_columns(relation.columns, condition) or "*"
        rows = f"select {kept} from {source} where not ({person.rows_to_delete(relation.columns, condition)})"
        codec = connection.execute(
            f"select any_value(compression) from parquet_metadata({relations.file_name(file)})"
        ).fetchall()[0][0]
        connection.execute(
            f"copy ({rows}) to {literal(str(staged))} (format parquet, compression {str(codec or 'snappy').lower()})"
        )
    return count


def _without_in_csv(connection: DuckDBPyConnection, file: Path, staged: Path, names: Names) -> int:
    """Other records are copied byte by byte, so quotes and line ends stay as they came."""
    with csv_records.open_text(file) as source, csv_records.open_text(staged, "w") as target:
        records = csv_records.records(source)
        columns, head = csv_records.header(records)
        target.write(head)
        named, is_quoting = _row_test(columns, names), _line_test(names)
        count = 0
        for values, as_written in records:
            is_named = values is not None and named(dict(zip(columns, values, strict=False)))
            # What stands in which column of a malformed row nobody can say.
            is_lost = not is_named and (values is None or len(values) != len(columns)) and is_quoting(as_written)
            count += is_named or is_lost
            if values is not None and is_named and "invoice_id" in columns:
                target.write(_anonymous(values, columns, as_written))
            elif not is_named and not is_lost:
                target.write(as_written)
    return count


def _line_test(names: Names) -> Callable[[str], bool]:
    """Whether a line has a key of the person beside the name of its system."""
    search = Search({"customer_key": set().union(*(names.get(key, set()) for key in KEYS))})
    return lambda line: search.in_line(line.encode("utf-8", "surrogateescape"), is_artefact=False)


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
