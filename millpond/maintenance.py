"""Keeping a home small: fewer and fuller files, an end to the past, no orphans."""

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from millpond import erasure, lake, settings
from millpond.errors import LakeLocked, UnreadableFile
from training import model_store

KEEP_DAYS = 30

REWRITTEN_FROM = 0.2
"""Share of deleted rows from which a data file is written anew."""

GRACE = timedelta(days=1)
"""How long a file that no snapshot needs any more stays, because a long question may still read it."""

LEFT_BEHIND = ("lake/.spill-*", "landing-*", "recording-*")

PINNED = re.compile(r"^## Lake snapshot\s+(\d+)$", re.MULTILINE)


class Size(NamedTuple):
    """What a home takes on the disk."""

    files: int
    mebibytes: float


def maintain(*, keep_days: int, on_step: Callable[[str], None], wait_seconds: float = 0) -> tuple[Size, Size]:
    """Merge small files, forget the old past, remove what nothing refers to, and pack the databases.

    Readers go on. A file that became superfluous goes a day later, with `keep_days=0` at once.

    Args:
        keep_days: snapshots up to this age stay readable; those that current models were trained on stay at any age.
        on_step: called with the name of each step that is done.
        wait_seconds: how long to wait for another writer.

    Returns:
        Size of the lake and the online store before and after.
    """
    before = size()
    with lake.writing(wait_seconds):
        erasure.forget_landed(settings.raw_folder())
        on_step("raw files")
        if lake.exists():
            _merge_files(keep_days)
            on_step("lake")
    # Only now do readers have a lake that does without the files to be deleted.
    with lake.writing(wait_seconds):
        if lake.exists():
            _delete_files(min(GRACE, timedelta(days=keep_days)))
            on_step("superfluous files")
        _temporary_files()
        for path in databases():
            pack(path)
            on_step(path.name)
    return before, size()


def _merge_files(keep_days: int) -> None:
    with lake.connect(read_only=False) as connection:
        connection.execute(f"call ducklake_rewrite_data_files('lake', delete_threshold => {REWRITTEN_FROM})")
        connection.execute("call ducklake_merge_adjacent_files('lake')")
        old = _old_snapshots(connection, timedelta(days=keep_days))
        if old:
            connection.execute(f"call ducklake_expire_snapshots('lake', versions => {old})")


def _delete_files(grace: timedelta) -> None:
    with lake.connect(read_only=False) as connection:
        for function in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files"):
            until = datetime.now(UTC) - grace
            connection.execute(f"call {function}('lake', older_than => timestamptz '{until.isoformat()}')")
    for folder in sorted(settings.data_folder().glob("*/*/")):
        if not any(folder.iterdir()):
            folder.rmdir()


def _old_snapshots(connection: DuckDBPyConnection, age: timedelta) -> list[int]:
    """Snapshots before the oldest moment that stays, but for the newest one and those that a current model names."""
    rows = connection.execute(
        "select snapshot_id from ducklake_snapshots('lake') where snapshot_time <= $until order by snapshot_id",
        {"until": datetime.now(UTC) - age},
    ).fetchall()
    newest = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
    kept = {newest, *pinned_snapshots()}
    return [row[0] for row in rows if row[0] not in kept]


def pinned_snapshots() -> set[int]:
    """Snapshots that the cards of the current models name as what they were trained on."""
    models = settings.models_folder()
    folders = [model_store.current(models, pointer.parent.name) for pointer in models.glob(f"*/{model_store.CURRENT}")]
    cards = [folder / "model_card.md" for folder in folders if folder is not None]
    return {int(found[1]) for card in cards if card.exists() and (found := PINNED.search(card.read_text()))}


def forget_past() -> None:
    """Leave only the newest snapshot, and only its files; of a lake that was never published nothing."""
    if lake.exists():
        with lake.connect(read_only=False) as connection:
            connection.execute("call ducklake_expire_snapshots('lake', older_than => now())")
            connection.execute("call ducklake_cleanup_old_files('lake', cleanup_all => true)")
            connection.execute("call ducklake_delete_orphaned_files('lake', cleanup_all => true)")
    elif not settings.is_shared() and not settings.catalog().exists():
        # What builds wrote that failed. Not a team's: who names a wrong catalog would lose the files of the right one.
        lake.forget_failed()
        for file in (one for one in settings.data_folder().rglob("*") if one.is_file()):
            file.unlink()


def databases() -> Iterator[Path]:
    """The SQLite files of this home: the lake's catalog as it will be published, Feast's online store and registry."""
    for path in (lake.written_file(), settings.home() / "online" / "features.db", settings.home() / "registry.db"):
        if path is not None and path.exists():
            yield path


def pack(path: Path) -> None:
    """Rewrite an SQLite file without its free pages, which still hold what was deleted, and empty its journal.

    Raises:
        LakeLocked, UnreadableFile: see `opened`.
    """
    with opened(path, isolation_level=None) as database:
        database.execute("pragma secure_delete = on")
        database.execute("vacuum")
        database.execute("pragma wal_checkpoint(truncate)")


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[sqlite3.Connection]:
    """An SQLite file to change; what is changed stays if all is good.

    Raises:
        LakeLocked: another process keeps it busy.
        UnreadableFile: it is damaged.
    """
    database = sqlite3.connect(path, timeout=30, **options)
    try:
        with database:
            yield database
    except sqlite3.OperationalError as error:
        raise LakeLocked(f"{path} is in use ({error}): stop what reads it for long, then run this again") from None
    except sqlite3.DatabaseError as error:
        raise UnreadableFile(
            f"{path} cannot be read ({error}): remove it, run this again, then `millpond publish`"
        ) from None
    finally:
        database.close()


def _temporary_files() -> None:
    """What killed processes left: folders into which queries spilled, half a landing, half a recording."""
    oldest = time.time() - GRACE.total_seconds()
    home = settings.home()
    for folder in (home / "tmp", *(found for name in LEFT_BEHIND for found in home.glob(name))):
        for file in (one for one in folder.rglob("*") if one.is_file() and one.stat().st_mtime < oldest):
            file.unlink()


def size() -> Size:
    """Files and MiB under lake/ and online/."""
    found = [
        os.path.getsize(Path(folder) / name)
        for top in ("lake", "online")
        for folder, _, names in os.walk(settings.home() / top)
        for name in names
    ]
    return Size(len(found), sum(found) / 2**20)
