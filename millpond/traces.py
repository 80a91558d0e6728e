"""The proof of an erasure: every file of the home is read in search of the person."""

import gzip
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import duckdb
from duckdb import DuckDBPyConnection

from millpond import csv_records, person, relations, settings
from millpond.errors import UnreadableFile
from millpond.person import Names

SQLITE, PARQUET, GZIP = b"SQLite format 3\x00", b"PAR1", b"\x1f\x8b"
"""How files begin, whatever they are called."""

REVIEWED = settings.PROJECT / "seeds" / "reviewed_matches.csv"
"""The one file of the project that names customers: the next build would bring them back from it."""

JOURNAL = "erasing.json"
"""What is being erased is written here until the proof is clean; the only file that is not searched."""

NEAR = 80
"""A key in a text names the person if its source system stands at most this many characters away."""

BEGINNING = r"(?:^|[^0-9a-z_.+'-]|(?:^|[^0-9a-z])b?')"
END = r"(?:$|[^0-9a-z_.-]|\.(?:$|[^0-9a-z_-]|[a-z]{4}))"
KEY_END = r"(?:$|[^0-9a-z_./-]|[./](?:$|[^0-9a-z_-])|\.[a-z]{4})"
"""Around a value in a text. o'ann@x.com and ann@x.com.au do not say ann@x.com, nor shop/17/2 and shop/17.2 shop/17;
quotes, the end of a sentence, and the next one begun without a blank are no part of either."""


class Trace(NamedTuple):
    """Where a person is still named: file (relative to the home), and how many of what (rows, lines)."""

    file: str
    what: str
    number: int


class Search:
    """What to look for, compiled once.

    Long values (customer ids, contacts) are sought everywhere. Keys may be as short as 17, so they count where
    they fill a key column of their system, and in texts beside the name of their system.
    """

    def __init__(self, names: Names) -> None:
        self.long = sorted(names.get("customer_id", set()) | names.get("contact", set()))
        self.keys = sorted(names.get("customer_key", set()))
        sought = [_any_of(values) + end for values, end in ((self.long, END), (self.keys, KEY_END)) if values]
        self.pattern = rf"{BEGINNING}(?:{'|'.join(sought)})" if sought else r"[^\s\S]"
        self._anywhere = re.compile(self.pattern.encode(), re.IGNORECASE)
        self._beside = [_beside(key) for key in self.keys]

    def in_value(self, value: str | bytes) -> bool:
        """Whether a value that holds what is sought names the person; where words end in bytes nobody can say."""
        return isinstance(value, bytes) or bool(self._anywhere.search(str(value).encode()))

    def in_line(self, line: bytes, *, is_artefact: bool) -> bool:
        """Whether a line names the person. An artefact of dbt holds examples of the project's own tests, not data."""
        if self._anywhere.search(line):
            return True
        return not is_artefact and any(beside.search(line) for beside in self._beside)


def _any_of(values: list[str]) -> str:
    """In lower case, as are the texts of tables. Bytes have no case beyond ASCII, so there both are written out."""
    words = (
        "".join(re.escape(one) if one.isascii() else f"(?:{one}|{one.upper()})" for one in value.lower())
        for value in values
    )
    return f"(?:{'|'.join(words)})"


def _beside(key: str) -> re.Pattern[bytes]:
    system, _, customer_key = key.partition("/")
    one, other = (rf"(?<![\w.-]){re.escape(word)}(?![\w-])" for word in (system, customer_key))
    other += r"(?![./]\w)"
    return re.compile(rf"{one}.{{0,{NEAR}}}{other}|{other}.{{0,{NEAR}}}{one}".encode())


def scan(connection: DuckDBPyConnection, names: Names) -> list[Trace]:
    """Read every file under the home: tables column by column, databases table by table, all others as bytes.

    Args:
        connection: any DuckDB; the names are remembered in it.
        names: of the person (`person.find`).

    Returns:
        Traces in the order of their files; empty: none is left.
    """
    person.remember(connection, names)
    search = Search(names)
    found: list[Trace] = []
    for file in files():
        name = _name(file)
        found += [Trace(name, "name of the file", 1)] if search.in_line(name.encode(), is_artefact=False) else []
        found += _traces_in(connection, file, name, search)
    return found


def files() -> Iterator[Path]:
    """Every file of the home but the erasure's journal, the lake's data files elsewhere, and what people reviewed."""
    data = Path(settings.data_path()).absolute()
    for top in (settings.home(), *([] if data.is_relative_to(settings.home()) else [data])):
        for folder, below, names in os.walk(top, followlinks=True):
            below.sort()
            yield from (Path(folder) / name for name in sorted(names) if name != JOURNAL)
    yield from [REVIEWED] if REVIEWED.exists() else []


def _name(file: Path) -> str:
    """Relative to the home, where it lies there."""
    return str(file.relative_to(settings.home()) if file.is_relative_to(settings.home()) else file)


def is_artefact(file: Path) -> bool:
    """Whether dbt made this file from the project."""
    return file.is_relative_to(settings.home() / "target")


