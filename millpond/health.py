"""What a home holds, how fresh it is, and what is missing."""

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from millpond import lake, landing, relations, settings, tombstones, traces
from training import model_store
from training.dataset import CUSTOMER_VALUE, RESPONSE_PROPENSITY, SERVICES, UPLIFT

KINDS = ("parquet", "csv")
FAMILIES = ("crm", "invoices", "communications")

# What people wrote down of records; with a key that nobody has it joins nobody and tells nobody apart.
REVIEWED_UNKNOWN = """
select concat(source_system, '/', customer_key)
from (
    select source_system, customer_key from seeds.reviewed_matches
    union
    select other_source_system, other_customer_key from seeds.reviewed_matches
) as reviewed
anti join intermediate.int_customer_keys_united as keys using (source_system, customer_key)
order by all
"""

NEEDS = {
    CUSTOMER_VALUE: "purchases of known amount",
    UPLIFT: "messages that were withheld by design",
}
"""What models learn from that a home may lack; the loop goes on without them."""


@dataclass(frozen=True)
class Check:
    """One thing looked at. Not well means: the finding says what to do."""

    what: str
    is_well: bool
    finding: str


def check() -> list[Check]:
    """Look at this home without changing it."""
    return list(_checks())


def _checks() -> Iterator[Check]:
    yield Check("home", settings.home().is_dir(), str(settings.home()))
    yield _extensions()
    raw = sorted({file.parent for kind in KINDS for file in settings.raw_folder().glob(f"*/*/*.{kind}")})
    tables = ", ".join(str(folder.relative_to(settings.raw_folder())) for folder in raw)
    advice = "none: bring your own (docs/own_data.md), or run `millpond land complete_journey`"
    yield Check("raw data", bool(raw), tables or advice)
    yield from _overlooked()
    yield from _erased()
    if not lake.exists():
        yield Check("lake", False, "none: run `millpond build`")
        return
    with lake.connect() as connection:
        yield from _lake(connection)
        yield from _reviewed(connection)
        yield from _models(connection)
    yield _online()


def _overlooked() -> Iterator[Check]:
    """Raw files that no build reads: of another kind, or in a folder of no table. Hidden ones are being written."""
    raw = settings.raw_folder()
    read = {raw / "exchange_rates.csv"}
    for family, tables in landing.TABLES.items():
        read.update(file for table in tables for kind in KINDS for file in (raw / family / table).glob(f"*.{kind}"))
    files = (Path(folder) / name for folder, _, names in os.walk(raw, followlinks=True) for name in names)
    found = sorted(str(file.relative_to(raw)) for file in files if file not in read and not file.name.startswith("."))
    if found:
        advice = "write them as *.parquet or *.csv into the folder of a table (docs/raw_contract.md)"
        yield Check("raw files not read", False, f"{len(found):,}, such as {found[0]}: {advice}")


def _erased() -> Iterator[Check]:
    if (settings.home() / traces.JOURNAL).exists():
        yield Check("erasure", False, "interrupted, or left traces: run `millpond erase` for the same person again")
    if tombstones.path().exists():
        with duckdb.connect() as connection:
            back = tombstones.erased_keys(connection, list(relations.raw_tables(connection, settings.raw_folder())))
        advice = f"raw files hold rows of {len(back)} of them again: run `millpond maintain` to take them out"
        yield Check(
            "erased customers", not back, advice if back else f"{len(tombstones.read()):,} keys, none came back"
        )


def _extensions() -> Check:
    found = {
        row[0]
        for row in duckdb.connect().execute("select extension_name from duckdb_extensions() where installed").fetchall()
    }
    missing = {"ducklake", "sqlite_scanner"} - found
    if missing:
        advice = "import feast_lake; feast_lake.install_extensions()"
        return Check("engine", False, f"missing {', '.join(sorted(missing))}: run `python -c '{advice}'`")
    return Check("engine", True, f"DuckDB {duckdb.__version__} with ducklake and sqlite_scanner")


def _lake(connection: DuckDBPyConnection) -> Iterator[Check]:
    if not lake.has_table(connection, "intermediate", "int_as_of_date"):
        yield Check("lake", False, "not built: run `millpond build`")
        return
    as_of = connection.execute("select as_of_date from intermediate.int_as_of_date").fetchall()[0][0]
    snapshot = connection.execute("select max(snapshot_id) from ducklake_snapshots('lake')").fetchall()[0][0]
    yield Check("lake", True, f"as of {as_of}, snapshot {snapshot}")
    for family in FAMILIES:
        known_at = _newest(connection, family)
        yield Check(f"newest of {family}", True, str(known_at) if known_at else "no dated rows")
    decided = lake.has_table(connection, "decisions", "next_best_actions")
    yield Check("decisions", decided, "made" if decided else "none: run `millpond decide`")


def _reviewed(connection: DuckDBPyConnection) -> Iterator[Check]:
    tables = (("seeds", "reviewed_matches"), ("intermediate", "int_customer_keys_united"))
    if not all(lake.has_table(connection, *table) for table in tables):
        return
    unknown = [key for (key,) in connection.execute(REVIEWED_UNKNOWN).fetchall()]
    if unknown:
        advice = "mend the keys in seeds/reviewed_matches.csv, or remove their rows, then `millpond build`"
        yield Check(
            "reviewed matches", False, f"nobody has {len(unknown):,} of the keys, such as {unknown[0]}: {advice}"
        )


def _newest(connection: DuckDBPyConnection, family: str) -> datetime | None:
    """When the newest row of any table of a family reached us. What is only planned may bear a day to come."""
    tables = connection.execute(
        "select table_name from information_schema.columns where table_catalog = 'lake' and table_schema = 'staging'"
        " and starts_with(table_name, ?) and column_name = 'known_at'",
        [f"stg_{family}__"],
    ).fetchall()
    if not tables:
        return None
    rows = " union all ".join(f"select known_at from staging.{table}" for (table,) in tables)
    newest: datetime | None = connection.execute(
        f"select max(known_at) from ({rows}) where known_at <= timezone('UTC', now())"
    ).fetchall()[0][0]
    return newest


def _models(connection: DuckDBPyConnection) -> Iterator[Check]:
    for name in SERVICES:
        folder = model_store.usable(settings.models_folder(), name)
        if folder:
            yield Check(name, True, folder.name)
        elif name == RESPONSE_PROPENSITY and _is_empty(connection, "staging", "base_communications__messages"):
            yield Check(name, True, "no messages to learn from")
        else:
            unless = f", if there are {NEEDS[name]}" if name in NEEDS else ""
            yield Check(name, name in NEEDS, f"not trained: run `millpond train {name}`{unless}")


def _is_empty(connection: DuckDBPyConnection, schema: str, table: str) -> bool:
    if not lake.has_table(connection, schema, table):
        return True
    return not connection.execute(f"select 1 from {schema}.{table} limit 1").fetchall()


def _online() -> Check:
    if settings.redis():
        return Check("online features", True, f"in Redis at {str(settings.redis()).partition(',')[0]}")
    path = settings.home() / "online" / "features.db"
    if not path.exists():
        return Check("online features", False, "none: run `millpond publish`")
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as online:
            query = "select count(*) from sqlite_master where type = 'table' and name like '%_packed'"
            [(views,)] = online.execute(query)
    except sqlite3.DatabaseError as error:
        return Check("online features", False, f"{path} cannot be read ({error}): remove it, then `millpond publish`")
    return Check("online features", views > 0, f"{views} views, {path.stat().st_size / 2**20:.0f} MiB")
