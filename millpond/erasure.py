"""Erasing a person from a home: files, lake and its past, online store, logs; then the proof that nothing is left."""

import json
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from millpond import forgetting, lake, maintenance, person, relations, settings, tombstones, traces
from millpond.errors import UnknownCustomer
from millpond.person import Names
from millpond.relations import Relation
from millpond.traces import Search, Trace

Removed = dict[str, int]
"""Rows, keys or lines by where they were, such as {"lake marts.messages": 12}."""

TO_ERASE = "run `millpond erase` without --verify to remove what can be removed"
TO_MEND = (
    "mend these files, or the rows of others that quote the person, build, and run this again; "
    f"{traces.JOURNAL} keeps whom to look for until nothing is found"
)


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
    with lake.connect() if lake.exists() else duckdb.connect() as connection:
        names = person.find(connection, who)
        unknown = [one for one in who if not _is_known(connection, one, pending)]
    if unknown:
        raise UnknownCustomer(
            f"nobody in {settings.home()} is called {', '.join(unknown)}: expected a customer_id, or "
            "source_system/customer_key as in `millpond sql 'from marts.customer_keys'`"
        )
    return {kind: names.get(kind, set()) | pending.get(kind, set()) for kind in names.keys() | pending.keys()}


def _is_known(connection: DuckDBPyConnection, who: str, pending: Names) -> bool:
    kind = "customer_key" if "/" in who else "customer_id"
    if who in pending.get(kind, set()) or tombstones.is_erased(who):
        return True
    person.remember(connection, {kind: {who}})
    for one in [*relations.lake_tables(connection), *relations.raw_tables(connection, settings.raw_folder())]:
        condition = person.rows_naming(one.columns, [kind])
        if condition and connection.execute(f"select 1 from {one.sql} where {condition} limit 1").fetchall():
            return True
    return False


def _pending() -> Names:
    if not journal().exists():
        return {}
    return {kind: set(values) for kind, values in json.loads(journal().read_text()).items()}


def erase(names: Names, *, on_step: Callable[[str], None], wait_seconds: float = 0) -> tuple[Removed, list[Trace]]:
    """Remove persons from every place of this home, then look for them everywhere.

    The order makes a kill harmless: the journal keeps what is sought until the proof is clean, and the tombstones
    stand before anything goes.

    Args:
        names: from `whom`.
        on_step: called with the name of each step that is done.
        wait_seconds: how long to wait for another writer.

    Returns:
        What was removed where, and what was found afterwards (empty: nothing is left).

    Raises:
        LakeLocked: another process writes, or reads the catalog while it is to be packed.
        UnreadableFile: a raw file or the online store is damaged, so nobody can say whom it names.
    """
    removed: Removed = {}
    # Readers must have the lake without them before the files that it needed are deleted.
    for steps in ((_files, _online, _lake), (_past, _leftovers)):
        with lake.writing(wait_seconds):
            _write_journal(names)
            tombstones.add(names.get("customer_key", set()))
            for step in steps:
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


def forget_landed(raw: Path) -> Removed:
    """Take out again whom raw files brought back after their erasure.

    Args:
        raw: a folder laid out as the raw folder, in this home.

    Returns:
        What was removed where; empty where nobody was erased.
    """
    with duckdb.connect() as connection:
        landed = list(relations.raw_tables(connection, raw)) if tombstones.path().exists() else []
        keys = tombstones.erased_keys(connection, landed)
        if not keys:
            return {}
        return _files(person.find_in(connection, landed, keys))


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
    return _online_file(names) | (_online_redis(names) if settings.redis() else {})


def _online_redis(names: Names) -> Removed:
    from feast_lake.redis_store import LakeRedisOnlineStore
    from millpond import features

    return {"online in Redis": LakeRedisOnlineStore().forget(features.store().config, names["customer_id"])}


def _online_file(names: Names) -> Removed:
    path = settings.home() / "online" / "features.db"
    if not path.exists():
        return {}
    removed: Removed = {}
    with maintenance.opened(path) as online:
        tables = [row[0] for row in online.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            columns = [row[1] for row in online.execute(f'pragma table_info("{table}")')]
            for customer_id in names["customer_id"] if "entity_key" in columns else ():
                value = len(customer_id.encode()).to_bytes(4, "little") + customer_id.encode()
                deleted = online.execute(f'delete from "{table}" where instr(entity_key, ?) > 0', [value])
                removed[f"online {table}"] = removed.get(f"online {table}", 0) + deleted.rowcount
    return removed


def _lake(names: Names) -> Removed:
    """Every table that names persons is written anew.

    A delete would leave the rows in data files, and their extremes in the catalog's statistics.
    """
    if not lake.exists():
        return {}
    removed: Removed = {}
    with lake.connect(read_only=False) as connection:
        person.remember(connection, names)
        connection.begin()
        for table in relations.lake_tables(connection):
            removed[f"lake {table.name}"] = _write_anew(connection, table)
        connection.commit()
    return removed


def _past(names: Names) -> Removed:
    """Snapshots that hold them, and the data files of those."""
    maintenance.forget_past()
    return {}


def _write_anew(connection: DuckDBPyConnection, table: Relation) -> int:
    condition = person.rows_naming(table.columns)
    if condition is None:
        return 0
    count = int(connection.execute(f"select count(*) from {table.sql} where {condition}").fetchall()[0][0])
    kept = person.kept_columns(table.columns, condition) or "*"
    rows = f"select {kept} from {table.sql} where not ({person.rows_to_delete(table.columns, condition)})"
    connection.execute(f"create or replace table {table.sql} as {rows}")
    return count


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
    for path in maintenance.databases():
        maintenance.pack(path)
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
