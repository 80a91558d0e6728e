"""A catalog in PostgreSQL: the same promises as in a file (test_feast_lake_branch), for many machines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from feast_lake import LakeBusy, LakeError, Place, branch_of, connect, one_writer, reader

READER = """
import sys
from pathlib import Path
import feast_lake
catalog, data, stop = sys.argv[1:]
asked = 0
while True:
    is_last = Path(stop).exists()
    with feast_lake.reader(catalog, data) as connection:
        connection.begin()
        found = connection.execute("select sum(n) from numbers").fetchall()
        assert found == connection.execute("select total from totals").fetchall()
        connection.commit()
    asked += 1
    if is_last:
        break
print(asked, int(found[0][0]))
"""


def insert(place: Place, data: Path, number: int) -> None:
    with connect(place.catalog, str(data), read_only=False, schema=place.schema) as connection:
        connection.execute(f"insert into numbers values ({number})")
        connection.execute("create or replace table totals as select sum(n) as total from numbers")


@pytest.fixture
def catalog(team_catalog: str, tmp_path: Path) -> str:
    assert branch_of(team_catalog).published() is None
    with one_writer(team_catalog) as branch:
        place = branch.place()
        with connect(place.catalog, str(tmp_path), read_only=False, schema=place.schema) as connection:
            connection.execute("create table numbers as select 1 as n; create table totals as select 1 as total")
    return team_catalog


def total(catalog: str, data: Path, schema: str | None = None) -> int:
    with connect(catalog, str(data), schema=schema) as connection:
        return int(connection.execute("select total from totals").fetchall()[0][0])


def fail(catalog: str, data: Path) -> None:
    with one_writer(catalog) as branch:
        insert(branch.place(), data, 2)
        raise ZeroDivisionError


def test_readers_of_another_process_see_whole_states_only(catalog: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", READER, catalog, str(tmp_path), str(tmp_path / "stop")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    for number in range(2, 7):
        with one_writer(catalog) as branch:
            insert(branch.place(), tmp_path, number)
            insert(branch.place(), tmp_path, number)
    (tmp_path / "stop").touch()
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said.split()[1] == str(1 + 2 * sum(range(2, 7)))


def test_an_open_connection_keeps_its_state_and_a_new_one_has_the_newest(catalog: str, tmp_path: Path) -> None:
    with connect(catalog, str(tmp_path)) as stays:
        with one_writer(catalog) as branch:
            insert(branch.place(), tmp_path, 2)
        assert stays.execute("select total from totals").fetchall() == [(1,)]
        with reader(catalog, str(tmp_path)) as new:
            assert new.execute("select total from totals").fetchall() == [(3,)]


def test_a_writing_that_fails_publishes_nothing_and_is_kept_until_the_next(catalog: str, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(catalog, tmp_path)
    failed = branch_of(catalog).failed()
    assert failed
    assert (total(catalog, tmp_path), total(catalog, tmp_path, failed.schema)) == (1, 3)
    with one_writer(catalog) as branch:
        branch.place()
    assert branch_of(catalog).failed() is None


def test_a_killed_writer_frees_the_lake_and_its_branch_is_removed(catalog: str, tmp_path: Path) -> None:
    program = (
        "import feast_lake, os, sys; held = feast_lake.one_writer(sys.argv[1]); held.__enter__().place(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, catalog], check=False).returncode == 9
    with one_writer(catalog, wait_seconds=30) as branch:
        insert(branch.place(), tmp_path, 2)
    assert total(catalog, tmp_path) == 3


def test_a_state_goes_when_it_has_long_had_a_successor(catalog: str, tmp_path: Path) -> None:
    for number in (2, 3):
        with one_writer(catalog) as branch:
            insert(branch.place(), tmp_path, number)
        with psycopg.connect(catalog.removeprefix("postgres:")) as session:
            session.execute("update lake_published set published_at = published_at - interval '2 hours'")
    with one_writer(catalog), psycopg.connect(catalog.removeprefix("postgres:")) as session:
        found = session.execute("select nspname from pg_namespace where nspname like 'lake%' order by 1").fetchall()
    assert found == [("lake_3",)]


def test_a_second_writer_is_told_at_once(catalog: str) -> None:
    with (
        one_writer(catalog),
        pytest.raises(LakeBusy, match="another process is writing to the lake in PostgreSQL"),
        one_writer(catalog),
    ):
        pass


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    with pytest.raises(LakeError, match="Could not reach the lake's PostgreSQL") as caught:
        connect("postgres:host=127.0.0.1 port=1 user=me password=secret")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