def _traces_in(connection: DuckDBPyConnection, file: Path, name: str, search: Search) -> Iterator[Trace]:
    count = _rows(connection, file, search)
    if count is not None:
        return iter([Trace(name, "rows", count)] if count else [])
    lines = count_lines(file, search)
    return iter(
        [
            *([Trace(name, "lines", lines)] if lines else []),
            *(_traces_in_database(file, name, search) if _begins_with(file, SQLITE) else []),
        ]
    )


def _rows(connection: DuckDBPyConnection, file: Path, search: Search) -> int | None:
    """Rows of a table that name the person; None: it is no table, or not what it is called, and read as bytes."""
    source = _table(file)
    try:
        return _rows_in_table(connection, source, search) if source else None
    except duckdb.Error:
        return _rows_of_csv(connection, file, search) if file.suffix == ".csv" else None


def _rows_of_csv(connection: DuckDBPyConnection, file: Path, search: Search) -> int | None:
    """The same of a CSV of which a build rejects rows as malformed: only these are read as texts."""
    try:
        sound = relations.csv_table(connection, "sound records", file)
        count = _rows_in_table(connection, sound.sql, search)
    except (duckdb.Error, UnreadableFile):
        return None
    texts = (text.encode("utf-8", "surrogateescape") for text in csv_records.malformed(file))
    return count + sum(search.in_line(text, is_artefact=False) for text in texts)


def _table(file: Path) -> str | None:
    """A file as something to select from; None: it is no table."""
    if _begins_with(file, PARQUET):
        return f"read_parquet({relations.file_name(file)}, hive_partitioning = false)"
    is_csv = file.suffix == ".csv" and file.stat().st_size
    return f"read_csv({relations.file_name(file)}, {relations.CSV_OPTIONS})" if is_csv else None


def _rows_in_table(connection: DuckDBPyConnection, source: str, search: Search) -> int:
    described = connection.execute(f"describe select * from {source}").fetchall()
    columns = [column.lower() for column, *_ in described]
    tests = [
        f"regexp_matches(lower(cast(\"{column}\" as varchar)), '{search.pattern.replace(chr(39), chr(39) * 2)}')"
        for column in columns
    ]
    if condition := person.rows_naming(columns):
        tests.append(condition)
    tests += [
        f"{person.text(column)} in ({_listed(search.keys)})" for column in columns if _is_bare_key(column, columns)
    ]
    where = " or ".join(f"coalesce({test}, false)" for test in tests)
    return int(connection.execute(f"select count(*) from {source} where {where}").fetchall()[0][0])


def _is_bare_key(column: str, columns: list[str]) -> bool:
    return "customer_key" in column and column.replace("customer_key", "source_system") not in columns


def _listed(keys: list[str]) -> str:
    return ", ".join(f"'{key.partition('/')[2].replace(chr(39), chr(39) * 2)}'" for key in keys) or "null"


def count_lines(file: Path, search: Search) -> int:
    """Lines of any file that name the person; a binary file has lines too, by chance."""
    artefact = is_artefact(file) or _begins_with(file, SQLITE)
    return sum(search.in_line(line, is_artefact=artefact) for line in _lines(file))


def _lines(file: Path) -> Iterator[bytes]:
    """Lines of a file, unpacked by gzip as far as that can be done."""
    is_packed = _begins_with(file, GZIP)
    with suppress(EOFError, gzip.BadGzipFile, zlib.error), gzip.open(file) if is_packed else file.open("rb") as lines:
        yield from lines


def _begins_with(file: Path, mark: bytes) -> bool:
    with file.open("rb") as opened:
        return opened.read(len(mark)) == mark


def _traces_in_database(file: Path, name: str, search: Search) -> Iterator[Trace]:
    """Values that the bytes may not show whole: they can be split between pages."""
    try:
        yield from _rows_of_tables(file, name, search)
    except sqlite3.DatabaseError:
        yield Trace(name, "database that cannot be read", 1)


def _rows_of_tables(file: Path, name: str, search: Search) -> Iterator[Trace]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        # Tables of what is sought: of many persons it is more than one condition may be long.
        database.execute("create temp table sought (value text)")
        database.executemany("insert into sought values (?)", [(value,) for value in search.long])
        database.execute("create temp table keys (value text)")
        database.executemany(
            "insert into keys values (?)", [(one,) for key in search.keys for one in (key, "/" + key.partition("/")[2])]
        )
        database.create_function("is_naming", 1, search.in_value, deterministic=True)
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            columns = [row[1] for row in database.execute(f'pragma table_info("{table}")')]
            where = " or ".join(_column_names(column, columns) for column in columns)
            (count,) = database.execute(f'select count(*) from "{table}" where {where}').fetchone()
            if count:
                yield Trace(name, f"rows of table {table}", count)


def _column_names(column: str, columns: list[str]) -> str:
    """Condition: a column of a table in SQLite names the person."""
    said = f"""exists (select 1 from sought where instr(lower(cast("{column}" as text)), value) > 0)"""
    test = f'({said} and is_naming("{column}"))'
    if "customer_key" not in column:
        return test
    system = column.replace("customer_key", "source_system")
    of_system = f"""coalesce("{system}", '')""" if system in columns else "''"
    return f"""{test} or {of_system} || '/' || "{column}" in (select value from keys)"""
