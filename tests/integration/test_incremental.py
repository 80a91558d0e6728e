"""A build after more raw files equals a build of all, whatever came late, corrected or before what it refers to."""

import re
import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from test_loop import build_features

from millpond import dbt, lake, pipeline

FIRST = date(2023, 9, 4)
SECOND = FIRST + timedelta(days=3)

# Of the lake, after each build of the fixture.
SCHEMA_VERSIONS: list[int] = []

# After the first.
FIRST_FEATURES: dict[str, list[tuple[Any, ...]]] = {}

# Dates whose observations the second build asked for, of a model in which a customer without messages has no row.
ASKED_DATES: set[str] = set()

# When a row of the shop reached us, where the row itself does not say. A late invoice comes after its lines.
ARRIVED_AT = {
    "crm/customers": "created_at",
    "crm/consents": "effective_at",
    "invoices/products": "date '1900-01-01'",
    "invoices/invoices": "invoiced_at",
    "invoices/lines": (
        "(select min(invoiced_at) from '{shop}/invoices/invoices/shop.parquet' as parents"
        " where parents.invoice_id = raw.invoice_id)"
    ),
    "communications/campaigns": "starts_at",
    "communications/messages": "sent_at",
    "communications/events": "occurred_at",
}


def land(shop: Path, home: Path, *, since: date, until: date) -> None:
    """Raw files of what reached the shop from one date to before another."""
    for table, arrived_at in ARRIVED_AT.items():
        file = f"'{shop}/{table}/shop.parquet'"
        columns = {row[0] for row in duckdb.sql(f"describe from {file}").fetchall()}
        known_at = "known_at" if "known_at" in columns else "null"
        arrived = f"coalesce({known_at}, {arrived_at.format(shop=shop)})"
        folder = home / "raw" / table
        folder.mkdir(parents=True, exist_ok=True)
        duckdb.sql(
            f"copy (select raw.* from {file} as raw where {arrived} >= '{since}' and {arrived} < '{until}')"
            f" to '{folder}/{until}.parquet'"
        )


def resend_under_another_key(shop: Path, home: Path) -> None:
    """A raw file that says whose the newest invoice is, at the very moment of the row that it corrects."""
    invoices = f"'{shop}/invoices/invoices/shop.parquet'"
    duckdb.sql(
        f"copy (select * replace ('c1' as customer_key) from {invoices}"
        f" where customer_key != 'c1' and invoiced_at < '{FIRST}'"
        f" order by invoiced_at desc, invoice_id limit 1) to '{home}/raw/invoices/invoices/resent.parquet'"
    )


def plan_messages(shop: Path, home: Path) -> None:
    """A raw file of two planned messages to every customer ever written to: one between both builds, one later."""
    messages = f"'{shop}/communications/messages/shop.parquet'"
    duckdb.sql(
        "copy (select distinct source_system, 'plan' || day || '-' || customer_key as message_id, customer_key,"
        f" timestamp '{FIRST}' + interval 1 day * day as sent_at, channel"
        f" from {messages} cross join range(1, 10, 8) as plans(day))"
        f" to '{home}/raw/communications/messages/planned.parquet'"
    )


def content() -> dict[str, list[tuple[Any, ...]]]:
    """Every table that a build makes, without the moment at which each row was written."""
    with lake.connect() as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'lake'"
            " and schema_name in ('staging', 'intermediate', 'marts', 'features') and table_name != 'new_beginnings'"
        ).fetchall()
        return {
            name: connection.execute(
                f"select columns(c -> c not in ('_built_at', '_file_mark')) from {name} order by all"
            ).fetchall()
            for (name,) in sorted(names)
        }


def features() -> dict[str, list[tuple[Any, ...]]]:
    return {name: rows for name, rows in content().items() if name.startswith("features.")}


