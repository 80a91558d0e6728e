"""What `millpond doctor` says of a lake."""

from datetime import datetime
from pathlib import Path

import duckdb

from millpond import health


def test_a_family_is_as_fresh_as_its_newest_row_that_has_reached_us() -> None:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as lake")
        connection.execute("use lake")
        connection.execute("create schema staging")
        for table, known_at in (("messages", "2024-01-05"), ("messages", "2199-01-01"), ("events", "2024-01-06")):
            name = f"staging.stg_communications__{table}"
            connection.execute(f"create table if not exists {name} (known_at timestamp)")
            connection.execute(f"insert into {name} values ('{known_at}')")
        assert health._newest(connection, "communications") == datetime(2024, 1, 6)


def test_a_lake_without_the_tables_of_a_family_has_none_that_are_fresh() -> None:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as lake")
        assert health._newest(connection, "crm") is None


def test_reviewed_records_that_nobody_has_are_named() -> None:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as lake")
        connection.execute("use lake")
        assert list(health._reviewed(connection)) == []
        connection.execute("create schema seeds")
        connection.execute("create schema intermediate")
        keys = "values ('shop', 'ann'), ('till', 'ann')"
        table = "intermediate.int_customer_keys_united"
        connection.execute(f"create table {table} as from ({keys}) as keys (source_system, customer_key)")
        columns = "source_system varchar, customer_key varchar, other_source_system varchar, other_customer_key varchar"
        connection.execute(f"create table seeds.reviewed_matches ({columns})")
        connection.execute("insert into seeds.reviewed_matches values ('shop', 'ann', 'till', 'ann')")
        assert list(health._reviewed(connection)) == []
        connection.execute("insert into seeds.reviewed_matches values ('shop', 'ann', 'till', 'anne')")
        connection.execute("insert into seeds.reviewed_matches values ('shop', 'Bob', 'till', 'anne')")
        (check,) = health._reviewed(connection)
    assert not check.is_well
    assert check.finding.startswith(
        "nobody has 2 of the keys, such as shop/Bob: mend the keys in seeds/reviewed_matches"
    )


def test_an_online_store_that_cannot_be_read_is_named(home: Path) -> None:
    (home / "online").mkdir(parents=True)
    (home / "online" / "features.db").write_bytes(b"no database" * 1000)
    check = health._online()
    assert not check.is_well
    assert check.finding.endswith("(file is not a database): remove it, then `millpond publish`")


def test_raw_files_that_no_build_reads_are_named(home: Path) -> None:
    for name in ("crm/customers/a.csv", "crm/customers/.b.csv.tmp", "exchange_rates.csv"):
        (home / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "raw" / name).touch()
    assert [check for check in health.check() if check.what == "raw files not read"] == []
    for name in ("crm/customers/c.CSV", "crm/customer/d.csv", "invoices/lines/2024/e.parquet"):
        (home / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "raw" / name).touch()
    (found,) = (check for check in health.check() if check.what == "raw files not read")
    assert not found.is_well
    assert found.finding.startswith("3, such as crm/customer/d.csv: write them as *.parquet or *.csv into the folder")
