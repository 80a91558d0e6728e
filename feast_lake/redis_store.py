"""An online store in Redis: a string per key and view, `<layout> <seconds since 1970> <values as JSON>`.

Beside them a set per view holds its entity keys. Ages are compared inside Redis, by scripts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Literal
from uuid import uuid4

from feast import FeatureView
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig, RedisType
from feast.repo_config import RepoConfig
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from feast_lake.errors import LakeError
from feast_lake.packed_store import Kept, Packed, PackedStore, Row, kept

# KEYS[1] is the set of the view's entity keys, the others are its rows. ARGV[1] is the layout, ARGV[2] how long the
# rows' prefix is. What is there counts as newer only if it can be read.
_SHARED = """
local function is_newer(there, at)
    local found, seconds = string.match(there or '', '^(%S+) (%S+) ')
    return found == ARGV[1] and tonumber(seconds) > tonumber(at)
end
local function entity(key)
    return string.sub(key, ARGV[2] + 1)
end
"""
# Then, for each row: what is there stays if it is newer than this, and what to write.
WRITE = f"""{_SHARED}
for i = 2, #KEYS do
    local there = redis.call('GET', KEYS[i])
    if not there then
        redis.call('SADD', KEYS[1], entity(KEYS[i]))
    end
    if there ~= ARGV[2 * i] and not is_newer(there, ARGV[2 * i - 1]) then
        redis.call('SET', KEYS[i], ARGV[2 * i])
    end
end
"""
# ARGV[3] is the time up to which rows go; gives how many went.
REMOVE = f"""{_SHARED}
local removed = 0
for i = 2, #KEYS do
    if not is_newer(redis.call('GET', KEYS[i]), ARGV[3]) then
        removed = removed + redis.call('DEL', KEYS[i])
        redis.call('SREM', KEYS[1], entity(KEYS[i]))
    end
end
return removed
"""
# A script holds up every reader: few keys in each.
_KEYS_PER_SCRIPT = 200

NAME: Literal["feast_lake.redis_store.LakeRedisOnlineStore"] = "feast_lake.redis_store.LakeRedisOnlineStore"


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise LakeError(f"The online store in Redis does not answer: {error}") from error


class LakeRedisOnlineStoreConfig(RedisOnlineStoreConfig):
    """Settings of the online store: those of Feast's Redis store."""

    type: Literal["feast_lake.redis_store.LakeRedisOnlineStore"] = NAME  # type: ignore[assignment]


