"""Erasing a person from a home: raw files, lake and its past, online store, logs; then the proof that nothing is left."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Collection
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from millpond import forgetting, lake, person, settings, tombstones, traces
from millpond.errors import LakeLocked, UnknownCustomer
from millpond.person import Names
from millpond.traces import Search, Trace

Removed = dict[str, int]
"""Rows, keys or lines by where they were, such as {"lake marts.messages": 12}."""


def journal() -> Path:
    """Whom an erasure that has not ended is about; it may be killed at any point, and ends when it runs again."""
    return settings.home() / traces.JOURNAL


def whom(who: Collection[str]) -> Names:
    """Everything that names the persons asked for, and those of an erasure that was interrupted.

    Args:
        who: customer ids, or source_system/customer_key.

    Raises:
        UnknownCustomer: nothing in this home knows one of them.
        UnreadableFile: a raw file may hold them, but cannot be read.
    """
    pending = _pending()
    # Raw data that were never built can be erased too.
    with lake.connect() if settings.catalog().exists() else duckdb.connect() as connection:
        names = person.find(connection, who)
        unknown = [one for one in who if not _is_known(connection, one, pending)]
    if unknown:
        raise UnknownCustomer(
            f"nobody in {settings.home()} is called {', '.join(unknown)}: expected a customer_id, or source_system/customer_key "
            "as in `millpond sql 'from marts.customer_keys'`"
        )
    return {kind: names.get(kind, set()) | pending.get(kind, set()) for kind in names.keys() | pending.keys()}


def _is_known(connection: DuckDBPyConnection, who: str, pending: Names) -> bool:
    kind = "customer_key" if "/" in who else "customer_id"
    if who in pending.get(kind, set()) or tombstones.is_erased(who):
        return True
    person.remember(connection, {kind: {who}})
    for one in [*person.lake_tables(connection), *person.raw_tables(connection)]:
        condition = person.rows_naming(one.columns, [kind])
        if condition and connection.execute(f"select 1 from {one.sql} where {condition} limit 1").fetchall():
            return True
    return False


def _pending() -> Names:
    if not journal().exists():
        return {}
    return {kind: set(values) for kind, values in json.loads(journal().read_text()).items()}


def erase(names: Names, *, on_step: Callable[[str], None]) -> tuple[Removed, list[Trace]]:
    """Remove persons from every place of this home, then look for them everywhere.

    The order makes a kill harmless: the journal keeps what is sought until the proof is clean, and the tombstones stand before
    anything goes.

    Args:
        names: from `whom`.
        on_step: called with the name of each step that is done.

    Returns:
        What was removed where, and what was found afterwards (empty: nothing is left).

    Raises:
        LakeLocked: another process writes, or reads the catalog while it is to be packed.
    """
    removed: Removed = {}
    with lake.writing():
        _write_journal(names)
        tombstones.add(names.get("customer_key", set()))
        for step in (_files, _online, _lake, _leftovers):
            removed |= {where: count for where, count in step(names).items() if count}
            on_step(step.__name__.strip("_"))
        left = verify(names)
        if not left:
            journal().unlink()
    return removed, left


def verify(names: Names) -> list[Trace]:
    """Only search; see `traces.scan`."""
    with duckdb.connect() as connection:
        return traces.scan(connection, names)


def summary(names: Names) -> str:
    """Whom an erasure is about, in one line."""
    counts = [(len(names.get("customer_id", ())), "customers"), (len(names.get("message_id", ())), "messages")]
    keys = ", ".join(sorted(names.get("customer_key", ())))
    return f"{keys}: " + ", ".join(f"{count:,} {what}" for count, what in counts) + " and all that hangs on them"


def advice(left: Collection[Trace]) -> str:
    """What to do about traces, in one line."""
    return (
        f"{len(left)} places still name them: mend these files or the rows that quote the person, build, and run this again; "
        f"{journal().name} keeps whom to look for until nothing is found"
    )


def _write_journal(names: Names) -> None:
    staged = journal().with_name(f".{traces.JOURNAL}.tmp")
    staged.unlink(missing_ok=True)
    with open(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({kind: sorted(values) for kind, values in names.items()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(staged, journal())


def _files(names: Names) -> Removed:
    """Raw files, the truth of a made-up world, and answers that were written to files."""
    removed: Removed = {}
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        person.remember(connection, names)
        for file in list(forgetting.tables_outside_lake()):
            count = forgetting.forget_in(connection, file, names)
            where = str(file.parent.relative_to(settings.home()))
            removed[where] = removed.get(where, 0) + count
    return removed


def _online(names: Names) -> Removed:
    """Feast writes an entity key as its join keys and values, each with its length before it."""
    path = settings.home() / "online" / "features.db"
    if not path.exists():
        return {}
    removed: Removed = {}
    with sqlite3.connect(path, timeout=30) as online:
        tables = [row[0] for row in online.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            columns = [row[1] for row in online.execute(f'pragma table_info("{table}")')]
            for customer_id in names["customer_id"] if "entity_key" in columns else ():
                value = len(customer_id.encode()).to_bytes(4, "little") + customer_id.encode()
                deleted = online.execute(f'delete from "{table}" where instr(entity_key, ?) > 0', [value])
                removed[f"online {table}"] = removed.get(f"online {table}", 0) + deleted.rowcount
    online.close()
    pack(path)
    return removed


def _lake(names: Names) -> Removed:
    """Every table that names persons is written anew: a delete would leave the rows in files, and their extremes in statistics."""
    if not settings.catalog().exists():
        return {}
    removed: Removed = {}
    with lake.connect(read_only=False) as connection:
        person.remember(connection, names)
        connection.begin()
        for table in person.lake_tables(connection):
            condition = person.rows_naming(table.columns)
            if condition:
                count = connection.execute(f"select count(*) from {table.sql} where {condition}").fetchall()[0][0]
                removed[f"lake {table.name}"] = count
                kept = person.kept_columns(table.columns, condition) or "*"
                rows = f"select {kept} from {table.sql} where not ({person.rows_to_delete(table.columns, condition)})"
                connection.execute(f"create or replace table {table.sql} as {rows}")
        connection.commit()
        forget_past(connection)
    pack(settings.catalog())
    return removed


def forget_past(connection: DuckDBPyConnection) -> None:
    """Leave only the newest snapshot, and only its files."""
    connection.execute("call ducklake_expire_snapshots('lake', older_than => now())")
    connection.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
    connection.execute("call ducklake_delete_orphaned_files('lake', cleanup_all => true)")


def pack(path: Path) -> None:
    """Rewrite an SQLite file without its free pages, which still hold what was deleted, and empty its journal.

    Raises:
        LakeLocked: another process keeps it busy.
    """
    try:
        with sqlite3.connect(path, timeout=30, isolation_level=None) as database:
            database.execute("pragma secure_delete = on")
            database.execute("vacuum")
            database.execute("pragma wal_checkpoint(truncate)")
        database.close()
    except sqlite3.OperationalError as error:
        raise LakeLocked(f"{path} is in use ({error}): stop what reads it for long, then run this again") from None


def _leftovers(names: Names) -> Removed:
    """Logs lose the lines that name the person; what dbt can make again goes whole."""
    search = Search(names)
    home = settings.home()
    removed: Removed = {}
    for folder in (home / "tmp", *(home / "lake").glob(".spill-*")):
        for file in (one for one in folder.rglob("*") if one.is_file()):
            file.unlink()
    for file in (one for one in (home / "logs").rglob("*") if one.is_file()):
        removed[f"lines of {file.relative_to(home)}"] = _forget_lines(file, search)
    for file in (one for one in (home / "target").rglob("*") if one.is_file()):
        if traces.count_lines(file, search):
            file.unlink()
            removed["files of target"] = removed.get("files of target", 0) + 1
    for file in (home / "registry.db",):
        if file.exists():
            pack(file)
    return removed


def _forget_lines(file: Path, search: Search) -> int:
    count = traces.count_lines(file, search)
    if count:
        staged = file.with_name(f"{forgetting.STAGED}{file.name}.tmp")
        with file.open("rb") as lines, staged.open("wb") as kept:
            kept.writelines(line for line in lines if not search.in_line(line, is_artefact=False))
        shutil.copymode(file, staged)
        os.replace(staged, file)
    return count
