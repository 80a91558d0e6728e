"""Connections to the lake, and the writing that keeps it to one writer and publishes only what is whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

import feast_lake
from feast_lake import LakeBusy
from millpond import settings
from millpond.errors import DiskFull, LakeLocked, NotBuilt

# How DuckDB and SQLite say it.
FULL = ("no space left on device", "disk is full")


def exists() -> bool:
    """Whether a lake was ever published."""
    return feast_lake.branch_of(settings.catalog_address()).published() is not None


def place_name() -> str:
    """Where the lake is, for people."""
    return "PostgreSQL" if settings.is_shared() else str(settings.home())


def connect(*, read_only: bool = True) -> duckdb.DuckDBPyConnection:
    """A connection of its own to the lake, attached as `lake` and in use.

    Args:
        read_only: True reads what is published; False, under `writing`, reads and writes what will be.

    Raises:
        NotBuilt: there is no lake in this home.
    """
    if not exists():
        raise NotBuilt(f"no lake in {place_name()}: run `millpond build` first")
    if read_only:
        return _open(feast_lake.Place(settings.catalog_address()), read_only=True)
    branch = feast_lake.in_course(settings.catalog_address())
    if branch is None:
        raise RuntimeError("the lake is only written to under lake.writing()")
    return _open(branch.place(), read_only=False)


def written_file() -> Path | None:
    """The catalog that `writing` will publish, where it is a file and something was written."""
    branch = feast_lake.in_course(settings.catalog_address())
    scheme, _, path = branch.place().catalog.partition(":") if branch else ("", "", "")
    return Path(path) if scheme == "sqlite" and Path(path).exists() else None


def connect_failed() -> duckdb.DuckDBPyConnection:
    """A connection to what the last step that failed had written until then; the next one that writes removes it.

    Raises:
        NotBuilt: no step failed, or another one has written since.
    """
    place = feast_lake.branch_of(settings.catalog_address()).failed()
    if place is None:
        raise NotBuilt(f"nothing of a failed build is kept in {place_name()}: ask without --failed")
    return _open(place, read_only=True)


def forget_failed() -> None:
    """Under `writing`: keep what the last step that failed had written no longer."""
    if branch := feast_lake.in_course(settings.catalog_address()):
        # A branch takes its place.
        branch.place()


def _open(place: feast_lake.Place, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    return feast_lake.connect(place.catalog, data_path=settings.data_path(), read_only=read_only, schema=place.schema)


@contextmanager
def writing(wait_seconds: float = 0) -> Iterator[None]:
    """Be the one writer of this home. What is written to the lake is published when the block ends, or never.

    Delete data files only in a block after the one that made them needless: until a block ends, readers have the lake
    as it was before.

    Raises:
        LakeLocked: another process writes for longer than `wait_seconds`.
        DiskFull: the lake is as it was.
    """
    try:
        with full_disk_in_one_line():
            _make_folders()
            with feast_lake.one_writer(settings.catalog_address(), wait_seconds=wait_seconds):
                yield
    except LakeBusy:
        raise LakeLocked(
            f"another process is writing to {place_name()}: wait until it ends, then run this again"
        ) from None


@contextmanager
def full_disk_in_one_line() -> Iterator[None]:
    """Raises DiskFull where the system or an engine says so."""
    try:
        yield
    except Exception as error:
        if any(words in str(error).lower() for words in FULL):
            raise DiskFull(
                f"the disk of {settings.home()} is full: free some space, then run this again; the lake is as it was"
            ) from error
        raise


def _make_folders() -> None:
    folders = [settings.catalog().parent, settings.home() / "tmp"]
    if "://" not in settings.data_path():
        folders.append(Path(settings.data_path()))
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    return bool(
        connection.execute(
            "select 1 from duckdb_tables() where database_name = 'lake' and schema_name = ? and table_name = ?",
            [schema, table],
        ).fetchall()
    )
