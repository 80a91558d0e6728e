"""Connections to the lake, and the lock that keeps it to one writer."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
from filelock import FileLock, Timeout

import feast_lake
from millpond import settings
from millpond.errors import LakeLocked, NotBuilt


def connect(*, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """A connection of its own to the lake, attached as `lake` and in use.

    Raises:
        NotBuilt: there is no lake in this home.
    """
    if not settings.catalog().exists():
        raise NotBuilt(f"no lake in {settings.home()}: run `millpond build` first")
    return feast_lake.connect(
        f"sqlite:{settings.catalog()}", data_path=str(settings.data_folder()), read_only=read_only
    )


@contextmanager
def writing(wait_seconds: float = 0) -> Iterator[None]:
    """Hold the home's writer lock; the system releases it when the process dies.

    Raises:
        LakeLocked: another process holds it for longer than `wait_seconds`.
    """
    for folder in (settings.catalog().parent, settings.data_folder(), settings.home() / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.home() / "writer.lock", timeout=wait_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise LakeLocked(
            f"another process is writing to {settings.home()}: wait until it ends, then run this again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = 'lake' and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    )
