"""The online store: Feast's bytes, newest value wins, and publishing that leaves exactly what is in the lake."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, ValueType
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.sqlite import SqliteOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.types import Array, Bool, Bytes, FeastType, Float32, Float64, Int32, Int64, Map, String, UnixTimestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from feast_lake import LakeError, LakeSource, publish_view, wire
from feast_lake.online_store import WalSqliteOnlineStore
from feast_lake.packed_store import Packed, kept
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
from feast_lake_fixtures import view as feature_view

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2199, 1, 1))
COLUMNS: list[tuple[FeastType, pa.DataType, st.SearchStrategy[Any]]] = [
    (Float64, pa.float64(), st.floats()),
    (Float32, pa.float32(), st.floats(width=32)),
    (Int64, pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (Int32, pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    (Bool, pa.bool_(), st.booleans()),
    (String, pa.string(), st.text()),
    (Bytes, pa.binary(), st.binary(min_size=1)),
    (UnixTimestamp, pa.timestamp("us"), MOMENTS),
    (Array(Float64), pa.list_(pa.float64()), st.lists(st.floats(), min_size=1)),
    (Array(String), pa.list_(pa.string()), st.lists(st.text(), min_size=1)),
    (Array(Bytes), pa.list_(pa.binary()), st.lists(st.binary(), min_size=1)),
    (Array(UnixTimestamp), pa.list_(pa.timestamp("us")), st.lists(MOMENTS, min_size=1)),
]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


@pytest.mark.parametrize(("dtype", "arrow", "values"), COLUMNS, ids=[str(dtype) for dtype, *_ in COLUMNS])
@settings(max_examples=50)
@given(data=st.data())
def test_published_and_pushed_values_are_those_that_feast_makes(
    database: duckdb.DuckDBPyConnection,
    data: st.DataObject,
    dtype: FeastType,
    arrow: pa.DataType,
    values: st.SearchStrategy[Any],
) -> None:
    column = pa.array(data.draw(st.lists(st.none() | values, max_size=5)), arrow)
    kind = dtype.to_value_type()
    expected = python_values_to_proto_values(column.to_pylist(), kind)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("rows", pa.table({"value": column}))
        published = connection.execute(
            f"select json_array({wire.in_json('value', kind)})::varchar from rows"
        ).fetchall()
    read = wire.to_proto(kind)
    for value, (packed,) in zip(expected, published, strict=True):
        for text in (packed, wire.json_of([value])):
            [held] = json.loads(text)
            assert str(read(held)) == str(value)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_keys_are_encoded_as_feast_encodes_them(rows: list[tuple[str, str]]) -> None:
    names = ["customer_id", "channel"]
    expected = [
        serialize_entity_key(EntityKey(join_keys=names, entity_values=[Value(string_val=value) for value in row]))
        for row in rows
    ]
    assert wire.entity_keys(rows, names) == expected


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1), st.text()), max_size=4))
def test_whole_numbers_are_keys_as_feast_encodes_them(rows: list[tuple[int, int, str]]) -> None:
    names = ["store_id", "line", "channel"]
    expected = [
        serialize_entity_key(
            EntityKey(
                join_keys=names,
                entity_values=[Value(int64_val=store), Value(int32_val=line), Value(string_val=channel)],
            )
        )
        for store, line, channel in rows
    ]
    assert wire.entity_keys(rows, names, [ValueType.INT64, ValueType.INT32, ValueType.STRING]) == expected


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (7, ValueType.STRING, "key 7 is a int; expected a string"),
        (None, ValueType.STRING, "key None is a NoneType; expected a string"),
        ("7", ValueType.INT64, "key '7' is a str; expected INT64"),
        (None, ValueType.INT64, "key None is a NoneType; expected INT64"),
        (2**31, ValueType.INT32, "key 2147483648 is a int; expected INT32"),
        (1.0, ValueType.DOUBLE, "A key of type DOUBLE is not kept online; make it a string or a whole number"),
    ],
)
def test_key_that_is_not_of_its_type_is_refused(value: Any, kind: ValueType, message: str) -> None:
    with pytest.raises(LakeError, match=message):
        wire.entity_keys([(value,)], ["customer_id"], [kind])


def test_views_whose_keys_are_whole_numbers_are_published_as_feast_reads_them(home: Path) -> None:
    rows = "from (values (17, date '2024-01-08', 2.5::double), (-4, '2024-01-08', 1)) as rows (store_id, day, sales)"
    catalog = build_lake(home / "lake", {"features.stores": rows})
    store = feature_store(catalog, home)
    entity = Entity(name="store", join_keys=["store_id"], value_type=ValueType.INT64)
    fields = [Field(name="store_id", dtype=Int64), Field(name="sales", dtype=Float64)]
    source = LakeSource(table="features.stores", timestamp_field="day")
    store.apply([entity, FeatureView(name="stores", entities=[entity], schema=fields, source=source)])
    assert publish_view(store, store.get_feature_view("stores"), start=START, end=END) == (2, 2, 0)
    asked = [{"store_id": number} for number in (-4, 5, 17)]
    assert store.get_online_features(["stores:sales"], asked).to_dict()["sales"] == [1.0, None, 2.5]


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
            database.execute(f"select * from {table} order by 1").fetchall()
            for table in ("test_purchases_packed", "test_visits_packed")
        ]


def change(home: Path, statement: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("load ducklake; load sqlite_scanner")
        connection.execute(f"attach 'ducklake:sqlite:{home}/lake/catalog.sqlite' as lake")
        connection.execute(statement)


def read(store: FeatureStore, customer: str) -> dict[str, list[Any]]:
    features = ["purchases:purchases", "purchases:spend"]
    found: dict[str, list[Any]] = store.get_online_features(features, [{"customer_id": customer}]).to_dict()
    return found


def packed(store: FeatureStore, customer: str) -> Packed | None:
    view = store.get_feature_view("purchases")
    (key,) = wire.entity_keys([(customer,)], ["customer_id"])
    [[found]] = online_store(store).read_packed(store.config, [(kept(store.config, view), [key])])
    return found


def test_publishing_stores_what_materializing_stores(store: FeatureStore, home: Path) -> None:
    for view in store.list_feature_views():
        publish_view(store, view, start=START, end=END)
    published = stored(home)
    with sqlite3.connect(home / "online" / "deep" / "online.db") as database:
        for table in ("test_purchases_packed", "test_visits_packed"):
            database.execute(f"delete from {table}")
    store.materialize(START, END)
    assert [len(rows) for rows in published] == [2, 2]
    # DuckDB writes no spaces.
    assert published == [[(*row[:3], row[3].replace(" ", "")) for row in rows] for rows in stored(home)]
    assert packed(store, "bob") == Packed(int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), [None, 5.0])


def test_a_time_that_is_null_is_null_however_it_was_written(home: Path) -> None:
    select = """
        select *, date '2024-01-08' as observation_date
        from (values ('ann', null::timestamp), ('bob', timestamp '2024-01-05')) as rows (customer_id, seen_at)
    """
    catalog = build_lake(home / "lake", {"features.seen": select})
    store = feature_store(catalog, home)
    source = LakeSource(table="features.seen", timestamp_field="observation_date")
    store.apply([CUSTOMER, feature_view("seen", source, {"seen_at": UnixTimestamp})])

    def seen_at() -> list[Any]:
        keys = [{"customer_id": name} for name in ("ann", "bob", "cleo")]
        found: list[Any] = store.get_online_features(["seen:seen_at"], keys).to_dict()["seen_at"]
        return found

    publish_view(store, store.get_feature_view("seen"), start=START, end=END)
    published = seen_at()
    store.materialize(START, END)
    assert seen_at() == published == [None, datetime(2024, 1, 5, tzinfo=UTC), None]
    later = pd.Timestamp("2024-01-10")
    pushed = pd.DataFrame({"customer_id": ["ann", "bob"], "observation_date": later, "seen_at": [later, pd.NaT]})
    store.write_to_online_store("seen", pushed)
    assert seen_at() == [later.to_pydatetime().replace(tzinfo=UTC), None, None]


def test_what_left_the_lake_leaves_the_store(store: FeatureStore, home: Path) -> None:
    view = store.get_feature_view("purchases")
    assert publish_view(store, view, start=START, end=END) == (2, 4, 0)
    change(home, "delete from lake.features.purchases where customer_id = 'bob'")
    assert publish_view(store, view, start=START, end=END) == (1, 2, 1)
    assert read(store, "bob")["spend"] == [None]
    assert packed(store, "bob") is None
    assert read(store, "ann")["spend"] == [25.0]


def test_correction_of_the_same_moment_wins(store: FeatureStore, home: Path) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    change(home, "update lake.features.purchases set spend = 30 where spend = 25")
    publish_view(store, view, start=START, end=END)
    assert read(store, "ann")["spend"] == [30.0]


def test_more_keys_than_a_statement_takes_are_read(store: FeatureStore) -> None:
    publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    keys = [{"customer_id": f"nobody {number}"} for number in range(40_000)] + [{"customer_id": "ann"}]
    spend = store.get_online_features(["purchases:spend"], keys).to_dict()["spend"]
    assert spend == [None] * 40_000 + [25.0]


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


def test_publishing_as_of_an_earlier_day_takes_back_what_a_later_one_brought(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    assert publish_view(store, view, start=START, end=START) == (1, 2, 1)
    assert packed(store, "ann") == Packed(int(START.timestamp()), [1, 10.0])
    assert packed(store, "bob") is None


def test_going_back_leaves_what_was_pushed_since_the_later_day(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    write(store, "2024-01-09 15:00", 50.0)
    publish_view(store, view, start=START, end=START)
    assert (read(store, "ann")["spend"], read(store, "bob")["spend"]) == ([50.0], [None])


def test_newest_row_that_left_the_lake_makes_way_for_the_one_before_it(store: FeatureStore, home: Path) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    change(home, "delete from lake.features.purchases where observation_date = '2024-01-08'")
    assert publish_view(store, view, start=START, end=END) == (1, 2, 1)
    assert read(store, "ann")["spend"] == [10.0]


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


def test_half_a_publishing_is_seen_by_no_other_thread(
    store: FeatureStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END)
    change(home, "update lake.features.purchases set spend = 30 where spend = 25")
    seen = []
    remove = WalSqliteOnlineStore._remove_vanished

    def look(*arguments: Any) -> int:
        with ThreadPoolExecutor(1) as other:
            seen.append(other.submit(read, store, "ann").result()["spend"])
        return remove(*arguments)

    monkeypatch.setattr(WalSqliteOnlineStore, "_remove_vanished", look)
    publish_view(store, view, start=START, end=END)
    assert seen == [[25.0]]
    assert read(store, "ann")["spend"] == [30.0]


def test_values_of_another_layout_are_not_read_and_do_not_stand_in_the_way(store: FeatureStore) -> None:
    write(store, "2024-01-10 15:00", 50.0)
    source = purchases_view().batch_source
    other = feature_view("purchases", source, {"spend": Float64, "purchases": Int64})
    store.apply([other])
    assert (read(store, "ann")["spend"], packed(store, "ann")) == ([None], None)
    assert publish_view(store, other, start=START, end=END) == (2, 4, 0)
    assert packed(store, "ann") == Packed(int(datetime(2024, 1, 8, tzinfo=UTC).timestamp()), [25.0, 2])


def test_view_that_left_the_repository_takes_its_rows_and_its_mark_along(store: FeatureStore) -> None:
    view = store.get_feature_view("purchases")
    publish_view(store, view, start=START, end=END, mark="first")
    store.apply([CUSTOMER], objects_to_delete=[view], partial=False)
    assert online_store(store).published_mark(store.config, view) is None
    store.apply([view])
    assert packed(store, "ann") is None


def test_type_that_is_not_kept_online_is_named(store: FeatureStore) -> None:
    store.apply([feature_view("purchases", purchases_view().batch_source, {"spend": Map})])
    with pytest.raises(LakeError, match="purchases: feature spend is a MAP, which is not kept online"):
        publish_view(store, store.get_feature_view("purchases"), start=START, end=END)


def test_store_of_another_kind_is_named(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(store._get_provider()), "online_store", SqliteOnlineStore())
    with pytest.raises(LakeError, match="is a SqliteOnlineStore; publishing needs one of feast_lake"):
        online_store(store)
