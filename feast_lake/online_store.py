"""Feast's SQLite online store in WAL mode: readers and one writer do not block each other.

Beside Feast's table of a view, with a row per feature, it keeps one with a row per key that holds all of the key's
values (`packed`): reading that takes a tenth of the time.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import md5
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import pyarrow as pa
from feast import Entity, FeatureView
from feast.infra.online_stores.sqlite import SqliteOnlineStore, _table_id
from feast.infra.online_stores.vector_store import VectorStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pydantic import StrictBool, StrictInt, StrictStr

from feast_lake import wire
from feast_lake.connection import identifier
from feast_lake.expansion import expand_path

PACKED = "_packed"
MARKS = "published_views"


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


class Packed(NamedTuple):
    """All values of one key in one view.

    Attributes:
        event_ts: when the values held, seconds since 1970 UTC.
        values: in the order of the view's features; a timestamp in seconds.
    """

    event_ts: int
    values: list[Any]


class Replaced(NamedTuple):
    """What a publishing did to one view: keys and values written, keys removed."""

    keys: int
    values: int
    removed: int


@runtime_checkable
class PublishingStore(Protocol):
    """What publishing and readers need of an online store; see `WalSqliteOnlineStore`."""

    def replace_published(
        self,
        config: RepoConfig,
        table: FeatureView,
        batches: Iterable[pa.RecordBatch],
        *,
        end: datetime,
        mark: str = "",
    ) -> Replaced: ...

    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None: ...

    def count_published(self, config: RepoConfig, view: FeatureView) -> int: ...

    def read_packed(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> dict[bytes, Packed]: ...


def layout(view: FeatureView) -> str:
    """Short hash of a view's features, their order and types: packed values are read only under the same."""
    return md5(",".join(f"{field.name} {field.dtype}" for field in view.features).encode()).hexdigest()[:12]


