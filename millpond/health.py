"""What a home holds, how fresh it is, and what is missing."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
from duckdb import DuckDBPyConnection

from millpond import lake, person, settings, tombstones, traces
from training import model_store
from training.dataset import REPURCHASE_TIMING, RESPONSE_PROPENSITY

FRESHNESS = """
select 'crm' as family, max(known_at) as known_at from staging.stg_crm__customers
union all
select 'invoices', max(known_at) from staging.stg_invoices__invoices
union all
select 'communications', max(known_at) from (
    select known_at from staging.stg_communications__messages
    union all
    select known_at from staging.stg_communications__events
)
"""


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
    raw = sorted({file.parent for kind in ("parquet", "csv") for file in settings.raw_folder().glob(f"*/*/*.{kind}")})
    tables = ", ".join(str(folder.relative_to(settings.raw_folder())) for folder in raw)
    yield Check("raw data", bool(raw), tables or "none: run `millpond land complete_journey`")
    yield from _erased()
    if not lake.exists():
        yield Check("lake", False, "none: run `millpond build`")
        return
    with lake.connect() as connection:
        yield from _lake(connection)
        yield from _models(connection)
    yield _online()


def _erased() -> Iterator[Check]:
    if (settings.home() / traces.JOURNAL).exists():
        yield Check("erasure", False, "interrupted, or left traces: run `millpond erase` for the same person again")
    if tombstones.path().exists():
        with duckdb.connect() as connection:
            back = tombstones.erased_keys(connection, list(person.raw_tables(connection, settings.raw_folder())))
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
    for family, known_at in connection.execute(FRESHNESS).fetchall():
        yield Check(f"newest of {family}", True, str(known_at) if known_at else "no dated rows")
    decided = lake.has_table(connection, "decisions", "next_best_actions")
    yield Check("decisions", decided, "made" if decided else "none: run `millpond decide`")


def _models(connection: DuckDBPyConnection) -> Iterator[Check]:
    for name in (REPURCHASE_TIMING, RESPONSE_PROPENSITY):
        folder = model_store.current(settings.models_folder(), name)
        if (
            folder is None
            and name == RESPONSE_PROPENSITY
            and _is_empty(connection, "staging", "base_communications__messages")
        ):
            yield Check(name, True, "no messages to learn from")
        else:
            yield Check(
                name, folder is not None, folder.name if folder else f"not trained: run `millpond train {name}`"
            )


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
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as online:
        tables = [row[0] for row in online.execute("select name from sqlite_master where type = 'table'")]
    return Check("online features", bool(tables), f"{len(tables)} views, {path.stat().st_size / 2**20:.0f} MiB")
