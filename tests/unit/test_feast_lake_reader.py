"""feast_lake.reader: sessions on one DuckDB that the process keeps, beside writers, threads and forks."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from feast_lake import LakeError, connect, reader
from feast_lake import lake as lake_module
from feast_lake_fixtures import build_lake

NUMBERS = {"main.numbers": "select 1 as n"}


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    return build_lake(tmp_path, NUMBERS)


def total(connection: DuckDBPyConnection) -> int:
    [(found,)] = connection.execute("select sum(n) from numbers").fetchall()
    return int(found)


def instance(connection: DuckDBPyConnection) -> str:
    """What tells one DuckDB from another: each spills into a folder of its own."""
    [(folder,)] = connection.execute("select current_setting('temp_directory')").fetchall()
    return str(folder)


def in_another_process(program: str, *arguments: str) -> str:
    """What the program prints; a hang or an error fails the test."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, timeout=60, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


INSERT = """
import sys, feast_lake
with feast_lake.connect(sys.argv[1], read_only=False) as connection:
    connection.execute("insert into numbers values (2)")
"""


def test_what_another_process_writes_is_seen_at_once_but_not_at_a_pinned_snapshot(catalog: str) -> None:
    with reader(catalog) as present:
        [(snapshot,)] = present.execute("select max(snapshot_id) from lake.snapshots()").fetchall()
        with reader(catalog, snapshot=snapshot) as past:
            assert (total(present), total(past)) == (1, 1)
            in_another_process(INSERT, catalog)
            assert (total(present), total(past)) == (3, 1)
    with reader(catalog) as present, reader(catalog, snapshot=snapshot) as past:
        assert (total(present), total(past)) == (3, 1)


def test_an_open_reader_does_not_stop_a_writer_in_this_process(catalog: str) -> None:
    with reader(catalog) as connection:
        assert total(connection) == 1
        with connect(catalog, read_only=False) as writer:
            writer.execute("insert into numbers values (2)")
        assert total(connection) == 3


def test_readers_share_a_duckdb_and_connections_do_not(catalog: str) -> None:
    with reader(catalog) as one:
        first = instance(one)
    with reader(catalog) as one, reader(catalog) as two, connect(catalog) as own:
        assert instance(one) == instance(two) == first
        assert instance(own) != first


def test_a_reader_cannot_write(catalog: str) -> None:
    with reader(catalog) as connection, pytest.raises(duckdb.Error, match="read-only"):
        connection.execute("insert into numbers values (2)")


def test_each_reader_starts_in_utc_whatever_another_one_set(catalog: str) -> None:
    with reader(catalog) as one, reader(catalog) as two:
        one.execute("SET TimeZone = 'Asia/Tokyo'; SET asof_loop_join_threshold = 64")
        for connection in (two, reader(catalog)):
            found = connection.execute(
                "select current_setting('TimeZone'), current_setting('asof_loop_join_threshold'), "
                "current_setting('enable_progress_bar')"
            )
            assert found.fetchall() == [("UTC", 0, False)]


def test_a_temporary_table_is_its_readers_own_and_is_freed_with_it(catalog: str) -> None:
    held = "select coalesce(sum(memory_usage_bytes), 0) from duckdb_memory() where tag = 'IN_MEMORY_TABLE'"
    with reader(catalog) as watcher:
        with reader(catalog) as connection:
            connection.execute("create temp table mine as select * from range(1000000)")
            assert watcher.execute(held).fetchall()[0][0] > 1e6
            with pytest.raises(duckdb.CatalogException, match="mine does not exist"):
                watcher.execute("from mine")
        assert watcher.execute(held).fetchall() == [(0,)]


def test_threads_with_tables_of_one_name_do_not_meet(catalog: str) -> None:
    together = Barrier(8)

    def own_number(number: int) -> int:
        with reader(catalog) as connection:
            connection.execute(f"create temp table rows_asked as select {number} as n")
            together.wait(timeout=30)
            return int(connection.execute("select r.n + l.n from rows_asked r, numbers l").fetchall()[0][0])

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(own_number, range(8))) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_catalog_rebuilt_at_the_same_path_is_opened_anew(tmp_path: Path, catalog: str) -> None:
    with reader(catalog) as connection:
        assert total(connection) == 1
    (tmp_path / "catalog.sqlite").unlink()
    with pytest.raises(LakeError, match="There is no lake"):
        reader(catalog)
    build_lake(tmp_path, {"main.numbers": "select 'other columns' as text, 7 as n"})
    with reader(catalog) as connection:
        assert total(connection) == 7


def test_a_duckdb_that_has_failed_is_replaced(catalog: str) -> None:
    with reader(catalog) as connection:
        first = instance(connection)
    # As after a fatal error: DuckDB refuses every further statement.
    lake_module._kept[next(reversed(lake_module._kept))].instance.close()
    with reader(catalog) as connection:
        assert instance(connection) != first


def test_only_the_lakes_read_last_are_kept(tmp_path: Path, catalog: str) -> None:
    with reader(catalog) as still_open:
        for number in range(5):
            with reader(build_lake(tmp_path / str(number), NUMBERS)) as other:
                assert total(other) == 1
        assert len(lake_module._kept) == 4
        assert total(still_open) == 1
        with reader(catalog) as again:
            assert instance(again) != instance(still_open)


def test_a_catalog_in_a_duckdb_file_is_left_to_writers(tmp_path: Path, catalog: str) -> None:
    file = str(tmp_path / "catalog.ducklake")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD ducklake; ATTACH 'ducklake:{file}' AS lake (DATA_PATH '{tmp_path}/other')")
        connection.execute("create table lake.numbers as select 1 as n")
    with reader(file) as connection:
        assert total(connection) == 1
    in_another_process(INSERT, file)
    with reader(file) as connection:
        assert total(connection) == 3


FORK = """
import multiprocessing, os, sys, feast_lake

def total():
    with feast_lake.reader(sys.argv[1]) as connection:
        # Enough rows for DuckDB to use its threads.
        [(found,)] = connection.execute("select sum(n + i * 0) from numbers, range(1000000) r (i)").fetchall()
        return int(found)

print("parent", total(), flush=True)
idle = os.fork()
if not idle:
    sys.exit(7)
print("idle child", os.waitstatus_to_exitcode(os.waitpid(idle, 0)[1]))
print("parent", total())
with multiprocessing.get_context("fork").Pool(1) as pool:
    print("child", pool.apply(total))
print("parent", total())
"""


def test_a_forked_child_ends_and_can_read_for_itself(catalog: str) -> None:
    said = in_another_process(FORK, catalog).splitlines()
    assert said == ["parent 1000000", "idle child 7", "parent 1000000", "child 1000000", "parent 1000000"]
