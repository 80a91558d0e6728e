"""A reader that stays open while features change, and its log while somebody is erased."""

import os
import time
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureService, FeatureStore
from feast.types import Float64, Int64

from feast_lake_fixtures import CUSTOMER, PURCHASES, build_lake, feature_store, purchases_view, view
from millpond import errors, publishing, serving_log, tombstones
from millpond.reader import FeatureVector, Reader
from millpond.serving_log import ServingLog

AS_OF = date(2024, 1, 9)
NOON = datetime(2024, 1, 9, 12, tzinfo=UTC)


@pytest.fixture
def store(home: Path) -> FeatureStore:
    catalog = build_lake(home / "lake", {"features.purchases": PURCHASES})
    store = feature_store(catalog, home)
    store.apply([CUSTOMER, purchases_view(), FeatureService(name="shop", features=[purchases_view()])])
    publish(store)
    return store


def publish(store: FeatureStore) -> None:
    publishing.publish(store, as_of=AS_OF, on_view=lambda name: None)


def test_reader_says_that_features_were_published_otherwise_and_another_one_reads_them(store: FeatureStore) -> None:
    reader = Reader("shop", store=store)
    assert reader.read(["ann"], at=NOON)[0].values == {"purchases": 2, "spend": 25.0}
    # An unknown customer is no sign of it.
    assert not reader.read(["nobody"], at=NOON)[0].is_known
    fewer = view("purchases", purchases_view().batch_source, {"spend": Float64})
    store.apply([fewer, FeatureService(name="shop", features=[fewer])])
    publish(store)
    for customer in ("ann", "nobody"):
        with pytest.raises(errors.UnknownFeatures, match=r"^purchases was published with other features .* open the r"):
            reader.read([customer], at=NOON)
    assert Reader("shop", store=store).read(["ann"], at=NOON)[0].values == {"spend": 25.0}


def test_reader_between_a_change_of_features_and_its_publishing_opens_and_says_so(store: FeatureStore) -> None:
    more = view("purchases", purchases_view().batch_source, {"spend": Float64, "purchases": Int64})
    store.apply([more, FeatureService(name="shop", features=[more])])
    reader = Reader("shop", store=store)
    with pytest.raises(errors.UnknownFeatures, match="run `millpond publish`"):
        reader.read(["ann"], at=NOON)
    publish(store)
    assert reader.read(["ann"], at=NOON)[0].values == {"spend": 25.0, "purchases": 2}


@pytest.fixture
def log(home: Path) -> ServingLog:
    """Of ann and bob, before it is written; the lake knows ann alone."""
    keys = "select 'shop' as source_system, 'a' as customer_key, 'ann' as customer_id"
    build_lake(home / "lake", {"marts.customer_keys": keys})
    log = ServingLog("shop", {"customer_id": pa.string(), "spend": pa.float64()})
    vectors = [FeatureVector({"customer_id": name}, {"spend": 1.0}, is_known=True) for name in ("ann", "bob")]
    log.add(vectors, NOON)
    return log


def logged() -> list[str]:
    return sorted(
        name
        for file in serving_log.folder("shop").glob("*.parquet")
        for name in pq.read_table(file)["customer_id"].to_pylist()
    )


def test_somebody_who_is_erased_before_the_log_is_written_is_not_in_it(log: ServingLog) -> None:
    tombstones.add({"shop/b"})
    # A file system may keep time by ticks.
    os.utime(tombstones.path(), (time.time() + 1,) * 2)
    log.flush()
    assert logged() == ["ann"]


def test_customers_whom_the_lake_does_not_know_are_logged_where_nobody_was_erased(log: ServingLog) -> None:
    log.flush()
    assert logged() == ["ann", "bob"]
