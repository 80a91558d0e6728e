"""The online store: Feast's bytes, newest value wins, and publishing that leaves exactly what is in the lake."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.sqlite import SqliteOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.types import Bool, FeastType, Float64, Int64, String, UnixTimestamp
from hypothesis import given
from hypothesis import strategies as st

from feast_lake import LakeError, publish_view, wire
from feast_lake.online_store import Packed
from feast_lake.publishing import online_store
from feast_lake_fixtures import (
    CHANNEL,
    CUSTOMER,
    PURCHASES,
    VISITS,
    build_lake,
    feature_store,
    purchases_view,
    visits_view,
)

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
COLUMNS: list[tuple[FeastType, pa.DataType, st.SearchStrategy[Any]]] = [
    (Float64, pa.float64(), st.floats()),
    (Int64, pa.int64(), INTEGERS),
    (Bool, pa.bool_(), st.booleans()),
    (String, pa.string(), st.text()),
    (UnixTimestamp, pa.timestamp("us"), st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1))),
]


@given(st.data())
def test_values_are_encoded_as_feast_encodes_them(data: st.DataObject) -> None:
    for dtype, arrow, values in COLUMNS:
        column = data.draw(st.lists(st.none() | values, max_size=5))
        if dtype == UnixTimestamp:
            column = [value and value.replace(microsecond=0) for value in column]
        expected = [value.SerializeToString() for value in python_values_to_proto_values(column, dtype.to_value_type())]
        assert wire.encoded(pa.array(column, arrow), dtype) == expected


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_keys_are_encoded_as_feast_encodes_them(rows: list[tuple[str, str]]) -> None:
    names = ["customer_id", "channel"]
    expected = [
        serialize_entity_key(EntityKey(join_keys=names, entity_values=[Value(string_val=value) for value in row]))
        for row in rows
    ]
    assert wire.entity_keys(rows, names) == expected


def test_key_that_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match="key 7 is a int; expected a string"):
        wire.entity_keys([(7,)], ["customer_id"])  # type: ignore[list-item]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def store(home: Path) -> FeatureStore:
    catalog = build_lake(home / "lake", {"features.purchases": PURCHASES, "features.visits": VISITS})
    store = feature_store(catalog, home)
    store.apply([CUSTOMER, CHANNEL, purchases_view(), visits_view()])
    return store


def stored(home: Path) -> list[list[tuple[Any, ...]]]:
    with sqlite3.connect(home / "online" / "deep" / "online.db") as database:
        return [
            database.execute(f"select * from {table} order by 1, 2").fetchall()
            for table in ("test_purchases", "test_visits", "test_purchases_packed", "test_visits_packed")
        ]


def read(store: FeatureStore, customer: str) -> dict[str, list[Any]]:
    features = ["purchases:purchases", "purchases:spend"]
    found: dict[str, list[Any]] = store.get_online_features(features, [{"customer_id": customer}]).to_dict()
    return found


def packed(store: FeatureStore, customer: str) -> Packed | None:
    view = store.get_feature_view("purchases")
    (key,) = wire.entity_keys([(customer,)], ["customer_id"])
    return online_store(store).read_packed(store.config, view, [key]).get(key)


def test_publishing_stores_what_materializing_stores(store: FeatureStore, home: Path) -> None:
    for view in store.list_feature_views():
        publish_view(store, view, start=START, end=END)
    published = stored(home)
    with sqlite3.connect(home / "online" / "deep" / "online.db") as database:
        for table in ("test_purchases", "test_visits", "test_purchases_packed", "test_visits_packed"):
            database.execute(f"delete from {table}")
    store.materialize(START, END)
    assert [len(rows) for rows in published] == [4, 2, 2, 2]
    # Values as text are kept of texts only, and JSON is spaced otherwise.
    without_text = [[(*row[:3], *row[4:]) for row in rows] for rows in published[:2]]
    assert without_text == [[(*row[:3], *row[4:]) for row in rows] for rows in stored(home)[:2]]
    assert packed(store, "bob") == Packed(int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), [None, 5.0])


def test_what_left_the_lake_leaves_the_store(store: FeatureStore, home: Path) -> None:
    view = store.get_feature_view("purchases")
    assert publish_view(store, view, start=START, end=END) == (2, 4, 0)
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner")
        connection.execute(f"attach 'ducklake:sqlite:{home}/lake/catalog.sqlite' as lake")
        connection.execute("delete from lake.features.purchases where customer_id = 'bob'")
    assert publish_view(store, view, start=START, end=END) == (1, 2, 1)
    assert read(store, "bob")["spend"] == [None]
    assert packed(store, "bob") is None
    assert read(store, "ann")["spend"] == [25.0]


def test_correction_of_the_same_moment_wins(store: FeatureStore, home: Path) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner")
        connection.execute(f"attach 'ducklake:sqlite:{home}/lake/catalog.sqlite' as lake")
        connection.execute("update lake.features.purchases set spend = 30 where spend = 25")
    publish_view(store, view, start=START, end=END)
    assert read(store, "ann")["spend"] == [30.0]


def write(store: FeatureStore, at: str, spend: float) -> None:
    frame = pd.DataFrame(
        {"customer_id": ["ann"], "observation_date": pd.to_datetime([at]), "purchases": [9], "spend": [spend]}
    )
    store.write_to_online_store("purchases", frame)


def test_older_value_never_replaces_a_newer_one(store: FeatureStore) -> None:
    write(store, "2024-01-10 15:00", 50.0)
    write(store, "2024-01-10 14:59", 40.0)
    assert read(store, "ann")["spend"] == [50.0]
    assert packed(store, "ann") == Packed(int(datetime(2024, 1, 10, 15, tzinfo=UTC).timestamp()), [9, 50.0])
    write(store, "2024-01-10 15:00", 60.0)
    assert read(store, "ann")["spend"] == [60.0]


def test_publishing_leaves_what_was_pushed_since(store: FeatureStore) -> None:
    write(store, "2024-01-09 15:00", 50.0)
    publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    assert read(store, "ann")["spend"] == [50.0]
    assert read(store, "bob")["spend"] == [5.0]


def test_publishing_that_fails_changes_nothing(
    store: FeatureStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END, mark="first")
    before = stored(home)

    def fail(*_: object) -> int:
        raise OSError("no space left on device")

    monkeypatch.setattr(type(online_store(store)), "_remove_vanished", fail)
    with pytest.raises(OSError, match="no space"):
        publish_view(store, view, start=END, end=END, mark="second")
    assert stored(home) == before
    assert online_store(store).published_mark(store.config, view) == "first"


def test_store_of_another_kind_is_named(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store._get_provider()), "online_store", SqliteOnlineStore())
    with pytest.raises(LakeError, match="is a SqliteOnlineStore; publishing needs one of feast_lake"):
        online_store(store)
