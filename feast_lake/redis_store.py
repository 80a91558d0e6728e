"""Feast's Redis online store, but a value never makes way for an older one, and each key is also kept packed.

One hash per entity key, laid out as Feast's: a field per feature and `_ts:<view>`. Beside them `_at:<view>`, seconds
since 1970, by which a script compares ages inside Redis, and `_packed:<view>`; a set per view holds what was published.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

import pyarrow as pa
from feast import FeatureView
from feast.infra.online_stores.helpers import _mmh3
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.repo_config import RepoConfig
from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import ConnectionError, TimeoutError

from feast_lake import wire
from feast_lake.errors import LakeError
from feast_lake.online_store import Packed, Replaced, layout, seconds, stamps

# Writes the fields of one view unless newer ones are there; of equal age what comes later counts.
WRITE = """
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there and tonumber(there) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], unpack(ARGV, 3))
return 1
"""
# Removes the fields of one view, unless they are newer.
REMOVE = """
local there = redis.call('HGET', KEYS[1], ARGV[1])
if not there or tonumber(there) > tonumber(ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1], unpack(ARGV, 3))
return 1
"""

NAME: Literal["feast_lake.redis_store.LakeRedisOnlineStore"] = "feast_lake.redis_store.LakeRedisOnlineStore"


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise LakeError(f"The online store in Redis does not answer: {error}") from error


class LakeRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """Settings of the online store: those of Feast's Redis store."""

    type: Literal["feast_lake.redis_store.LakeRedisOnlineStore"] = NAME  # type: ignore[assignment]