def assert_equal(one: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


@pytest.fixture(scope="module")
def grown(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home that was built, got three more days of files and was built again."""
    home = tmp_path_factory.mktemp("grown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        _grow(shop, home)
        yield home


def _grow(shop: Path, home: Path) -> None:
    land(shop, home, since=date(1900, 1, 1), until=FIRST)
    plan_messages(shop, home)
    build(FIRST)
    SCHEMA_VERSIONS.append(schema_version())
    FIRST_FEATURES.update(features())
    land(shop, home, since=FIRST, until=SECOND)
    resend_under_another_key(shop, home)
    # Tests of data too: after the first build they look at what it wrote.
    pipeline.build(as_of=SECOND)
    SCHEMA_VERSIONS.append(schema_version())
    compiled = home / "target/compiled/millpond/models/features/customer_channel_communications.sql"
    for dates in re.findall(r"built.observation_date in \((.*)\)", compiled.read_text()):
        ASKED_DATES.update(re.findall(r"date '(.*?)'", dates))


def build(as_of: date, *arguments: str, **variables: int) -> None:
    """Everything up to labels, without tests of data."""
    words = ["--exclude", "decisions", "--exclude-resource-type", "test", *arguments]
    with lake.writing():
        dbt.build(*words, variables={"as_of_date": as_of.isoformat(), **variables}, on_node=pipeline.nothing)


def schema_version() -> int:
    with lake.connect() as connection:
        return int(connection.execute("select max(schema_version) from ducklake_snapshots('lake')").fetchall()[0][0])


def test_second_build_exchanges_rows_and_makes_no_table_or_view_anew(grown: Path) -> None:
    first, second = SCHEMA_VERSIONS
    assert second == first


def test_second_build_reads_and_writes_only_what_changed(grown: Path) -> None:
    with lake.connect() as connection:
        for table in ("staging.base_invoices__lines", "intermediate.int_invoice_lines_versioned"):
            written, rows = connection.execute(
                f"with newest as (select max(_built_at) as built_at from {table})"
                f" select count(*) filter (where _built_at = built_at), count(*) from {table}, newest"
            ).fetchall()[0]
            assert 0 < written < rows / 10


def test_second_build_computes_the_newest_observations_only(grown: Path) -> None:
    assert {str(FIRST), str(SECOND)} == ASKED_DATES


def test_message_that_is_only_planned_is_no_step_of_a_customer(grown: Path) -> None:
    with lake.connect() as connection:
        planned, steps_ahead = connection.execute(
            "select (select count(*) from marts.messages where is_planned),"
            f" (select count(*) from intermediate.int_aida_stages_entered where entered_on >= '{SECOND}')"
        ).fetchall()[0]
    assert planned > 0
    assert steps_ahead == 0


def test_files_of_more_days_give_what_a_full_refresh_gives(grown: Path) -> None:
    after_growth = content()
    # In many batches of dates and of customers, beside what was made in one and then grew.
    build(SECOND, "--full-refresh", observations_per_batch=5000, customers_per_batch=100)
    assert_equal(after_growth, content())


def test_backdated_build_sees_nothing_of_the_future(
    grown: Path, built_shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same features as of a date, whether or not later rows lie in the raw files."""
    shutil.copytree(built_shop, tmp_path / "with_future")
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "with_future"))
    build_features(FIRST)
    assert_equal(features(), FIRST_FEATURES)
    assert max(row[-1] for row in FIRST_FEATURES["features.customer_rhythm"]) == FIRST


@pytest.mark.slow
def test_files_of_more_days_give_what_all_files_at_once_give(
    grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_growth = content()
    monkeypatch.setenv("MILLPOND_HOME", str(tmp_path / "at_once"))
    shutil.copytree(grown / "raw", tmp_path / "at_once" / "raw")
    # FIRST is a date of the grid, so features as of it are built too.
    build(SECOND)
    assert_equal(after_growth, content())


@pytest.mark.slow
def test_raw_file_that_was_taken_away_takes_its_rows_along(grown: Path) -> None:
    for file in grown.glob(f"raw/*/*/{SECOND}.parquet"):
        file.unlink()
    build(SECOND)
    after_removal = content()
    build(SECOND, "--full-refresh")
    assert_equal(after_removal, content())
    with lake.connect() as connection:
        assert connection.execute(
            "select count(*) from staging.base_invoices__lines where _file like ?", [f"%{SECOND}%"]
        ).fetchall() == [(0,)]
