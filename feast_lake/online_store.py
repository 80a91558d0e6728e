"""Feast's SQLite online store in WAL mode: readers and one writer do not block each other."""

from __future__ import annotations

import sqlite3
from typing import Literal

from feast.infra.online_stores.sqlite import SqliteOnlineStore
from feast.infra.online_stores.vector_store import VectorStoreConfig
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pydantic import StrictBool, StrictInt, StrictStr

from feast_lake.expansion import expand_path


class WalSqliteOnlineStoreConfig(FeastConfigBaseModel, VectorStoreConfig):
    """Settings of the online store.

    Attributes:
        path: the database file; `${NAME:-default}` is expanded, the folder is created. A relative
            path starts where expand_path says, not at the repository as with Feast's own store.
        busy_timeout_ms: how long to wait for another writer before "database is locked".
        text_search_enabled: as in Feast's own SQLite store.
        enable_openai_compatible_store: as in Feast's own SQLite store.
    """

    type: Literal["feast_lake.online_store.WalSqliteOnlineStore"] = "feast_lake.online_store.WalSqliteOnlineStore"
    path: StrictStr
    busy_timeout_ms: StrictInt = 30_000
    text_search_enabled: StrictBool = False
    enable_openai_compatible_store: StrictBool = False


class WalSqliteOnlineStore(SqliteOnlineStore):
    """Feast's SQLite store, but each new connection is set up for readers beside a writer."""

    @staticmethod
    def _get_db_path(config: RepoConfig) -> str:
        path = expand_path(config.online_store.path)
        # Feast creates the last folder only.
        path.parent.mkdir(parents=True, exist_ok=True)
        return str(path)

    def _get_conn(self, config: RepoConfig) -> sqlite3.Connection:
        is_new = self._conn is None
        connection: sqlite3.Connection = super()._get_conn(config)
        if is_new:
            connection.execute(f"PRAGMA busy_timeout = {config.online_store.busy_timeout_ms}")
            connection.execute("PRAGMA journal_mode = WAL")
            # In WAL mode a crash cannot corrupt the file; the last commits are materialized again.
            connection.execute("PRAGMA synchronous = NORMAL")
        return connection