class LakeRedisOnlineStore(RedisOnlineStore):
    """As `WalSqliteOnlineStore`, in Redis. A view is published key by key; its mark is set when it is whole."""

    @_answered()
    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKeyProto, dict[str, ValueProto], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write values, each unless a newer one is there; of equal age the one that comes later counts."""
        client = self._get_client(config.online_store)
        names = [field.name for field in table.features]
        write = client.register_script(WRITE)
        with client.pipeline(transaction=False) as pipe:
            for key, values, event_at, _ in data:
                event_ts = seconds(event_at)
                # Not all values came: what was packed is no longer whole.
                is_whole = set(names) <= set(values)
                packed = json.dumps([wire.python_value(values[name]) for name in names]) if is_whole else ""
                fields = {name: value.SerializeToString() for name, value in values.items()}
                entity_key = wire.key_bytes(key)
                write([_key(config, entity_key)], _fields(table, event_ts, fields, packed), client=pipe)
            pipe.execute()
        if progress:
            progress(len(data))

    @_answered()
    def replace_published(
        self,
        config: RepoConfig,
        table: FeatureView,
        batches: Iterable[pa.RecordBatch],
        *,
        end: datetime,
        mark: str = "",
    ) -> Replaced:
        """Make a view hold these rows and what was written for a time after `end`, nothing else.

        Arguments as for `WalSqliteOnlineStore.replace_published`. Until it returns, readers see old and new keys.

        Raises:
            LakeError: Redis does not answer.
        """
        client = self._get_client(config.online_store)
        published, staged = _published(config, table), f"{_published(config, table)}:{uuid4().hex}"
        client.hdel(_marks(config), table.name)
        keys = 0
        for batch in batches:
            keys += self._write(client, config, table, batch, staged)
        removed = self._remove(client, config, table, client.sdiff(published, staged), end)
        with client.pipeline(transaction=True) as pipe:
            if keys:
                pipe.rename(staged, published)
            else:
                pipe.delete(published)
            pipe.hset(_marks(config), table.name, mark)
            pipe.execute()
        return Replaced(keys, keys * len(table.features), removed)

    def _write(self, client: Any, config: RepoConfig, view: FeatureView, batch: pa.RecordBatch, staged: str) -> int:
        names = [column.name for column in view.entity_columns]
        keys = wire.entity_keys(zip(*(batch[name].to_pylist() for name in names), strict=True), names)
        columns = {field.name: wire.encoded(batch[field.name], field.dtype) for field in view.features}
        write = client.register_script(WRITE)
        rows = zip(
            keys, stamps(view, batch), batch["packed"].to_pylist(), zip(*columns.values(), strict=True), strict=True
        )
        with client.pipeline(transaction=False) as pipe:
            for key, event_ts, packed, values in rows:
                fields = dict(zip(columns, values, strict=True))
                write([_key(config, key)], _fields(view, event_ts, fields, packed), client=pipe)
            pipe.sadd(staged, *keys)
            # What a publishing that was killed leaves goes by itself.
            pipe.expire(staged, 86_400)
            pipe.execute()
        client.persist(staged)
        return len(keys)

    def _remove(self, client: Any, config: RepoConfig, view: FeatureView, keys: Iterable[bytes], end: datetime) -> int:
        remove = client.register_script(REMOVE)
        hashes = [_mmh3(f"{view.name}:{field.name}") for field in view.features]
        fields = [f"_ts:{view.name}", f"_packed:{view.name}", *hashes]
        with client.pipeline(transaction=False) as pipe:
            for key in keys:
                remove([_key(config, key)], [f"_at:{view.name}", seconds(end), *fields], client=pipe)
            return sum(pipe.execute())

    @_answered()
    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None:
        """What the newest whole publishing of a view was marked with; None: there was none."""
        found = self._get_client(config.online_store).hget(_marks(config), view.name)
        return None if found is None else found.decode()

    @_answered()
    def count_published(self, config: RepoConfig, view: FeatureView) -> int:
        """Keys of a view that were published."""
        return int(self._get_client(config.online_store).scard(_published(config, view)))

    @_answered()
    def read_packed(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> dict[bytes, Packed]:
        """The values of keys; what is not there, or of another layout, is left out."""
        with self._get_client(config.online_store).pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hget(_key(config, key), f"_packed:{view.name}")
            found = pipe.execute()
        ours = f"{layout(view)} ".encode()
        packed = {
            key: value[len(ours) :] for key, value in zip(keys, found, strict=True) if value and value.startswith(ours)
        }
        parts = {key: value.split(b" ", 1) for key, value in packed.items()}
        return {key: Packed(int(event_ts), json.loads(values)) for key, (event_ts, values) in parts.items() if values}

    @_answered()
    def forget(self, config: RepoConfig, values: Iterable[str]) -> int:
        """Remove every entity that has one of these as a key, in all views; how many there were."""
        client = self._get_client(config.online_store)
        count = 0
        for value in values:
            part = len(value.encode()).to_bytes(4, "little") + value.encode()
            pattern = (
                b"*"
                + b"".join(b"[" + bytes([one]) + b"]" if one in b"*?[]^-\\" else bytes([one]) for one in part)
                + b"*"
            )
            for key in client.scan_iter(pattern, count=10_000):
                count += client.delete(key)
            for published in client.scan_iter(f"{config.project}:published:*"):
                client.srem(published, *(member for member in client.smembers(published) if part in member), b"")
        return count


def _key(config: RepoConfig, entity_key: bytes) -> bytes:
    return entity_key + config.project.encode()


def _published(config: RepoConfig, view: FeatureView) -> str:
    return f"{config.project}:published:{view.name}"


def _marks(config: RepoConfig) -> str:
    return f"{config.project}:published_views"


def _fields(view: FeatureView, event_ts: int, values: dict[str, bytes], packed: str) -> list[Any]:
    """Arguments of the script WRITE."""
    at = Timestamp(seconds=event_ts).SerializeToString()
    hashed = [part for name, value in values.items() for part in (_mmh3(f"{view.name}:{name}"), value)]
    whole = f"{layout(view)} {event_ts} {packed}" if packed else ""
    return [f"_at:{view.name}", event_ts, f"_ts:{view.name}", at, f"_packed:{view.name}", whole, *hashed]
