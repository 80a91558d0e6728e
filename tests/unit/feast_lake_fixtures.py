"""A small lake, views on it and a feature store, for the tests of feast_lake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, ValueType
from feast.data_source import DataSource
from feast.types import Float64, Int64, PrimitiveFeastType, String
from sqlalchemy.dialects import plugins

from feast_lake import LakeSource, install_extensions

CUSTOMER = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.STRING)
CHANNEL = Entity(name="channel", join_keys=["channel"], value_type=ValueType.STRING)

PURCHASES = """
    select * from (values
        ('ann', date '2024-01-01', 1, 10.0::double),
        ('ann', date '2024-01-08', 2, 25.0),
        ('bob', date '2024-01-08', null, 5.0)
    ) as rows (customer_id, observation_date, purchases, spend)
"""
# The second row was corrected: same event, created later.
VISITS = """
    select * from (values
        ('ann', 'web', timestamp '2024-01-02 12:00', timestamp '2024-01-03', 3),
        ('ann', 'web', timestamp '2024-01-02 12:00', timestamp '2024-01-05', 4),
        ('ann', 'shop', timestamp '2024-01-04 00:00', timestamp '2024-01-04', 7)
    ) as rows (customer_id, channel, seen_at, known_at, n)
"""


def build_lake(home: Path, tables: dict[str, str]) -> str:
    """Make a lake with `schema.table` → select statement; gives the catalog's address."""
    install_extensions()
    home.mkdir(parents=True, exist_ok=True)
    catalog = f"sqlite:{home}/catalog.sqlite"
    with duckdb.connect() as connection:
        connection.execute("LOAD ducklake; LOAD sqlite_scanner; SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH 'ducklake:{catalog}' AS lake (DATA_PATH '{home}/data')")
        for table, select in tables.items():
            connection.execute(f"create schema if not exists lake.{table.split('.')[0]}")
            connection.execute(f"create table lake.{table} as {select}")
    return catalog


def view(
    name: str,
    source: DataSource,
    features: dict[str, PrimitiveFeastType],
    *,
    entities: tuple[Entity, ...] = (CUSTOMER,),
    ttl: timedelta | None = None,
) -> FeatureView:
    """A feature view with string keys."""
    keys = [Field(name=entity.join_key, dtype=String) for entity in entities]
    fields = [Field(name=feature, dtype=kind) for feature, kind in features.items()]
    return FeatureView(name=name, entities=list(entities), ttl=ttl, schema=[*keys, *fields], source=source)


def purchases_view(*, ttl: timedelta | None = None) -> FeatureView:
    source = LakeSource(table="features.purchases", timestamp_field="observation_date")
    return view("purchases", source, {"purchases": Int64, "spend": Float64}, ttl=ttl)


def visits_view() -> FeatureView:
    source = LakeSource(
        table="features.visits",
        timestamp_field="seen_at",
        created_timestamp_column="known_at",
        field_mapping={"n": "visits"},
    )
    return view("visits", source, {"visits": Int64}, entities=(CUSTOMER, CHANNEL))


def feature_store(catalog: str, home: Path, **offline: Any) -> FeatureStore:
    """A store with the SQL registry and the WAL online store below home."""
    plugins.register("expand", "feast_lake.expansion", "ExpandPlugin")
    config = RepoConfig(
        project="test",
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{home}/${{UNSET_HERE:-feast}}/registry.db?plugin=expand",
        },
        offline_store={
            "type": "feast_lake.offline_store.LakeOfflineStore",
            "catalog": catalog,
            **offline,
        },
        online_store={
            "type": "feast_lake.online_store.WalSqliteOnlineStore",
            "path": f"{home}/${{UNSET_HERE:-online}}/deep/online.db",
        },
        entity_key_serialization_version=3,
        materialization={"pull_latest_features": True, "online_write_batch_size": 5000},
    )
    return FeatureStore(config=config)


def asked(*rows: tuple[Any, str | None], **columns: list[Any]) -> pd.DataFrame:
    """Entity rows from (customer, timestamp) pairs."""
    frame = pd.DataFrame(rows, columns=["customer_id", "event_timestamp"])
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], format="ISO8601")
    return frame.assign(**columns)
