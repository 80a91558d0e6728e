"""Changing a lake: one writer at a time, on a branch of the catalog that takes its place when all is done.

A DuckLake's catalog holds metadata only and its data files never change, so a copy of the catalog is a
branch of the whole lake. Readers keep the published catalog, which nobody ever writes to.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from feast_lake.errors import LakeBusy, LakeError
from feast_lake.expansion import expand, expand_path
from feast_lake.place import Place


class Branch(Protocol):
    """What a writer changes before readers see it."""

    @property
    def lake(self) -> str:
        """The lake that this is a branch of, however its address was spelt."""

    def place(self) -> Place:
        """Where the branch is; the first call makes it."""

    def published(self) -> Place | None:
        """Where the published catalog is; None: there is none yet."""

    def failed(self) -> Place | None:
        """Where the last writing that failed is, if it is still kept."""

    def locked(self, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold the lake's lock, once what a killed writer left is removed."""

    def switch(self) -> None:
        """Publish the branch, if one was made: from one moment to the next, and durably."""

    def set_aside(self) -> None:
        """Keep the branch, if one was made, as the failed one."""


@contextmanager
def one_writer(catalog: str, *, wait_seconds: float = 0) -> Iterator[Branch]:
    """Change a lake: all of it is published when the block ends, nothing if it raises.

    What is deleted of data files inside the block is gone at once, while readers still have the
    published catalog: first publish a state that does not need them, then delete them in a second block.

    Args:
        catalog: as for `connect`; it need not exist yet.
        wait_seconds: how long to wait for another writer.

    Raises:
        LakeBusy: another writer, of this process or another, did not end in that time.
        LakeError: the published catalog was changed meanwhile by a program that does not take turns.
    """
    branch = branch_of(catalog)
    with branch.locked(wait_seconds):
        _in_course[branch.lake] = branch
        try:
            yield branch
        except BaseException:
            branch.set_aside()
            raise
        else:
            branch.switch()
        finally:
            del _in_course[branch.lake]


def in_course(catalog: str) -> Branch | None:
    """The branch that this process is writing to, if it is."""
    return _in_course.get(branch_of(catalog).lake)


def branch_of(catalog: str) -> Branch:
    """The branch of a lake, not yet locked: to ask what it has `failed`."""
    address = expand(catalog.removeprefix("ducklake:"))
    scheme, _, rest = address.partition(":")
    if scheme == "postgres":
        from feast_lake.postgres_branch import PostgresBranch

        return PostgresBranch(rest)
    return SqliteBranch(expand_path(rest)) if scheme == "sqlite" else InPlace(address)


_in_course: dict[str, Branch] = {}


@contextmanager
def file_lock(path: Path, wait_seconds: float) -> Iterator[None]:
    """A lock that the system releases when the process dies."""
    try:
        with FileLock(path, timeout=wait_seconds):
            yield
    except Timeout:
        raise LakeBusy(
            f"another process is writing to {path.parent}: wait until it ends, then run this again"
        ) from None


class SqliteBranch:
    """A branch in a file beside the catalog."""

    def __init__(self, live: Path) -> None:
        self._live = live
        self._file = live.with_name("branch.sqlite")
        self._failed = live.with_name("failed.sqlite")
        self._is_made = False
        self._began_from: tuple[int, ...] | None = None

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[None]:
        with file_lock(self._live.with_name("writer.lock"), wait_seconds):
            _remove(self._file)
            yield

    @property
    def lake(self) -> str:
        return str(self._live)

    def published(self) -> Place | None:
        return Place(f"sqlite:{self._live}") if self._live.exists() else None

    def failed(self) -> Place | None:
        return Place(f"sqlite:{self._failed}") if self._failed.exists() else None

    def place(self) -> Place:
        if not self._is_made:
            _remove(self._failed)
            self._began_from = _identity(self._live)
            if self._began_from:
                _copy(self._live, self._file)
            self._is_made = True
        return Place(f"sqlite:{self._file}")

    def switch(self) -> None:
        if not self._is_made or not self._file.exists():
            return
        if _identity(self._live) != self._began_from:
            self.set_aside()
            raise LakeError(
                f"{self._live} was changed by a program that does not take turns, so nothing was published: "
                "end that program, then run this again"
            )
        _settle(self._file)
        _flush(self._file)
        os.replace(self._file, self._live)
        _flush(self._live.parent)

    def set_aside(self) -> None:
        if self._is_made and self._file.exists():
            with suppress(sqlite3.Error):
                _settle(self._file)
            os.replace(self._file, self._failed)


class InPlace:
    """A lake whose catalog is a DuckDB file, which readers and a writer cannot share: there is nothing to switch."""

    def __init__(self, catalog: str) -> None:
        self._catalog = catalog

    @contextmanager
    def locked(self, wait_seconds: float) -> Iterator[None]:
        with file_lock(expand_path(self._catalog).with_name("writer.lock"), wait_seconds):
            yield

    @property
    def lake(self) -> str:
        return self._catalog

    def place(self) -> Place:
        return Place(self._catalog)

    def published(self) -> Place | None:
        return Place(self._catalog) if expand_path(self._catalog).exists() else None

    def failed(self) -> Place | None:
        return None

    def switch(self) -> None:
        pass

    def set_aside(self) -> None:
        pass


def _identity(file: Path) -> tuple[int, ...] | None:
    """What changes with every change of a file; None: there is none."""
    if not file.exists():
        return None
    status = file.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _copy(live: Path, branch: Path) -> None:
    try:
        with closing(sqlite3.connect(live)) as source, closing(sqlite3.connect(branch)) as target:
            source.backup(target)
    except sqlite3.DatabaseError as error:
        raise LakeError(f"Could not copy the catalog {live}: {error}") from error


def _settle(file: Path) -> None:
    """Undo what a connection that was cut off left half done: its journal must not outlive the file's name."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("select count(*) from sqlite_master").fetchall()


def _remove(file: Path) -> None:
    for ending in ("-journal", "-wal", "-shm", ""):
        file.with_name(file.name + ending).unlink(missing_ok=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
