"""The three ways of benchmarks/point_in_time_at_scale.py: made-up tables, their stores, their reads."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pyarrow as pa
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.data_source import DataSource
from feast.types import Float64, Int64, String

from feast_lake import LakeSource

WAYS = ("feast_lake", "floor", "feast_duckdb")
STARTS_ON = "timestamp '2022-01-03'"

Read = Callable[[], pa.Table]


class Size(NamedTuple):
    """What is asked of how much.

    Attributes:
        rows: of the training set.
        customers: each has an observation every week, in every view.
        weeks: of history.
        views: feature views.
        features: of each view; every third is a whole number, one in ten values is null.
        ttl_days: of each view.
    """

    rows: int
    customers: int
    weeks: int
    views: int
    features: int
    ttl_days: int


# Reads


def reader(folder: Path, way: str, size: Size) -> Read:
    """What reads the first rows of the training set in one of the ways."""
    return _floor_reader(folder, size) if way == "floor" else _store_reader(folder, way, size)


def _store_reader(folder: Path, way: str, size: Size) -> Read:
    """A store's answer to the first rows of the training set."""
    store = feature_store(folder, way, size)
    asked = pd.read_parquet(folder / "asked.parquet", filters=[("number", "<", size.rows)])
    features = [f"view_{view}:{name}" for view in range(size.views) for name in feature_names(size, view)]
    # Feast's own store writes into the frame that it is given.
    return lambda: store.get_historical_features(asked.copy(), features).to_arrow()


def _floor_reader(folder: Path, size: Size) -> Read:
    """DuckDB alone, on the Parquet files."""
    joins, columns = [], []
    for view in range(size.views):
        alive = f"asked.event_timestamp <= v{view}.observed_at + to_days({size.ttl_days})"
        columns += [f"case when {alive} then v{view}.{name} end as {name}" for name in feature_names(size, view)]
        joins.append(
            f"asof left join '{folder}/view_{view}.parquet' as v{view} on asked.customer_id = v{view}.customer_id "
            f"and asked.event_timestamp >= v{view}.observed_at"
        )
    rows = f"(from '{folder}/asked.parquet' where number < {size.rows})"
    statement = f"select asked.*, {', '.join(columns)} from {rows} as asked {' '.join(joins)}"

    def read() -> pa.Table:
        with duckdb.connect() as connection:
            connection.execute("set asof_loop_join_threshold = 0; set enable_progress_bar = false")
            return connection.execute(statement).to_arrow_table()

    return read


# The tables


def feature_names(size: Size, view: int) -> list[str]:
    return [f"f{view}_{number}" for number in range(size.features)]


def prepare(folder: Path, size: Size) -> None:
    """Make the lake, the Parquet files of its tables, the training set, and both stores' registries."""
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner; set enable_progress_bar = false")
        connection.execute(f"attach 'ducklake:sqlite:{folder}/catalog.sqlite' as lake (data_path '{folder}/data')")
        for view in range(size.views):
            connection.execute(f"create table lake.view_{view} as {_observations(size, view)}")
            connection.execute(f"copy lake.view_{view} to '{folder}/view_{view}.parquet' (format parquet)")
        second = f"hash('second' || number) % {size.weeks * 7 * 24 * 3600}"
        connection.execute(
            f"""
            copy (
                select number, 'c' || hash(number) % {size.customers} as customer_id,
                    {STARTS_ON} + to_seconds(({second})::bigint) as event_timestamp
                from range({size.rows}) as rows(number)
            ) to '{folder}/asked.parquet' (format parquet)
            """
        )
    for way in ("feast_lake", "feast_duckdb"):
        feature_store(folder, way, size, apply=True)


def _observations(size: Size, view: int) -> str:
    values = ", ".join(_value(view, number, name) for number, name in enumerate(feature_names(size, view)))
    return (
        f"select 'c' || customer as customer_id, {STARTS_ON} + to_days((week * 7)::int) as observed_at, {values} "
        f"from range({size.weeks}) as weeks(week), range({size.customers}) as customers(customer)"
    )


def _value(view: int, number: int, name: str) -> str:
    kind = "bigint" if number % 3 == 0 else "double"
    some = f"hash(customer * 31 + week, {view}, {number}) % 10 > 0"
    return f"case when {some} then (hash(week * 31 + customer, {number}, {view}) % 100000)::{kind} end as {name}"


def feature_store(folder: Path, way: str, size: Size, *, apply: bool = False) -> FeatureStore:
    """A store on the folder's lake or on its Parquet files."""
    ours = {"type": "feast_lake.offline_store.LakeOfflineStore", "catalog": f"sqlite:{folder}/catalog.sqlite"}
    config = RepoConfig(
        project=way,
        provider="local",
        registry={"registry_type": "sql", "path": f"sqlite:///{folder}/{way}.db"},
        offline_store=ours if way == "feast_lake" else {"type": "duckdb"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    if apply:
        customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
        store.apply([customer, *(_view(folder, way, size, view, customer) for view in range(size.views))])
    return store


def _view(folder: Path, way: str, size: Size, view: int, customer: Entity) -> FeatureView:
    source: DataSource = (
        LakeSource(table=f"view_{view}", timestamp_field="observed_at")
        if way == "feast_lake"
        else FileSource(path=f"{folder}/view_{view}.parquet", timestamp_field="observed_at")
    )
    fields = [
        Field(name=name, dtype=Int64 if number % 3 == 0 else Float64)
        for number, name in enumerate(feature_names(size, view))
    ]
    return FeatureView(
        name=f"view_{view}",
        entities=[customer],
        ttl=timedelta(days=size.ttl_days),
        schema=[Field(name="customer_id", dtype=String), *fields],
        source=source,
    )
