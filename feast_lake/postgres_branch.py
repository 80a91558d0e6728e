"""A branch of a catalog in PostgreSQL: a schema of its own; one row says which schema is published.

A published schema never changes, so its readers need no lock and nothing waits for them. A connection stays with
the state that it was opened on, which is removed some time after a later one was published.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from feast_lake.errors import LakeBusy, LakeError
from feast_lake.place import Place

if TYPE_CHECKING:
    from psycopg import Connection

POINTER, FAILED = "lake_published", "lake_failed"
# Of PostgreSQL's advisory locks, which are the database's own: "lake" in ASCII.
_LOCK = 0x6C616B65
# For connections to a state that is no longer the newest.
_KEPT = "1 hour"
_DROP_PATIENCE = "1s"


class PostgresBranch:
    """See `feast_lake.branch.Branch`. The lock is the session's: PostgreSQL frees it when its holder is gone."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._session: Connection | None = None
        self._schema: str | None = None
        self._began_from: int | None = None

    @property
    def lake(self) -> str:
        return f"postgres:{self._location}"

    def published(self) -> Place | None:
        with _connected(self._location) as session:
            states = _published(session)
            return Place(self.lake, states[0]) if states else None

    def failed(self) -> Place | None:
        with _connected(self._location) as session:
            return Place(self.lake, FAILED) if _newest_snapshot(session, FAILED) is not None else None

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[None]:
        from psycopg.errors import LockNotAvailable

        with _connected(self._location) as session:
            session.execute("select set_config('lock_timeout', %s, false)", [f"{max(1, round(wait_seconds * 1000))}ms"])
            try:
                session.execute("select pg_advisory_lock(%s)", [_LOCK])
            except LockNotAvailable:
                raise LakeBusy(
                    "another process is writing to the lake in PostgreSQL: wait until it ends, then run this again"
                ) from None
            # Whoever still reads what is to be dropped keeps it until the next writing.
            session.execute(f"set lock_timeout = '{_DROP_PATIENCE}'")
            session.execute(
                f"create table if not exists {POINTER} "
                "(state bigint primary key, published_at timestamptz default now())"
            )
            _drop(session, *(set(_states(session)) - set(_still_kept(session))))
            self._session = session
            yield

    def place(self) -> Place:
        if self._schema is None:
            session = self._held()
            published = _published(session)
            _drop(session, FAILED)
            schema = f"lake_{_number(published[0]) + 1 if published else 1}"
            with session.transaction():
                session.execute(f"create schema {schema}")
                if published:
                    self._began_from = _newest_snapshot(session, published[0])
                    _copy_tables(session, published[0], schema)
            self._schema = schema
        return Place(self.lake, self._schema)

    def switch(self) -> None:
        session = self._held()
        if self._schema is None or _newest_snapshot(session, self._schema) is None:
            return
        published = _published(session)
        if published and _newest_snapshot(session, published[0]) != self._began_from:
            self.set_aside()
            raise LakeError(
                "the lake in PostgreSQL was changed by a program that does not take turns, so nothing was published: "
                "end that program, then run this again"
            )
        session.execute(f"insert into {POINTER} values (%s)", [_number(self._schema)])

    def set_aside(self) -> None:
        if self._schema is not None:
            self._held().execute(f"alter schema {self._schema} rename to {FAILED}")

    def _held(self) -> Connection:
        if self._session is None:
            raise RuntimeError("the branch is not locked: use feast_lake.one_writer")
        return self._session


@contextmanager
def _connected(location: str) -> Iterator[Connection]:
    try:
        import psycopg
    except ImportError:
        raise LakeError("a catalog in PostgreSQL needs psycopg: run pip install 'psycopg[binary]'") from None
    try:
        session = psycopg.connect(location, autocommit=True)
    except psycopg.Error as error:
        raise LakeError(f"Could not reach the lake's PostgreSQL: {' '.join(str(error).split())}") from error
    try:
        with session:
            yield session
    except psycopg.Error as error:
        raise LakeError(f"The lake's PostgreSQL refused: {' '.join(str(error).split())}") from error


def _published(session: Connection) -> list[str]:
    """Schemas that were published, newest first."""
    if not _has_table(session, POINTER):
        return []
    rows = session.execute(f"select state from {POINTER} order by state desc").fetchall()
    return [f"lake_{state}" for (state,) in rows]


def _still_kept(session: Connection) -> list[str]:
    """Published schemas without those that have long had a successor."""
    rows = session.execute(
        f"select state, lead(published_at) over (order by state) > now() - interval '{_KEPT}' from {POINTER}"
    ).fetchall()
    return [f"lake_{state}" for state, is_recent in rows if is_recent is not False]


def _states(session: Connection) -> list[str]:
    rows = session.execute("select nspname from pg_namespace where nspname ~ '^lake_[0-9]+$'").fetchall()
    return [schema for (schema,) in rows]


def _number(schema: str) -> int:
    return int(schema.removeprefix("lake_"))


def _has_table(session: Connection, name: str) -> bool:
    return bool(session.execute("select to_regclass(%s) is not null", [name]).fetchall()[0][0])


def _newest_snapshot(session: Connection, schema: str) -> int | None:
    """None: the schema holds no catalog."""
    if not _has_table(session, f"{schema}.ducklake_snapshot"):
        return None
    return int(session.execute(f"select max(snapshot_id) from {schema}.ducklake_snapshot").fetchall()[0][0])


def _copy_tables(session: Connection, source: str, target: str) -> None:
    tables = session.execute("select tablename from pg_tables where schemaname = %s", [source]).fetchall()
    for (table,) in tables:
        session.execute(f'create table {target}."{table}" (like {source}."{table}" including all)')
        session.execute(f'insert into {target}."{table}" select * from {source}."{table}"')


def _drop(session: Connection, *schemas: str) -> None:
    from psycopg.errors import LockNotAvailable

    for schema in schemas:
        with suppress(LockNotAvailable):
            session.execute(f"drop schema if exists {schema} cascade")