class LakeRedisOnlineStore(PackedStore):
    """A view is published key by key, and its mark is set when it is whole. Every error of Redis is a LakeError."""

    def __init__(self) -> None:
        self._opened: Any = None

    def _client(self, config: RepoConfig) -> Any:
        if self._opened is None:
            self._opened = _open(config.online_store)
        return self._opened

    @_answered()
    def read_packed(
        self, config: RepoConfig, wanted: Sequence[tuple[Kept, Sequence[bytes]]]
    ) -> list[list[Packed | None]]:
        keys = [_prefix(view) + key for view, asked in wanted for key in asked]
        found = iter(self._client(config).mget(keys) if keys else [])
        return [[_unpacked(view, value) for value in islice(found, len(asked))] for view, asked in wanted]

    @_answered()
    def published_mark(self, config: RepoConfig, view: FeatureView) -> str | None:
        found = self._client(config).hget(_marks(config.project), kept(config, view).view)
        return None if found is None else found.decode()

    @_answered()
    def count_published(self, config: RepoConfig, view: FeatureView) -> int:
        return int(self._client(config).scard(_keys(kept(config, view))))

    def _create(self, config: RepoConfig, view: Kept) -> None:
        """Nothing is needed."""

    @_answered()
    def _drop(self, config: RepoConfig, view: Kept) -> None:
        client = self._client(config)
        for told in (_marks(view.project), _until(view.project)):
            client.hdel(told, view.view)
        for keys in _parts(client.scan_iter(_literally(_prefix(view)) + b"*", count=10_000)):
            client.delete(*keys)

    @_answered()
    def _write(self, config: RepoConfig, view: Kept, rows: list[Row]) -> None:
        client = self._client(config)
        with client.pipeline(transaction=False) as pipe:
            self._add(client, pipe, view, rows)
            pipe.execute()

    def _add(self, client: Any, pipe: Any, view: Kept, rows: list[Row], until: int | None = None) -> None:
        """Write rows, each unless a row newer than `until`, or than itself, is there."""
        write = client.register_script(WRITE)
        for part in _parts(rows):
            values = [
                value
                for _, at, packed in part
                for value in (at if until is None else until, f"{view.layout} {at} {packed}")
            ]
            rows_at = [_prefix(view) + key for key, _, _ in part]
            write([_keys(view), *rows_at], [view.layout, len(_prefix(view)), *values], client=pipe)

    @_answered()
    def _replace(
        self, config: RepoConfig, view: Kept, batches: Iterator[list[Row]], *, end: int, mark: str
    ) -> tuple[int, int]:
        client = self._client(config)
        staged = f"{_keys(view)}:{uuid4().hex}"
        until = max(end, int(client.hget(_until(view.project), view.view) or end))
        # Kept until the view is whole, for this run may be killed.
        client.hset(_until(view.project), view.view, until)
        client.hdel(_marks(view.project), view.view)
        for rows in batches:
            with client.pipeline(transaction=False) as pipe:
                self._add(client, pipe, view, rows, until)
                pipe.sadd(staged, *(key for key, _, _ in rows))
                # What a publishing that was killed leaves goes by itself.
                pipe.expire(staged, 86_400)
                pipe.execute()
        keys = int(client.scard(staged))
        removed = self._remove(client, view, client.sdiff(_keys(view), staged), until)
        client.delete(staged)
        client.hset(_until(view.project), view.view, end)
        client.hset(_marks(view.project), view.view, mark)
        return keys, removed

    def _remove(self, client: Any, view: Kept, keys: Iterable[bytes], until: int) -> int:
        remove = client.register_script(REMOVE)
        parts = _parts(_prefix(view) + key for key in keys)
        return sum(int(remove([_keys(view), *part], [view.layout, len(_prefix(view)), until])) for part in parts)

    @_answered()
    def forget(self, config: RepoConfig, values: Iterable[str]) -> int:
        """Remove every entity that has one of these as a key, in all views; how many rows there were."""
        client = self._client(config)
        count = 0
        for value in values:
            part = len(value.encode()).to_bytes(4, "little") + value.encode()
            for key in client.scan_iter(b"*" + _literally(part) + b"*", count=10_000):
                count += client.delete(key)
            for keys in client.scan_iter(f"{config.project}:*:keys*", _type="set"):
                client.srem(keys, *(member for member in client.smembers(keys) if part in member), b"")
        return count


def _open(settings: RedisOnlineStoreConfig) -> Any:
    """Feast's client, but a server that is gone or hangs does not hold up its readers.

    Raises:
        LakeError: a cluster, in which no script may touch several keys; or a time to live, after which a row that is
            published would be missing.
    """
    if settings.redis_type == RedisType.redis_cluster:
        raise LakeError("The online store cannot be a Redis cluster; give one server, or sentinels")
    if settings.key_ttl_seconds is not None:
        raise LakeError("The online store in Redis lets no row expire: leave out key_ttl_seconds, and give views a ttl")
    if "socket_timeout=" not in settings.connection_string:
        patient = f"{settings.connection_string},socket_timeout=5,socket_connect_timeout=5"
        settings = settings.model_copy(update={"connection_string": patient})
    client = RedisOnlineStore()._get_client(settings)
    # One more try finds a server that was restarted.
    client.set_retry(Retry(NoBackoff(), 1))
    return client


def _parts(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    return iter(lambda: list(islice(rest, _KEYS_PER_SCRIPT)), [])


def _literally(text: bytes) -> bytes:
    """A pattern that matches this text only."""
    return b"".join(b"[" + bytes([one]) + b"]" if one in b"*?[]^-\\" else bytes([one]) for one in text)


def _unpacked(view: Kept, value: bytes | None) -> Packed | None:
    found, _, rest = (value or b"").partition(b" ")
    at, _, packed = rest.partition(b" ")
    return Packed.of(int(at), packed) if found == view.layout.encode() else None


def _prefix(view: Kept) -> bytes:
    return f"{view.project}:{view.view}:".encode()


def _keys(view: Kept) -> str:
    return f"{view.project}:{view.view}:keys"


def _marks(project: str) -> str:
    return f"{project}:marks"


def _until(project: str) -> str:
    return f"{project}:until"
