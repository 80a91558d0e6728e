"""feast_lake: as-of reads, their agreement with a plain reference, settings, online end to end."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureService, FeatureStore, RequestSource
from feast.errors import FeastObjectNotFoundException
from feast.feature_logging import LoggingConfig
from feast.field import Field
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from feast.value_type import ValueType

import feast_lake
from feast_lake import LakeError, LakeSource, SavedDatasetLakeStorage, connect
from feast_lake.offline_store import LakeOfflineStore
from feast_lake_fixtures import (
    CHANNEL,
    CUSTOMER,
    PURCHASES,
    VISITS,
    asked,
    build_lake,
    feature_store,
    purchases_view,
    view,
    visits_view,
)

PURCHASE_FEATURES = ["purchases:purchases", "purchases:spend"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def catalog(home: Path) -> str:
    return build_lake(home, {"features.purchases": PURCHASES, "features.visits": VISITS})


@pytest.fixture(scope="module")
def store(catalog: str, home: Path) -> FeatureStore:
    store = feature_store(catalog, home)
    store.apply([CUSTOMER, CHANNEL, purchases_view(), visits_view()])
    return store


def spend(store: FeatureStore, rows: Any) -> Any:
    return store.get_historical_features(rows, ["purchases:spend"]).to_arrow()["spend"].to_pylist()


def with_ttl(home: Path, catalog: str, ttl: timedelta) -> FeatureStore:
    store = feature_store(catalog, home / f"ttl-{ttl.total_seconds()}")
    store.apply([CUSTOMER, purchases_view(ttl=ttl)])
    return store


# As of when


def test_the_newest_row_at_or_before_the_timestamp_is_used(store: FeatureStore) -> None:
    rows = asked(
        ("ann", "2023-12-31 23:59:59"),
        ("ann", "2024-01-01"),
        ("ann", "2024-01-07 23:59:59"),
        ("ann", "2024-01-08"),
    )
    assert spend(store, rows) == [None, 10.0, 10.0, 25.0]


def test_ttl_is_inclusive_at_both_ends(home: Path, catalog: str) -> None:
    store = with_ttl(home, catalog, timedelta(days=2))
    rows = asked(("ann", "2024-01-08"), ("ann", "2024-01-10"), ("ann", "2024-01-10 00:00:01"))
    assert spend(store, rows) == [25.0, 25.0, None]


def test_a_ttl_of_zero_is_no_bound(home: Path, catalog: str) -> None:
    store = with_ttl(home, catalog, timedelta(0))
    assert spend(store, asked(("ann", "2034-01-08"))) == [25.0]


def test_a_naive_timestamp_is_utc_and_any_zone_is_converted(store: FeatureStore) -> None:
    midnight_in_tokyo = asked(("ann", "2024-01-08"))
    midnight_in_tokyo["event_timestamp"] = pd.DatetimeIndex(midnight_in_tokyo["event_timestamp"]).tz_localize(
        "Asia/Tokyo"
    )
    assert spend(store, asked(("ann", "2024-01-08"))) == [25.0]
    assert spend(store, midnight_in_tokyo) == [10.0]


def test_an_unknown_customer_and_a_null_key_have_null_features(store: FeatureStore) -> None:
    rows = asked(("zoe", "2024-01-08"), (None, "2024-01-08"), ("ann", None))
    assert spend(store, rows) == [None, None, None]


def test_the_order_of_the_rows_and_duplicates_are_kept(store: FeatureStore) -> None:
    rows = asked(("bob", "2024-01-09"), ("ann", "2024-01-09"), ("bob", "2024-01-09"), tag=[3, 1, 2])
    answer = store.get_historical_features(rows, PURCHASE_FEATURES).to_df()
    assert answer["tag"].tolist() == [3, 1, 2]
    assert answer["spend"].tolist() == [5.0, 25.0, 5.0]


def test_a_nullable_integer_stays_an_integer_in_arrow(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-09"), ("bob", "2024-01-09"))
    answer = store.get_historical_features(rows, PURCHASE_FEATURES).to_arrow()
    assert answer["purchases"].type in (pa.int32(), pa.int64())
    assert answer["purchases"].to_pylist() == [2, None]


# Several keys, created timestamps, names


def test_the_last_correction_wins_and_a_mapped_column_bears_the_features_name(
    store: FeatureStore,
) -> None:
    rows = asked(("ann", "2024-01-09"), ("ann", "2024-01-09"), channel=["web", "shop"])
    answer = store.get_historical_features(rows, ["visits:visits"]).to_arrow()
    assert answer["visits"].to_pylist() == [4, 7]


def test_the_last_correction_wins_at_the_events_own_moment_too(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-02 12:00"), ("ann", "2024-01-04"), ("ann", "2024-01-04"))
    answer = store.get_historical_features(rows.assign(channel=["web", "shop", "web"]), ["visits:visits"])
    assert answer.to_arrow()["visits"].to_pylist() == [4, 7, 4]


def test_a_correction_is_not_known_before_it_was_created(store: FeatureStore) -> None:
    rows = asked(
        ("ann", "2024-01-02 12:00"),
        ("ann", "2024-01-03"),
        ("ann", "2024-01-04 23:59"),
        ("ann", "2024-01-05"),
        channel=["web"] * 4,
    )
    job = store.get_historical_features(rows, ["visits:visits"], filter_by_created_timestamp=True)
    assert job.to_arrow()["visits"].to_pylist() == [None, 3, 3, 4]


def test_full_names_bear_the_view_and_a_join_key_map_renames_the_key(store: FeatureStore) -> None:
    buyers = store.get_feature_view("purchases").with_name("buyer")
    payers = store.get_feature_view("purchases").with_name("payer")
    buyers = buyers.with_join_key_map({"customer_id": "buyer_id"})
    service = FeatureService(name="pairs", features=[buyers, payers])
    store.apply(service)
    rows = asked(("ann", "2024-01-09"), buyer_id=["bob"])
    answer = store.get_historical_features(rows, service, full_feature_names=True).to_arrow()
    assert answer.select(["buyer__spend", "payer__spend"]).to_pylist() == [{"buyer__spend": 5.0, "payer__spend": 25.0}]


def test_views_read_one_by_one_give_what_their_one_statement_gives(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES, "features.visits": VISITS})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, CHANNEL, purchases_view(), visits_view()])
    rows = asked(("bob", "2024-01-05"), ("ann", "2024-01-09"), ("ann", "2024-01-02"), channel=["web", "shop", "web"])
    job = store.get_historical_features(rows, [*PURCHASE_FEATURES, "visits:visits"])
    job.persist(SavedDatasetLakeStorage(table="training.by_one_statement"))
    with connect(catalog) as connection:
        saved = connection.execute("from training.by_one_statement").to_arrow_table()
    answer = job.to_arrow()
    assert answer.column_names == saved.column_names == [*rows.columns, "purchases", "spend", "visits"]
    assert answer.to_pylist() == saved.to_pylist()
    assert answer["visits"].null_count < 3


def test_an_on_demand_view_is_computed_from_the_rows(home: Path, catalog: str) -> None:
    rate = RequestSource(name="rate", schema=[Field(name="rate", dtype=Float64)])
    purchases = purchases_view()

    @on_demand_feature_view(sources=[purchases, rate], schema=[Field(name="in_euro", dtype=Float64)], mode="pandas")
    def euros(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"in_euro": inputs["spend"] * inputs["rate"]})

    store = feature_store(catalog, home / "on-demand")
    with pytest.warns(RuntimeWarning, match="experimental"):
        store.apply([CUSTOMER, purchases, euros])
    rows = asked(("ann", "2024-01-09"), rate=[0.5])
    answer = store.get_historical_features(rows, ["euros:in_euro"]).to_df()
    assert answer["in_euro"].tolist() == [12.5]
    with pytest.raises(LakeError, match="entity_df already has a column 'in_euro', a feature of euros; rename it"):
        store.get_historical_features(rows.assign(in_euro=1.0), ["euros:in_euro"])
    full = store.get_historical_features(rows.assign(in_euro=1.0), ["euros:in_euro"], full_feature_names=True).to_df()
    assert (full["in_euro"].tolist(), full["euros__in_euro"].tolist()) == ([1.0], [12.5])


# Forms of entity_df


def test_a_frame_an_arrow_table_and_sql_give_the_same_answer(store: FeatureStore) -> None:
    frame = asked(("bob", "2024-01-09"), ("ann", "2024-01-01"))
    sql = """
        select customer_id, timestamp '2024-01-09' as event_timestamp
        from features.purchases where customer_id = 'bob'
        union all select 'ann', timestamp '2024-01-01';
    """
    for rows in (frame, pa.Table.from_pandas(frame), sql):
        answer = store.get_historical_features(rows, PURCHASE_FEATURES).to_arrow()
        assert answer["customer_id"].to_pylist() == ["bob", "ann"]
        assert answer["spend"].to_pylist() == [5.0, 10.0]
        assert answer["event_timestamp"].type == pa.timestamp("us", tz="UTC")


def test_the_callers_frame_is_not_modified(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-09"))
    before = rows.copy(deep=True)
    registry, config = store.registry, store.config
    LakeOfflineStore.get_historical_features(
        config, [store.get_feature_view("purchases")], ["purchases:spend"], rows, registry, "test"
    ).to_df()
    pd.testing.assert_frame_equal(rows, before)


@pytest.mark.parametrize(
    "empty",
    [asked(), pd.DataFrame({"customer_id": [], "event_timestamp": []}, dtype="float64")],
    ids=["typed", "untyped"],
)
def test_no_rows_asked_give_no_rows_but_all_columns(store: FeatureStore, empty: pd.DataFrame) -> None:
    answer = store.get_historical_features(empty, PURCHASE_FEATURES).to_arrow()
    assert answer.num_rows == 0
    assert answer.column_names == ["customer_id", "event_timestamp", "purchases", "spend"]


def test_without_entities_each_key_and_timestamp_of_the_range_is_a_row(store: FeatureStore) -> None:
    job = store.get_historical_features(
        None, PURCHASE_FEATURES, start_date=datetime(2024, 1, 2), end_date=datetime(2024, 1, 8)
    )
    answer = job.to_df()
    assert answer["customer_id"].tolist() == ["ann", "bob"]
    assert answer["spend"].tolist() == [25.0, 5.0]
    assert job.metadata is not None
    assert job.metadata.min_event_timestamp == datetime(2024, 1, 8, tzinfo=UTC)
    assert job.metadata.keys == ["customer_id"]


def test_a_single_timestamp_column_of_another_name_says_as_of_when(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-07")).rename(columns={"event_timestamp": "sent_at"})
    assert spend(store, rows) == [10.0]


def test_eight_threads_read_at_once(store: FeatureStore) -> None:
    rows = asked(*[("ann", "2024-01-09"), ("bob", "2024-01-09"), ("zoe", "2024-01-09")] * 50)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: spend(store, rows), range(16)))
    assert answers == [[25.0, 5.0, None] * 50] * 16


# Errors


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (asked(("ann", "2024-01-09"))[["event_timestamp"]], "no column 'customer_id', a join key"),
        (asked(("ann", "2024-01-09"))[["customer_id"]], "no column 'event_timestamp'"),
        (asked(("ann", "2024-01-09"), spend=[1.0]), "already has a column 'spend'"),
        (asked((7, "2024-01-09")), "'customer_id' is int64 in entity_df and VARCHAR in the lake"),
        (
            asked((7, "2024-01-09")).astype({"customer_id": "category"}),
            "'customer_id' is dictionary<values=int64.*VARCHAR",
        ),
        (asked((Decimal(7), "2024-01-09")), r"'customer_id' is decimal128\(1, 0\) in entity_df and VARCHAR"),
        ("select customer_id from features.nothing", "Could not read the entity rows"),
        (["ann"], "entity_df is a list"),
        (asked(("ann", "2024-01-09"), __lake_row=[1]), "names with '__lake_' are taken"),
        (
            pd.concat([asked(("ann", "2024-01-09"))] * 2, axis=1),
            "entity_df has 2 columns 'customer_id'; give each a name of its own",
        ),
        (
            pa.table([["ann"], ["bob"], [datetime(2024, 1, 9)]], ["customer_id", "customer_id", "event_timestamp"]),
            "entity_df has 2 columns 'customer_id'",
        ),
        (
            "select 'ann' as customer_id, 'bob' as customer_id, date '2024-01-09' as event_timestamp",
            "entity_df has 2 columns 'customer_id'",
        ),
        # Read as the other one, the timestamp would let the row see the future.
        (
            asked(("ann", "2024-01-03"), Event_Timestamp=["2024-01-09"]),
            "entity_df has 2 columns 'event_timestamp'",
        ),
        (asked(("ann", "2024-01-09"), Spend=[1.0]), "already has a column 'spend'"),
        ("select 'ann' as customer_id, 1 as __lake_row, date '2024-01-09' as event_timestamp", "'__lake_row'; names"),
    ],
)
def test_a_wrong_entity_df_is_a_one_line_error(store: FeatureStore, rows: Any, message: str) -> None:
    with pytest.raises(LakeError, match=message) as caught:
        store.get_historical_features(rows, PURCHASE_FEATURES).to_df()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("moments", "message"),
    [
        (["2024-01-08", datetime(2024, 1, 8)], "entity_df has a column of mixed types: .*event_timestamp"),
        (["8.1.2024"], "Could not take the entity rows: .*8.1.2024.*YYYY-MM-DD"),
        ([1704672000], "Could not take the entity rows: .*BIGINT -> TIMESTAMP"),
    ],
    ids=["texts and times", "not ISO 8601", "numbers"],
)
def test_a_timestamp_that_may_be_misread_is_an_error(store: FeatureStore, moments: list[Any], message: str) -> None:
    rows = pd.DataFrame({"customer_id": "ann", "event_timestamp": pd.Series(moments, dtype="object")})
    with pytest.raises(LakeError, match=message) as caught:
        spend(store, rows)
    assert "\n" not in str(caught.value)


def test_naive_and_aware_times_may_be_mixed_and_texts_are_iso_8601(store: FeatureStore) -> None:
    tokyo = timezone(timedelta(hours=9))
    mixed = [datetime(2024, 1, 8), datetime(2024, 1, 8, tzinfo=tokyo), datetime(2024, 1, 8, 9, tzinfo=tokyo)]
    for moments in (
        mixed,
        *([moment.isoformat(timespec=to) for moment in mixed] for to in ("minutes", "microseconds")),
    ):
        rows = pd.DataFrame({"customer_id": "ann", "event_timestamp": pd.Series(moments, dtype="object")})
        assert spend(store, rows) == [25.0, 10.0, 25.0]


def test_a_future_time_has_what_is_newest_now(store: FeatureStore) -> None:
    assert spend(store, asked(("ann", "2100-01-01"))) == [25.0]


def test_a_feature_view_or_service_that_feast_does_not_know_is_one_line(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-09"))
    for names, error, message in (
        (["purchases:colour"], KeyError, "Feature colour not found in projection purchases"),
        (["sales:spend"], FeastObjectNotFoundException, "Feature view sales does not exist in project test"),
        (["spend"], ValueError, "Invalid feature reference 'spend'"),
    ):
        with pytest.raises(error, match=message):
            store.get_historical_features(rows, names)
    with pytest.raises(FeastObjectNotFoundException, match="Feature service none does not exist"):
        store.get_feature_service("none")


def test_a_comment_may_end_sql(store: FeatureStore) -> None:
    assert spend(store, "select 'ann' as customer_id, date '2024-01-09' as event_timestamp -- today") == [25.0]


def test_an_unknown_feature_is_a_one_line_error(store: FeatureStore) -> None:
    views = [store.get_feature_view("purchases")]
    rows = asked(("ann", "2024-01-09"))
    for reference, message in (
        ("purchases:colour", "purchases has no feature 'colour'; it has purchases, spend"),
        ("sales:spend", "Unknown feature view in 'sales:spend'; known: purchases"),
    ):
        with pytest.raises(LakeError, match=message):
            LakeOfflineStore.get_historical_features(store.config, views, [reference], rows, store.registry, "test")


def test_a_missing_catalog_is_an_error_and_none_is_created(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=f"There is no lake at {tmp_path}/catalog.sqlite"):
        connect(f"sqlite:{tmp_path}/catalog.sqlite", read_only=False)
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_reads_the_past_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"main.numbers": "select 1 as n"})
    with connect(catalog) as connection:
        [(snapshot,)] = connection.execute("select max(snapshot_id) from lake.snapshots()").fetchall()
    with connect(catalog, read_only=False) as connection:
        connection.execute("insert into numbers values (2)")
    with connect(catalog, snapshot=snapshot) as past, connect(catalog) as present:
        assert past.execute("select sum(n) from numbers").fetchall() == [(1,)]
        assert present.execute("select sum(n) from numbers").fetchall() == [(3,)]
    with pytest.raises(LakeError, match="No snapshot found at version 99"):
        connect(catalog, snapshot=99)


def test_a_lake_can_be_read_from_another_folder_than_it_was_built_with(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path / "built", {"main.numbers": "select n from range(500) as r (n)"})
    (tmp_path / "built" / "data").rename(tmp_path / "moved")
    with connect(catalog, f"{tmp_path}/moved") as connection:
        assert connection.execute("select count(*) from numbers").fetchall() == [(500,)]


# Source and types


def test_a_source_survives_the_registry() -> None:
    source = LakeSource(
        name="kept",
        query="select 1 as n, now() as at;",
        timestamp_field="at",
        created_timestamp_column="made_at",
        field_mapping={"n": "number"},
        description="why",
        tags={"team": "crm"},
        owner="ann@example.com",
    )
    assert LakeSource.from_proto(source.to_proto()) == source
    assert source.get_table_query_string() == "(select 1 as n, now() as at\n)"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("BIGINT", ValueType.INT64),
        ("DOUBLE[]", ValueType.DOUBLE_LIST),
        ("VARCHAR[3]", ValueType.STRING_LIST),
        ("TIMESTAMP WITH TIME ZONE", ValueType.UNIX_TIMESTAMP),
    ],
)
def test_a_column_type_has_its_feast_type(kind: str, expected: ValueType) -> None:
    assert LakeSource.source_datatype_to_feast_value_type()(kind) == expected


@pytest.mark.parametrize(
    ("kind", "way_out"),
    [("DECIMAL(18,3)", "to double"), ("HUGEINT", "to bigint"), ("MAP(VARCHAR, INTEGER)", "cast")],
)
def test_a_type_that_would_lose_digits_is_refused(kind: str, way_out: str) -> None:
    with pytest.raises(LakeError, match=way_out):
        LakeSource.source_datatype_to_feast_value_type()(kind)


def test_a_source_without_its_timestamp_column_is_not_applied(store: FeatureStore) -> None:
    source = LakeSource(table="features.purchases", timestamp_field="bought_at")
    with pytest.raises(LakeError, match="purchases has no column 'bought_at'"):
        source.validate(store.config)


# Settings


def test_a_setting_takes_the_environment_or_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POND", raising=False)
    assert feast_lake.expand("sqlite:${POND:-.pond}/x") == "sqlite:.pond/x"
    monkeypatch.setenv("POND", "/p 100%?#")
    assert feast_lake.expand("sqlite:${POND:-.pond}/${POND}") == "sqlite:/p 100%?#//p 100%?#"
    monkeypatch.delenv("POND")
    with pytest.raises(LakeError, match="POND is not set"):
        feast_lake.expand("${POND}")


def test_inside_a_feast_repository_a_relative_path_starts_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "feature_repo"
    repository.mkdir()
    (repository / "feature_store.yaml").touch()
    for folder in (tmp_path, repository):
        monkeypatch.chdir(folder)
        assert feast_lake.expansion.expand_path(".pond/x") == tmp_path / ".pond" / "x"


def test_the_registry_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import create_engine, text

    monkeypatch.setenv("POND", f"{tmp_path}/100% of ?x=1")
    engine = create_engine("sqlite:///${POND:-.pond}/registry.db?plugin=expand")
    with engine.begin() as connection:
        connection.execute(text("create table t (n int)"))
    assert (tmp_path / "100% of ?x=1" / "registry.db").is_file()


# Online, saved data sets, logs


def test_the_newest_row_of_a_window_goes_online(store: FeatureStore, home: Path) -> None:
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)
    store.materialize(start, end, feature_views=["purchases", "visits"])
    customers = [{"customer_id": "ann"}, {"customer_id": "bob"}, {"customer_id": "zoe"}]
    online = store.get_online_features(PURCHASE_FEATURES, customers).to_dict()
    assert online["purchases"] == [2, None, None]
    assert online["spend"] == [25.0, 5.0, None]
    seen = store.get_online_features(["visits:visits"], [{"customer_id": "ann", "channel": "web"}])
    assert seen.to_dict()["visits"] == [4]
    with sqlite3.connect(home / "online" / "deep" / "online.db") as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_saved_data_set_reads_back_and_is_not_overwritten_by_accident(
    store: FeatureStore,
) -> None:
    rows = asked(("ann", "2024-01-09"), ("bob", "2024-01-09"))
    job = store.get_historical_features(rows, PURCHASE_FEATURES)
    storage = SavedDatasetLakeStorage(table="training.first")
    with pytest.warns(RuntimeWarning, match="experimental"):
        store.create_saved_dataset(job, "first", storage)
    with pytest.warns(RuntimeWarning, match="experimental"):
        saved = store.get_saved_dataset("first").to_df()
    assert sorted(saved["spend"]) == [5.0, 25.0]
    with (
        pytest.warns(RuntimeWarning, match="experimental"),
        pytest.raises(Exception, match="first already exists"),
    ):
        store.create_saved_dataset(job, "first", storage)


def saved(store: FeatureStore, rows: pd.DataFrame, name: str) -> pa.Table:
    job = store.get_historical_features(rows, PURCHASE_FEATURES)
    with pytest.warns(RuntimeWarning, match="experimental"):
        store.create_saved_dataset(job, name, SavedDatasetLakeStorage(table=f"training.{name}"))
    with pytest.warns(RuntimeWarning, match="experimental"):
        return store.get_saved_dataset(name).to_arrow()


def test_a_saved_data_set_reads_back_with_its_labels_and_in_its_order(store: FeatureStore) -> None:
    rows = asked(("bob", "2024-01-09"), ("ann", "2024-01-09"), label=[1, 0])
    expected = store.get_historical_features(rows, PURCHASE_FEATURES).to_arrow()
    assert saved(store, rows, "labelled").equals(expected)


def test_a_saved_data_set_without_rows_reads_back_without_rows(store: FeatureStore) -> None:
    found = saved(store, asked(("ann", "2024-01-09")).head(0), "empty")
    assert (found.num_rows, "spend" in found.column_names) == (0, True)


def test_a_set_whose_time_has_another_name_is_not_saved(store: FeatureStore) -> None:
    rows = asked(("ann", "2024-01-09")).rename(columns={"event_timestamp": "called_at"})
    with pytest.raises(LakeError, match="entity_df has its time in 'called_at'; to save the set, name it 'event_times"):
        saved(store, rows, "calls")


def test_pushed_rows_are_appended_to_the_table(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"features.visits": VISITS})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, CHANNEL, visits_view()])
    moment = pd.Timestamp("2024-02-01", tz="UTC")
    new = {"customer_id": "bob", "channel": "web", "seen_at": moment, "known_at": moment, "n": 9}
    store.write_to_offline_store("visits", pd.DataFrame([new]))
    rows = asked(("bob", "2024-02-02"), channel=["web"])
    answer = store.get_historical_features(rows, ["visits:visits"]).to_arrow()
    assert answer["visits"].to_pylist() == [9]


def test_serving_logs_are_written_to_the_lake_and_read_back(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    destination = feast_lake.LakeLoggingDestination(table="logs.served")
    service = FeatureService(name="served", features=[purchases_view()], logging_config=LoggingConfig(destination))
    store.apply([CUSTOMER, purchases_view(), service])
    applied = store.get_feature_service("served")
    log = pa.table(
        {
            "customer_id": ["ann"],
            "purchases__spend": [25.0],
            "__log_timestamp": pa.array([datetime(2024, 1, 9)], pa.timestamp("us", tz="UTC")),
            "__log_date": [date(2024, 1, 9)],
            "__request_id": ["r1"],
        }
    )
    for _ in range(2):
        store.write_logged_features(log, applied)
    with connect(catalog) as connection:
        rows = connection.execute('select customer_id, "purchases__spend" from logs.served')
        assert rows.fetchall() == [("ann", 25.0)] * 2


def test_a_view_without_entity_gives_every_row_its_value(tmp_path: Path) -> None:
    rates = "select date '2024-01-01' as day, 1.1 ::double as rate union all select '2024-01-05', 1.2"
    store = feature_store(build_lake(tmp_path, {"features.rates": rates}), tmp_path)
    source = LakeSource(table="features.rates", timestamp_field="day")
    store.apply([view("rates", source, {"rate": Float64}, entities=())])
    rows = asked(("ann", "2024-01-04"), ("bob", "2024-01-05"))
    answer = store.get_historical_features(rows, ["rates:rate"]).to_arrow()
    assert answer["rate"].to_pylist() == [1.1, 1.2]
    store.materialize(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC))
    assert store.get_online_features(["rates:rate"], [{"__dummy_id": ""}]).to_dict()["rate"] == [1.2]


def test_column_names_need_not_be_plain_words(tmp_path: Path) -> None:
    odd = """
        select 'ann' as customer_id, date '2024-01-01' as "order", 1 as "Select From", 2 as "a""b"
    """
    store = feature_store(build_lake(tmp_path, {"features.odd": odd}), tmp_path)
    source = LakeSource(table="features.odd", timestamp_field="order", field_mapping={"Select From": "chosen"})
    store.apply([CUSTOMER, view("odd", source, {"chosen": Int64, 'a"b': Int64})])
    answer = store.get_historical_features(asked(("ann", "2024-01-01")), ["odd:chosen", 'odd:a"b'])
    assert answer.to_arrow().select([2, 3]).to_pylist() == [{"chosen": 1, 'a"b': 2}]
