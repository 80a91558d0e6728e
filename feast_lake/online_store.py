"""An online store in one SQLite file in WAL mode: readers and one writer do not block each other."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

from feast import FeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pydantic import StrictInt, StrictStr

from feast_lake.connection import identifier
from feast_lake.expansion import expand_path
from feast_lake.packed_store import Kept, Packed, PackedStore, Row, kept

PUBLISHED = "publishings"
_STAGED = "temp.staged"
# SQLite takes 32,766 parameters.
_KEYS_PER_STATEMENT = 10_000
# Of equal age the row that comes later counts; what says the same is not written again.
_TAKES_ITS_PLACE = """
    on conflict (entity_key) do update set
        event_ts = excluded.event_ts, layout = excluded.layout, packed = excluded.packed
    where
        {table}.event_ts <= {until}
        and (excluded.event_ts, excluded.layout, excluded.packed) != ({table}.event_ts, {table}.layout, {table}.packed)
"""


class WalSqliteOnlineStoreConfig(FeastConfigBaseModel):
    """Settings of the online store.

    Attributes:
        path: the database file; `${NAME:-default}` is expanded, the folder is created. A relative
            path starts where expand_path says, not at the repository as with Feast's own store.
        busy_timeout_ms: how long to wait for another writer before "database is locked".
    """

    type: Literal["feast_lake.online_store.WalSqliteOnlineStore"] = "feast_lake.online_store.WalSqliteOnlineStore"
    path: StrictStr
    busy_timeout_ms: StrictInt = 30_000


class WalSqliteOnlineStore(PackedStore):
    """A table per view, with a row per key. Each thread has a connection of its own, so none sees another's half."""

    def __init__(self) -> None:
        self._of_thread = threading.local()

    def _connection(self, config: RepoConfig) -> sqlite3.Connection:
        # A connection must not be carried over a fork.
        if getattr(self._of_thread, "process", None) != os.getpid():
            self._of_thread.connection = _connect(config)
            self._of_thread.process = os.getpid()
        connection: sqlite3.Connection = self._of_thread.connection
        return connection

    def read_packed(
        self, config: RepoConfig, wanted: Sequence[tuple[Kept, Sequence[bytes]]]
    ) -> list[list[Packed | None]]:
        connection = self._connection(config)
        answer = []
        for view, keys in wanted:
            found: dict[bytes, Packed] = {}
            for first in range(0, len(keys), _KEYS_PER_STATEMENT):
                found |= _found(connection, view, keys[first : first + _KEYS_PER_STATEMENT])
            answer.append([found.get(key) for key in keys])
        return answer

    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None:
        found = self._connection(config).execute(
            f"select mark from {PUBLISHED} where view = ?", [_name(kept(config, view))]
        )
        row = found.fetchone()
        return None if row is None else str(row[0])

    def count_published(self, config: RepoConfig, view: FeatureView) -> int:
        where = kept(config, view)
        found = self._connection(config).execute(
            f"select count(*) from {_table(where)} where layout = ?", [where.layout]
        )
        return int(found.fetchone()[0])

    def _create(self, config: RepoConfig, view: Kept) -> None:
        self._connection(config).execute(
            f"create table if not exists {_table(view)} "
            "(entity_key blob primary key, event_ts integer, layout text, packed text) without rowid"
        )

    def _drop(self, config: RepoConfig, view: Kept) -> None:
        with self._connection(config) as connection:
            connection.execute("begin immediate")
            connection.execute(f"drop table if exists {_table(view)}")
            connection.execute(f"delete from {PUBLISHED} where view = ?", [_name(view)])

    def _write(self, config: RepoConfig, view: Kept, rows: list[Row]) -> None:
        with self._connection(config) as connection:
            connection.execute("begin immediate")
            connection.executemany(
                f"insert into {_table(view)} (entity_key, event_ts, layout, packed) "
                f"values (?, ?, '{view.layout}', ?) "
                f"{_TAKES_ITS_PLACE.format(table=_table(view), until='excluded.event_ts')}",
                rows,
            )

    def _replace(
        self, config: RepoConfig, view: Kept, batches: Iterator[list[Row]], *, end: int, mark: str
    ) -> tuple[int, int]:
        connection = self._connection(config)
        # The lake is read before the file is locked, so that pushes need not wait for it.
        with connection:
            connection.execute("begin")
            connection.execute(f"drop table if exists {_STAGED}")
            connection.execute(
                f"create table {_STAGED} (entity_key blob primary key, event_ts integer, packed text) without rowid"
            )
            for rows in batches:
                connection.executemany(f"insert into {_STAGED} values (?, ?, ?)", rows)
        with connection:
            connection.execute("begin immediate")
            until = max(end, _last_end(connection, view) or end)
            keys = self._publish_staged(connection, view, until)
            removed = self._remove_vanished(connection, view, until)
            connection.execute(f"insert or replace into {PUBLISHED} values (?, ?, ?)", [_name(view), mark, end])
        connection.execute(f"drop table {_STAGED}")
        return keys, removed

    def _publish_staged(self, connection: sqlite3.Connection, view: Kept, until: int) -> int:
        # Rows of another layout cannot be read, and would stand in the way of older ones.
        connection.execute(f"delete from {_table(view)} where layout != ?", [view.layout])
        connection.execute(
            f"insert into {_table(view)} (entity_key, event_ts, layout, packed) "
            f"select entity_key, event_ts, ?, packed from {_STAGED} where true "
            f"{_TAKES_ITS_PLACE.format(table=_table(view), until=until)}",
            [view.layout],
        )
        return int(connection.execute(f"select count(*) from {_STAGED}").fetchone()[0])

    def _remove_vanished(self, connection: sqlite3.Connection, view: Kept, until: int) -> int:
        """Keys that were not published and have nothing newer."""
        return connection.execute(
            f"delete from {_table(view)} where event_ts <= ? and entity_key not in (select entity_key from {_STAGED})",
            [until],
        ).rowcount


def _last_end(connection: sqlite3.Connection, view: Kept) -> int | None:
    """The `end` of a view's last publishing; None: there was none."""
    found = connection.execute(f"select until from {PUBLISHED} where view = ?", [_name(view)]).fetchone()
    return found and int(found[0])


def _found(connection: sqlite3.Connection, view: Kept, keys: Sequence[bytes]) -> dict[bytes, Packed]:
    rows = connection.execute(
        f"select entity_key, event_ts, packed from {_table(view)} "
        f"where layout = '{view.layout}' and entity_key in ({','.join('?' * len(keys))})",
        keys,
    )
    return {key: Packed.of(event_ts, packed) for key, event_ts, packed in rows.fetchall()}


def _connect(config: RepoConfig) -> sqlite3.Connection:
    path = expand_path(config.online_store.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Transactions begin where this module says so.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute(f"pragma busy_timeout = {config.online_store.busy_timeout_ms}")
    connection.execute("pragma journal_mode = wal")
    # In WAL mode a crash cannot corrupt the file; the last commits are published again.
    connection.execute("pragma synchronous = normal")
    connection.execute(f"create table if not exists {PUBLISHED} (view text primary key, mark text, until integer)")
    return connection


def _name(view: Kept) -> str:
    return f"{view.project}_{view.view}"


def _table(view: Kept) -> str:
    return identifier(f"{_name(view)}_packed")
