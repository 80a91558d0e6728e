"""feast_lake.one_writer: a branch of the catalog that is published whole or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest

from feast_lake import LakeBusy, LakeError, branch_of, connect, in_course, one_writer, reader
from feast_lake.lake import Lake
from feast_lake.writing import append
from feast_lake_fixtures import build_lake


@pytest.fixture
def catalog(tmp_path: Path) -> str:
    return build_lake(tmp_path, {"main.numbers": "select 1 as n"})


def total(catalog: str) -> int:
    with connect(catalog) as connection:
        return int(connection.execute("select sum(n) from numbers").fetchall()[0][0])


def insert_two(catalog: str) -> None:
    with connect(catalog, read_only=False) as connection:
        connection.execute("insert into numbers values (2)")


def fail(catalog: str, work: Callable[[str], object]) -> None:
    with one_writer(catalog) as branch:
        work(branch.place().catalog)
        raise ZeroDivisionError


def files(catalog: str) -> set[str]:
    return {file.name for file in Path(catalog.removeprefix("sqlite:")).parent.glob("*.sqlite*")}


def test_readers_see_all_of_a_writing_at_its_end(catalog: str) -> None:
    with connect(catalog) as stays, reader(catalog) as kept:
        with one_writer(catalog) as branch:
            insert_two(branch.place().catalog)
            insert_two(branch.place().catalog)
            assert total(catalog) == 1
        for connection in (stays, kept):
            assert connection.execute("select sum(n) from numbers").fetchall() == [(5,)]
    assert files(catalog) == {"catalog.sqlite"}


def inlined(catalog: str) -> int:
    with closing(sqlite3.connect(catalog.removeprefix("sqlite:"))) as database:
        return int(database.execute("select count(*) from ducklake_inlined_data_tables").fetchone()[0])


def test_rows_lie_in_data_files_however_few_they_are(catalog: str) -> None:
    before = inlined(catalog)
    with one_writer(catalog) as branch, connect(branch.place().catalog, read_only=False) as connection:
        connection.execute("create table few as select 1 as n")
        connection.execute("insert into few values (2)")
    assert inlined(catalog) == before


def test_a_transaction_that_began_before_a_switch_keeps_its_state(catalog: str) -> None:
    with connect(catalog) as connection:
        connection.begin()
        assert connection.execute("select sum(n) from numbers").fetchall() == [(1,)]
        with one_writer(catalog) as branch:
            insert_two(branch.place().catalog)
        assert connection.execute("select sum(n) from numbers").fetchall() == [(1,)]
        connection.commit()
        assert connection.execute("select sum(n) from numbers").fetchall() == [(3,)]


def test_a_writing_that_fails_publishes_nothing_and_is_kept_until_the_next(catalog: str) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(catalog, insert_two)
    failed = branch_of(catalog).failed()
    assert failed
    assert (total(catalog), total(failed.catalog)) == (1, 3)
    with one_writer(catalog) as branch:
        branch.place()
        assert branch.failed() is None
    assert files(catalog) == {"catalog.sqlite"}


def test_a_writing_that_changes_nothing_keeps_the_failed_one(catalog: str) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(catalog, total)
    with one_writer(catalog):
        pass
    assert files(catalog) == {"catalog.sqlite", "failed.sqlite"}


# A commit that is cut off: its journal is on disk, its first pages are in the file.
CUT_OFF = """
import os, sqlite3, sys
half = sqlite3.connect(sys.argv[1].removeprefix("sqlite:"), isolation_level=None)
half.execute("pragma cache_size = 1")
half.execute("begin immediate")
half.execute("create table half as select randomblob(100000) as pages")
os._exit(9)
"""
KILLED = """
import feast_lake, sys
held = feast_lake.one_writer(sys.argv[1])
sys.argv[1] = held.__enter__().place().catalog
"""


def cut_off(catalog: str, program: str = CUT_OFF) -> None:
    assert subprocess.run([sys.executable, "-c", program, catalog], check=False).returncode == 9


def test_what_a_killed_writer_left_is_removed_with_its_journal(catalog: str) -> None:
    cut_off(catalog, KILLED + CUT_OFF)
    assert files(catalog) == {"catalog.sqlite", "branch.sqlite", "branch.sqlite-journal"}
    assert total(catalog) == 1
    with one_writer(catalog) as branch:
        insert_two(branch.place().catalog)
    assert total(catalog) == 3
    assert files(catalog) == {"catalog.sqlite"}


def test_a_journal_does_not_outlive_the_name_of_its_branch(catalog: str) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(catalog, cut_off)
    assert files(catalog) == {"catalog.sqlite", "failed.sqlite"}
    failed = branch_of(catalog).failed()
    assert failed
    with closing(sqlite3.connect(failed.catalog.removeprefix("sqlite:"))) as kept:
        assert kept.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_a_second_writer_is_told_at_once_or_waits(catalog: str) -> None:
    with one_writer(catalog):
        with pytest.raises(LakeBusy, match="another process is writing to"), one_writer(catalog):
            pass
        second = Thread(target=append, args=(Lake(catalog),), kwargs={"table": "numbers", "rows": pa.table({"n": [2]})})
        second.start()
        assert total(catalog) == 1
    second.join(timeout=60)
    assert total(catalog) == 3


def test_a_change_by_a_program_that_takes_no_turns_is_not_lost(catalog: str) -> None:
    def write_to_both(branch: str) -> None:
        for place in (branch, catalog, catalog):
            insert_two(place)

    with pytest.raises(LakeError, match="changed by a program that does not take turns"), one_writer(catalog) as branch:
        write_to_both(branch.place().catalog)
    assert total(catalog) == 5


def test_the_branch_in_course_is_known_by_its_lake_however_it_is_spelt(
    catalog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert in_course(catalog) is None
    with one_writer(catalog) as branch:
        assert in_course("ducklake:sqlite:catalog.sqlite") is branch
    assert in_course(catalog) is None
