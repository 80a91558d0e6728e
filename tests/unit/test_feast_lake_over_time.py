"""feast_lake while its lake changes: contracts, ties, snapshots, pushes, threads beside a writer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, PushSource
from feast.data_source import PushMode
from feast.types import Float64, Int64

import feast_lake
from feast_lake import LakeError, LakeSource, SavedDatasetLakeStorage, connect, publish_view, publishing, retrieval
from feast_lake.lake import Lake
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

FEATURES = ["purchases:purchases", "purchases:spend"]
FEATURE_NAMES = ["purchases", "spend"]
START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC)


def spend(store: FeatureStore, rows: Any) -> Any:
    return store.get_historical_features(rows, ["purchases:spend"]).to_arrow()["spend"].to_pylist()


# Contracts that changed, and ties


def altered(tmp_path: Path, *statements: str) -> FeatureStore:
    """A store whose lake was changed after its views had been applied."""
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, purchases_view()])
    with connect(catalog, read_only=False) as connection:
        for statement in statements:
            connection.execute(statement)
    return store


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("alter table features.purchases rename spend to spent", r"purchases has no column 'spend' any more \(it has"),
        ("drop table features.purchases", "Could not read purchases: .*does not exist"),
        (
            "create or replace table features.purchases as select * replace (spend::varchar as spend) "
            "from features.purchases",
            "Column 'spend' of purchases was DOUBLE, and now is VARCHAR; mend the table, or apply",
        ),
        (
            "create or replace table features.purchases as select * replace (spend::decimal(18, 2) as spend) "
            "from features.purchases",
            "DECIMAL",
        ),
    ],
)
def test_a_table_that_is_not_what_was_applied_is_an_error(tmp_path: Path, statement: str, message: str) -> None:
    store = altered(tmp_path, statement)
    with pytest.raises(LakeError, match=message) as caught:
        spend(store, asked(("ann", "2024-01-09")))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changed", ["spend::varchar as spend", "'text' as purchases"])
def test_a_table_that_is_not_what_was_applied_is_not_published(tmp_path: Path, changed: str) -> None:
    statement = f"create or replace table features.purchases as select * replace ({changed}) from features.purchases"
    store = altered(tmp_path, statement)
    with pytest.raises(LakeError, match=r"of purchases was .*, and now is VARCHAR; mend the table, or apply"):
        publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    assert store.get_online_features(FEATURES, [{"customer_id": "ann"}]).to_dict()["spend"] == [None]


def test_a_whole_number_may_stand_for_a_real_one(tmp_path: Path) -> None:
    whole = (
        "create or replace table features.purchases as select * replace (7::bigint as spend) from features.purchases"
    )
    assert spend(altered(tmp_path, whole), asked(("ann", "2024-01-09"))) == [7]


def test_of_equal_rows_the_greatest_is_taken_offline_and_online(tmp_path: Path) -> None:
    store = altered(
        tmp_path,
        "insert into features.purchases values ('bob', '2024-01-08', 3, 4.0), ('bob', '2024-01-08', 3, 6.0)",
    )
    job = store.get_historical_features(asked(("bob", "2024-01-09")), FEATURES)
    assert job.to_arrow().select(["purchases", "spend"]).to_pylist() == [{"purchases": 3, "spend": 6.0}]
    store.materialize(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 9, tzinfo=UTC))
    online = store.get_online_features(FEATURES, [{"customer_id": "bob"}]).to_dict()
    assert (online["purchases"], online["spend"]) == ([3], [6.0])


def test_of_equal_rows_the_same_is_taken_whichever_features_are_asked_for(tmp_path: Path) -> None:
    store = altered(
        tmp_path,
        "insert into features.purchases values ('cleo', '2024-01-08', 4, 4.0), ('cleo', '2024-01-08', 3, 6.0)",
    )
    rows = asked(("cleo", "2024-01-09"))
    whole = store.get_historical_features(rows, FEATURES).to_arrow().select(FEATURE_NAMES).to_pylist()
    publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    online = store.get_online_features(FEATURES, [{"customer_id": "cleo"}]).to_dict()
    assert whole == [{"purchases": 4, "spend": 4.0}]
    assert (online["purchases"], online["spend"]) == ([4], [4.0])
    assert spend(store, rows) == [4.0]


@pytest.mark.parametrize("known_by_row", [False, True])
def test_of_equal_rows_the_one_created_last_is_taken_before_any_feature_is_compared(
    tmp_path: Path, *, known_by_row: bool
) -> None:
    catalog = build_lake(tmp_path, {"features.visits": VISITS})
    with connect(catalog, read_only=False) as lake:
        # Of the two rows of the newest creation, the greater; the row created first is greater still.
        lake.execute("insert into features.visits values ('ann', 'web', '2024-01-02 12:00', '2024-01-05', 5)")
        lake.execute("insert into features.visits values ('ann', 'web', '2024-01-02 12:00', '2024-01-03', 9)")
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, CHANNEL, visits_view()])
    rows = asked(("ann", "2024-01-04"), ("ann", "2024-01-06"), channel=["web", "web"])
    job = store.get_historical_features(rows, ["visits:visits"], filter_by_created_timestamp=known_by_row)
    assert job.to_arrow()["visits"].to_pylist() == ([9, 5] if known_by_row else [5, 5])


# Many rows


def test_a_memory_limit_holds_for_the_reads_of_its_store_only(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})

    def limit(store: FeatureStore) -> str:
        with Lake.of(store.config).read() as connection:
            return str(connection.execute("select current_setting('memory_limit')").fetchall()[0][0])

    assert limit(feature_store(catalog, tmp_path, memory_limit="300MB")) == "286.1 MiB"
    assert limit(feature_store(catalog, tmp_path)) != "286.1 MiB"
    with pytest.raises(LakeError, match=r"Could not open the lake .*memory"):
        limit(feature_store(catalog, tmp_path, memory_limit="much"))


def test_a_set_is_saved_batch_by_batch_and_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, purchases_view()])
    job = store.get_historical_features(asked(*[("ann", "2024-01-09")] * 120_000), FEATURES)
    saved: list[int] = []

    def save(*_: Any, rows: pa.RecordBatchReader, **__: Any) -> None:
        saved.extend(batch.num_rows for batch in rows)

    monkeypatch.setattr(retrieval, "save", save)
    job.persist(SavedDatasetLakeStorage(table="training.many"))
    assert sum(saved) == 120_000
    assert max(saved) <= 50_000


# Snapshots and pushes


def test_a_pinned_store_gives_the_same_bytes_after_later_builds(tmp_path: Path) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, purchases_view()])
    rows = asked(*[("ann", "2024-01-09"), ("zoe", "2024-01-09"), ("bob", "2024-01-01"), ("bob", None)] * 500)

    def as_bytes(source: FeatureStore) -> bytes:
        file = pa.BufferOutputStream()
        pq.write_table(source.get_historical_features(rows, FEATURES).to_arrow(), file)
        return bytes(file.getvalue())

    pinned = feast_lake.pinned(store)
    before = as_bytes(pinned)
    for statement in (
        "update features.purchases set spend = spend + 1",
        "insert into features.purchases values ('zoe', '2024-01-02', 1, 1.0)",
        "create or replace table features.purchases as select * from features.purchases order by random()",
    ):
        with feast_lake.one_writer(catalog) as branch, connect(branch.place().catalog, read_only=False) as lake:
            lake.execute(statement)
    again = feast_lake.pinned(store, pinned.config.offline_store.lake_snapshot)
    assert as_bytes(pinned) == as_bytes(again) == before
    assert as_bytes(store) != before
    with pytest.raises(LakeError, match="No snapshot found at version 99"):
        feast_lake.pinned(store, 99)
    with pytest.raises(LakeError, match="is the past; only the newest can be written to"):
        pinned.write_to_offline_store(
            "purchases",
            pd.DataFrame(
                {"customer_id": ["bob"], "observation_date": [date(2024, 2, 1)], "purchases": 1, "spend": 1.0}
            ),
        )


def test_a_push_reaches_the_lake_the_online_store_or_both(tmp_path: Path) -> None:
    store = feature_store(build_lake(tmp_path, {"features.purchases": PURCHASES}), tmp_path)
    source = PushSource(name="door", batch_source=purchases_view().batch_source)
    store.apply([CUSTOMER, view("purchases", source, {"purchases": Int64, "spend": Float64})])
    for number, to in enumerate(PushMode):
        row = {"customer_id": to.name, "observation_date": pd.Timestamp("2024-03-01", tz="UTC"), "purchases": number}
        store.push("door", pd.DataFrame([row | {"spend": number / 2}]), to=to)
    names = [to.name for to in PushMode]
    online = store.get_online_features(["purchases:spend"], [{"customer_id": name} for name in names]).to_dict()
    offline = spend(store, asked(*[(name, "2024-03-02") for name in names]))
    assert offline == [number / 2 if "OFFLINE" in name else None for number, name in enumerate(names)]
    assert online["spend"] == [number / 2 if "ONLINE" in name else None for number, name in enumerate(names)]


def test_a_pushed_row_of_other_columns_is_refused(tmp_path: Path) -> None:
    store = altered(tmp_path)
    with pytest.raises(ValueError, match="missing_expected_columns: \\['purchases', 'spend'\\]"):
        store.write_to_offline_store(
            "purchases", pd.DataFrame({"customer_id": ["a"], "observation_date": ["2024-01-01"]})
        )
    assert spend(store, asked(("a", "2024-01-09"))) == [None]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({"observation_date": pd.Timestamp("2024-03-01 15:00")}, "is DATE, which does not hold 2024-03-01 15:00:00"),
        ({"observation_date": pd.Timestamp("2024-03-01", tz="Asia/Tokyo")}, "does not hold 2024-02-29 15:00:00"),
        ({"purchases": 2.7}, "Column 'purchases' of features.purchases is INTEGER, which does not hold 2.7; nothing"),
    ],
    ids=["hour", "midnight elsewhere", "fraction"],
)
def test_a_pushed_value_that_the_table_would_cut_is_refused(tmp_path: Path, cut: dict[str, Any], message: str) -> None:
    """Of a DATE the row would be known from midnight on: before it was."""
    store = altered(tmp_path)
    row = {"customer_id": "a", "observation_date": pd.Timestamp("2024-03-01"), "purchases": 2.0, "spend": 1.5}
    with pytest.raises(LakeError, match=message):
        store.write_to_offline_store("purchases", pd.DataFrame([row | cut]))
    assert spend(store, asked(("a", "2024-03-02"))) == [None]


# Threads, and a lake that is being rebuilt


def test_what_one_thread_asks_is_not_what_another_gets_while_the_lake_is_rebuilt(tmp_path: Path) -> None:
    """Each version writes one number into both tables, so an answer with two numbers would be torn."""

    def tables(number: int) -> dict[str, str]:
        columns = f"'c' || c as customer_id, date '2024-01-01' + d::int as day, {number} as n"
        select = f"select {columns} from range(200) as customers (c), range({number % 3 + 1}) as days (d)"
        return dict.fromkeys(("features.one", "features.two"), select)

    catalog = build_lake(tmp_path, tables(0))
    store = feature_store(catalog, tmp_path)
    sources = [LakeSource(table=f"features.{name}", timestamp_field="day") for name in ("one", "two")]
    store.apply(
        [CUSTOMER, *(view(name, source, {"n": Int64}) for name, source in zip(("one", "two"), sources, strict=True))]
    )

    def ask(thread: int) -> set[tuple[int, int]]:
        seen = set()
        for size in range(1, 7):
            rows = asked(*[(f"c{thread}", "2024-01-09")] * size)
            job = store.get_historical_features(rows, ["one:n", "two:n"], full_feature_names=True)
            answer = job.to_arrow()
            assert answer["customer_id"].to_pylist() == [f"c{thread}"] * size
            seen |= set(zip(answer["one__n"].to_pylist(), answer["two__n"].to_pylist(), strict=True))
        return seen

    with ThreadPoolExecutor(4) as threads:
        asking = [threads.submit(ask, thread) for thread in range(4)]
        for number in range(1, 4):
            with feast_lake.one_writer(catalog) as branch, connect(branch.place().catalog, read_only=False) as lake:
                for table, select in tables(number).items():
                    lake.execute(f"create or replace table {table} as {select}")
        seen = set().union(*(thread.result() for thread in asking))
    assert all(one == two for one, two in seen)
    assert newest(store) == [(3, 3)]


def rebuilt_after_the_check(monkeypatch: pytest.MonkeyPatch, catalog: str, module: ModuleType) -> None:
    """Whenever a view's contract was checked, another process builds its table anew, with other types and values."""
    check = module.checked_key_types  # type: ignore[attr-defined]

    def check_then_rebuild(*arguments: Any) -> Any:
        found = check(*arguments)
        with feast_lake.one_writer(catalog) as branch, connect(branch.place().catalog, read_only=False) as lake:
            lake.execute(
                "create or replace table features.purchases as "
                "select * replace ('none' as spend, 99::bigint as purchases) from features.purchases"
            )
        return found

    monkeypatch.setattr(module, "checked_key_types", check_then_rebuild)


def test_what_is_read_is_the_state_that_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, purchases_view()])
    rebuilt_after_the_check(monkeypatch, catalog, retrieval)
    answer = store.get_historical_features(asked(("ann", "2024-01-09")), FEATURES).to_arrow()
    assert answer.select(FEATURE_NAMES).to_pylist() == [{"purchases": 2, "spend": 25.0}]


def test_what_is_published_is_the_state_that_was_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = build_lake(tmp_path, {"features.purchases": PURCHASES})
    store = feature_store(catalog, tmp_path)
    store.apply([CUSTOMER, purchases_view()])
    rebuilt_after_the_check(monkeypatch, catalog, publishing)
    publish_view(store, store.get_feature_view("purchases"), start=START, end=END)
    online = store.get_online_features(FEATURES, [{"customer_id": "ann"}]).to_dict()
    assert (online["purchases"], online["spend"]) == ([2], [25.0])


def newest(store: FeatureStore) -> list[tuple[int, int]]:
    rows = asked(("c1", "2024-01-09"))
    answer = store.get_historical_features(rows, ["one:n", "two:n"], full_feature_names=True).to_arrow()
    return list(zip(answer["one__n"].to_pylist(), answer["two__n"].to_pylist(), strict=True))
