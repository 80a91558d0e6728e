"""What `millpond doctor` says of a lake."""

from datetime import datetime

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
