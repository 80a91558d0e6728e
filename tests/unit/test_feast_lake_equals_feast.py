"""feast_lake and Feast's own DuckDB store give the same cells, whatever is asked of whatever history."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore, FeatureView, FileSource, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.offline_store import OfflineStore
from feast.types import Int64
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from feast_lake import LakeSource
from feast_lake.offline_store import LakeOfflineStore
from feast_lake_fixtures import CHANNEL, CUSTOMER, build_lake, feature_store, view

START = datetime(2024, 3, 31, tzinfo=UTC)  # New York and Berlin changed their clocks this month.
HOURS = st.one_of(st.none(), st.integers(0, 5))
CUSTOMERS = st.sampled_from(["ann", "bob", "a:b", None])
CHANNELS = st.sampled_from(["web", "shop"])


class Question(NamedTuple):
    """What is asked of a history.

    Attributes:
        rows: customer, channel, hours after START; null or twice, too.
        zone: of the rows' timestamps; None: naive.
        ttl: in hours; None and 0: any age.
        known: count only what was created by the row's timestamp.
        renamed: whether a join-key map gives the keys other names.
        full_names: whether features bear their view's name.
    """

    rows: list[tuple[Any, ...]]
    zone: str | None
    ttl: int | None
    known: bool
    renamed: bool
    full_names: bool


HISTORIES = st.lists(st.tuples(CUSTOMERS, CHANNELS, HOURS, HOURS), min_size=1, max_size=15)
QUESTIONS = st.builds(
    Question,
    rows=st.lists(
        st.tuples(st.sampled_from(["ann", "bob", "a:b", "zoe", None]), CHANNELS, HOURS), min_size=1, max_size=8
    ),
    zone=st.sampled_from([None, "UTC", "Asia/Kolkata", "America/New_York", "Europe/Berlin"]),
    ttl=st.sampled_from([None, 0, 1, 3]),
    known=st.booleans(),
    renamed=st.booleans(),
    full_names=st.booleans(),
)


class Stores(NamedTuple):
    ours: FeatureStore
    theirs: FeatureStore
    folder: Path


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    folder = tmp_path_factory.mktemp("both")
    ours = feature_store(build_lake(folder, {"main.nothing": "select 1 as n"}), folder)
    config = RepoConfig(
        project="own",
        provider="local",
        registry=str(folder / "own.db"),
        offline_store={"type": "duckdb"},
        online_store=None,
        entity_key_serialization_version=3,
    )
    theirs = FeatureStore(config=config)
    for store in (ours, theirs):
        store.apply([CUSTOMER, CHANNEL])
    return Stores(ours, theirs, folder)


def moments(hours: list[int | None]) -> pd.Series:
    return pd.Series([None if h is None else START + timedelta(hours=h) for h in hours], dtype="datetime64[us, UTC]")


def value(*identity: object) -> int | None:
    """Rows that no rule tells apart have equal values; some have none."""
    number = zlib.crc32(repr(identity).encode())
    return None if number % 4 == 0 else number


def history(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    """One value that corrections change, and one for a view that knows of no corrections."""
    frame = pd.DataFrame(rows, columns=["customer_id", "channel", "seen_at", "known_at"])
    frame["corrected"] = pd.array([value(*row) for row in rows], dtype="Int64")
    frame["first"] = pd.array([value(*row[:3]) for row in rows], dtype="Int64")
    hours = {name: [row[place] for row in rows] for name, place in (("seen_at", 2), ("known_at", 3))}
    return frame.astype({"customer_id": "string"}).assign(**{name: moments(hour) for name, hour in hours.items()})


def views(question: Question, source: Callable[..., DataSource]) -> list[FeatureView]:
    mapping = {"corrected": "n_corrected", "first": "n_first"}
    ttl = None if question.ttl is None else timedelta(hours=question.ttl)
    both = (CUSTOMER, CHANNEL)
    created = source(name="a", timestamp_field="seen_at", created_timestamp_column="known_at", field_mapping=mapping)
    plain = source(name="b", timestamp_field="seen_at", field_mapping=mapping)
    found = [
        view("corrected", created, {"n_corrected": Int64}, entities=both, ttl=ttl),
        view("first", plain, {"n_first": Int64}, entities=both),
    ]
    names = {"customer_id": "buyer_id", "channel": "bought_on"}
    return [each.with_join_key_map(names) for each in found] if question.renamed else found


def asked(question: Question) -> pd.DataFrame:
    names = ["buyer_id", "bought_on"] if question.renamed else ["customer_id", "channel"]
    keys = pd.DataFrame([row[:2] for row in question.rows], columns=names, dtype="string")
    at = moments([row[2] for row in question.rows])
    return keys.assign(event_timestamp=at.dt.tz_convert(question.zone), number=range(len(keys)))


def answer(
    kind: type[OfflineStore], store: FeatureStore, question: Question, source: Callable[..., DataSource]
) -> dict[str, Any]:
    job = kind.get_historical_features(
        store.config,
        views(question, source),
        ["corrected:n_corrected", "first:n_first"],
        asked(question),
        store.registry,
        store.project,
        full_feature_names=question.full_names,
        filter_by_created_timestamp=question.known,
    )
    cells = job.to_arrow().sort_by("number")
    # Feast's own leaves a naive timestamp naive; it means the same.
    at = cells["event_timestamp"].cast(pa.timestamp("us", "UTC"))
    return dict(cells.drop_columns("event_timestamp").to_pydict(), event_timestamp=at.to_pylist())


# ibis calls what DuckDB 1.5 deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
# No shrinking: an example is small as it is, and Feast's store takes its time for each.
@settings(
    max_examples=60,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(rows=HISTORIES, question=QUESTIONS)
@example(
    rows=[("ann", "web", 0, 0), ("ann", "web", 0, 0), ("ann", "web", 0, 2), ("ann", "web", 0, None)],
    question=Question([("ann", "web", 1), ("ann", "web", 1), (None, "web", None)], "Asia/Kolkata", 1, True, True, True),
)
def test_every_cell_equals_that_of_feasts_own_store(
    stores: Stores, rows: list[tuple[Any, ...]], question: Question
) -> None:
    from feast.infra.offline_stores.duckdb import DuckDBOfflineStore

    # A name of its own each time: DuckDB keeps pages of files that it has read.
    file = str(stores.folder / f"{uuid4().hex}.parquet")
    history(rows).to_parquet(file)
    ours = answer(LakeOfflineStore, stores.ours, question, lambda **facts: LakeSource(query=f"from '{file}'", **facts))
    theirs = answer(DuckDBOfflineStore, stores.theirs, question, lambda **facts: FileSource(path=file, **facts))
    assert ours == theirs