class WalSqliteOnlineStore(SqliteOnlineStore):
    """Feast's SQLite store, but a value never makes way for an older one, and each key is also kept packed."""

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

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make the tables of the views, as Feast's store does, and those of packed values."""
        super().update(config, tables_to_delete, tables_to_keep, entities_to_delete, entities_to_keep, partial)
        connection = self._get_conn(config)
        for view in tables_to_keep:
            connection.execute(
                f"create table if not exists {_packed_table(config, view)} "
                "(entity_key blob primary key, event_ts integer, layout text, packed text) without rowid"
            )
        for view in tables_to_delete:
            connection.execute(f"drop table if exists {_packed_table(config, view)}")

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKeyProto, dict[str, ValueProto], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write values, each unless a newer one is there; of equal age the one that comes later counts."""
        connection = self._get_conn(config)
        names = [field.name for field in table.features]
        with connection:
            for key, values, event_at, _ in data:
                key_bytes, event_ts = wire.key_bytes(key), seconds(event_at)
                rows = [
                    (key_bytes, name, value.SerializeToString(), value.string_val or None, event_ts)
                    for name, value in values.items()
                ]
                connection.executemany(_upsert(config, table), rows)
                if set(names) <= set(values):
                    packed = json.dumps([wire.python_value(values[name]) for name in names])
                    connection.execute(_upsert_packed(config, table), (key_bytes, event_ts, layout(table), packed))
                else:
                    # Not all values came: what was packed is no longer whole.
                    connection.execute(f"delete from {_packed_table(config, table)} where entity_key = ?", [key_bytes])
                if progress:
                    progress(1)

    def replace_published(
        self,
        config: RepoConfig,
        table: FeatureView,
        batches: Iterable[pa.RecordBatch],
        *,
        end: datetime,
        mark: str = "",
    ) -> Replaced:
        """Make a view hold these rows and what was written for a time after `end`, nothing else; in one transaction.

        Args:
            batches: the view's join keys, features and timestamp, each under its name, and `packed`: the features as a
                JSON array in the order of the view. At most one row per key.
            end: newest timestamp that the rows may have.
            mark: kept beside the view for `published_mark`.
        """
        connection = self._get_conn(config)
        keys = 0
        connection.execute("begin immediate")
        with connection:
            connection.execute(f"create table if not exists {MARKS} (view text primary key, mark text)")
            connection.execute("create temp table if not exists published (entity_key blob primary key) without rowid")
            connection.execute("delete from published")
            self._forget_left_features(config, table)
            for batch in batches:
                keys += self._write(config, table, batch)
            removed = self._remove_vanished(config, table, end)
            connection.execute(
                f"insert or replace into {MARKS} values (?, ?)", [_table_id(config.project, table), mark]
            )
        return Replaced(keys, keys * len(table.features), removed)

    def _write(self, config: RepoConfig, view: FeatureView, batch: pa.RecordBatch) -> int:
        connection = self._get_conn(config)
        names = [column.name for column in view.entity_columns]
        keys = wire.entity_keys(zip(*(batch[name].to_pylist() for name in names), strict=True), names)
        event_ts = stamps(view, batch)
        nothing = [None] * len(keys)
        for field in view.features:
            values = wire.encoded(batch[field.name], field.dtype)
            texts = batch[field.name].to_pylist() if _is_text(batch[field.name]) else nothing
            rows = zip(keys, [field.name] * len(keys), values, texts, event_ts, strict=True)
            connection.executemany(_upsert(config, view), rows)
        packed = zip(keys, event_ts, [layout(view)] * len(keys), batch["packed"].to_pylist(), strict=True)
        connection.executemany(_upsert_packed(config, view), packed)
        connection.executemany("insert into published values (?)", ((key,) for key in keys))
        return len(keys)

    def _forget_left_features(self, config: RepoConfig, view: FeatureView) -> None:
        """Values of features that a view had under another layout."""
        connection = self._get_conn(config)
        others = connection.execute(f"delete from {_packed_table(config, view)} where layout != ?", [layout(view)])
        if others.rowcount:
            places = ",".join("?" * len(view.features))
            connection.execute(
                f"delete from {_scalar_table(config, view)} where feature_name not in ({places})",
                [field.name for field in view.features],
            )

    def _remove_vanished(self, config: RepoConfig, view: FeatureView, end: datetime) -> int:
        """Keys that were not published and have nothing newer."""
        connection = self._get_conn(config)
        removed = 0
        for name in (_scalar_table(config, view), _packed_table(config, view)):
            condition = "where event_ts <= ? and entity_key not in (select entity_key from published)"
            gone = connection.execute(f"select count(distinct entity_key) from {name} {condition}", [seconds(end)])
            removed = max(removed, int(gone.fetchone()[0]))
            connection.execute(f"delete from {name} {condition}", [seconds(end)])
        return removed

    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None:
        """What the newest publishing of a view was marked with; None: it was never published."""
        connection = self._get_conn(config)
        if not connection.execute("select 1 from sqlite_master where name = ?", [MARKS]).fetchone():
            return None
        found = connection.execute(
            f"select mark from {MARKS} where view = ?", [_table_id(config.project, view)]
        ).fetchone()
        return str(found[0]) if found else None

    def count_published(self, config: RepoConfig, view: FeatureView) -> int:
        """Keys of a view that can be read packed, of its present layout."""
        found = self._get_conn(config).execute(
            f"select count(*) from {_packed_table(config, view)} where layout = ?", [layout(view)]
        )
        return int(found.fetchone()[0])

    def read_packed(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> dict[bytes, Packed]:
        """The values of keys; what is not there, or of another layout, is left out."""
        places = ",".join("?" * len(keys))
        rows = self._get_conn(config).execute(
            f"select entity_key, event_ts, packed from {_packed_table(config, view)} "
            f"where layout = ? and entity_key in ({places})",
            [layout(view), *keys],
        )
        return {key: Packed(event_ts, json.loads(packed)) for key, event_ts, packed in rows.fetchall()}


def _scalar_table(config: RepoConfig, view: FeatureView) -> str:
    return identifier(_table_id(config.project, view, config.registry.enable_online_feature_view_versioning))


def _packed_table(config: RepoConfig, view: FeatureView) -> str:
    return identifier(_table_id(config.project, view, config.registry.enable_online_feature_view_versioning) + PACKED)


def _upsert(config: RepoConfig, view: FeatureView) -> str:
    name = _scalar_table(config, view)
    return (
        f"insert into {name} (entity_key, feature_name, value, value_text, event_ts) values (?, ?, ?, ?, ?) "
        "on conflict (entity_key, feature_name) do update set "
        "value = excluded.value, value_text = excluded.value_text, event_ts = excluded.event_ts "
        f"where excluded.event_ts >= {name}.event_ts"
    )


def _upsert_packed(config: RepoConfig, view: FeatureView) -> str:
    name = _packed_table(config, view)
    return (
        f"insert into {name} (entity_key, event_ts, layout, packed) values (?, ?, ?, ?) "
        "on conflict (entity_key) do update set "
        "event_ts = excluded.event_ts, layout = excluded.layout, packed = excluded.packed "
        f"where excluded.event_ts >= {name}.event_ts"
    )


def stamps(view: FeatureView, batch: pa.RecordBatch) -> list[int]:
    """The event timestamps of a batch, in seconds since 1970 UTC."""
    timestamps = batch[view.batch_source.timestamp_field if view.batch_source else ""]
    found: list[int] = timestamps.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).to_pylist()
    return found


def seconds(moment: datetime) -> int:
    """Since 1970; a moment without zone is UTC."""
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _is_text(column: pa.Array) -> bool:
    return bool(pa.types.is_string(column.type) or pa.types.is_large_string(column.type))
