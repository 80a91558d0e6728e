"""A lake that Feast reads and writes: jobs of one process share a DuckDB, writers have their own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import duckdb
from duckdb import DuckDBPyConnection

from feast_lake.branch import InPlace, branch_of
from feast_lake.connection import Address, address_of, connect, start_session
from feast_lake.errors import LakeError
from feast_lake.place import Place

if TYPE_CHECKING:
    from feast.repo_config import RepoConfig

_MOST_KEPT = 4


@dataclass(frozen=True)
class Lake:
    """A lake that can be opened: the arguments of `reader`, still unexpanded."""

    catalog: str
    data_path: str | None = None
    snapshot: int | None = None
    memory_limit: str | None = None

    @staticmethod
    def of(config: RepoConfig) -> Lake:
        """The lake in the offline store's settings.

        Raises:
            LakeError: the offline store has none.
        """
        store = config.offline_store
        if not hasattr(store, "catalog"):
            raise LakeError(f"The offline store {store.type} has no lake; use LakeOfflineStore")
        return Lake(store.catalog, store.data_path, store.lake_snapshot, store.memory_limit)

    def read(self) -> DuckDBPyConnection:
        """A connection that can only read, at the snapshot if one is set; see `reader`."""
        return reader(self.catalog, self.data_path, self.snapshot, self.memory_limit)

    @property
    def is_one_file(self) -> bool:
        """Whether the catalog is a DuckDB file, which cannot be written to while it is read."""
        return isinstance(branch_of(self.catalog), InPlace)

    def write(self, branch: Place) -> DuckDBPyConnection:
        """A connection of its own that can write to a branch of this lake; refused where a snapshot is set."""
        return connect(branch.catalog, self.data_path, self.snapshot, read_only=False, schema=branch.schema)


def reader(
    catalog: str, data_path: str | None = None, snapshot: int | None = None, memory_limit: str | None = None
) -> DuckDBPyConnection:
    """Open a lake for reading, on a DuckDB that this process keeps open: connecting costs only once.

    Each call is a session of its own with its own temporary tables and settings, so threads take one
    each. Every statement sees what others wrote before it, unless a snapshot is set. A lake is kept
    only if its catalog is in SQLite: between statements nothing locks that, while a catalog in a
    DuckDB file would stay closed to writers; others are opened as `connect` does.

    Args:
        catalog: as for `connect`, like the next two.
        memory_limit: what DuckDB's work may take, such as `4GB`; beyond it goes onto the disk.

    Returns:
        A connection as from `connect`; close it, or use it in `with`.

    Raises:
        LakeError: as from `connect`.
    """
    address = address_of(catalog, data_path=data_path, snapshot=snapshot, read_only=True, memory_limit=memory_limit)
    if address.scheme != "sqlite":
        return address.open()
    # A rebuilt catalog may have the old one's inode, but not its time of change.
    file = Path(address.location).stat()
    version = (os.getpid(), file.st_dev, file.st_ino, file.st_ctime_ns)
    with _lock:
        known = _kept.pop(address, None)
        _kept[address] = known if known and known.serves(version) else _Kept(version, address.open())
        if len(_kept) > _MOST_KEPT:
            del _kept[next(iter(_kept))]
        session = _kept[address].instance.cursor()
    start_session(session)
    return session


class _Kept(NamedTuple):
    version: tuple[int, ...]
    instance: DuckDBPyConnection

    def serves(self, version: tuple[int, ...]) -> bool:
        """Whether it is on this catalog, and no fatal error has stopped it."""
        if self.version != version:
            return False
        try:
            self.instance.execute("select 1")
        except duckdb.Error:
            return False
        return True


_kept: dict[Address, _Kept] = {}
_lock = Lock()


def _before_fork() -> None:
    # A forked child has none of DuckDB's threads, and would wait for them for ever when it ends.
    _lock.acquire()
    _kept.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_lock.release, after_in_child=_lock.release)
